/** The next operation of the campaign: started by a button, or automatically. */
import type { Campaign, CampaignRecord } from "campaign-sync";

import { act } from "./api.js";
import { byId, setIdle, setText } from "./dom.js";
import { plain } from "./words.js";

interface Action {
  /** The last part of the route. */
  readonly name: string;
  readonly label: string;
}

/** For each phase, the operation that starts it, and the operation that configures the next phase once it is done. */
const WAYS: Readonly<Record<string, { readonly start: Action; readonly next?: Action }>> = {
  domain_generation: {
    start: { name: "start", label: "Start domain generation" },
    next: { name: "configure-dns", label: "Configure DNS validation" },
  },
  dns_validation: {
    start: { name: "validate-dns", label: "Start DNS validation" },
    next: { name: "configure-http", label: "Configure HTTP validation" },
  },
  http_keyword_validation: {
    start: { name: "validate-http", label: "Start HTTP validation" },
    next: { name: "configure-analysis", label: "Configure analysis" },
  },
  analysis: { start: { name: "analyze", label: "Start analysis" } },
};

/** Wait before the automatic mode retries a failed operation, in milliseconds. */
const RETRY_MS = 2000;
/** Longest wait until the view shows the result of an operation, in milliseconds. */
const REACHED_MS = 20_000;

function nextAction({ currentPhase, phaseStatus }: CampaignRecord): Action | undefined {
  const way = WAYS[currentPhase];
  switch (phaseStatus) {
    case "not_started":
    case "ready":
    case "configured":
      return way?.start;
    case "paused":
      return { name: "resume", label: "Resume" };
    case "completed":
      return way?.next;
    case "in_progress":
    case "failed":
    case "skipped":
      return undefined;
  }
}

/** The buttons of the phase panel. */
export class Actions {
  readonly #next = byId<HTMLButtonElement>("next-step");
  readonly #hold = byId<HTMLButtonElement>("hold");
  readonly #automatic = byId<HTMLInputElement>("automatic");
  readonly #showError: (problem: string) => void;
  #campaign: Campaign | undefined;
  #busy = false;
  #notBefore = 0;

  /** `showError` shows a problem, or hides the message for an empty text. */
  constructor(showError: (problem: string) => void) {
    this.#showError = showError;
    this.#next.addEventListener("click", () => void this.#step());
    this.#hold.addEventListener("click", () => void this.#perform("pause"));
    this.#automatic.addEventListener("change", () => this.render());
  }

  show(campaign: Campaign): void {
    this.#campaign = campaign;
    this.render();
  }

  render(): void {
    const record = this.#campaign?.view().campaign ?? null;
    const action = record === null ? undefined : nextAction(record);
    setText(this.#next, action?.label ?? idleLabel(record));
    setIdle(this.#next, action === undefined || this.#busy);
    const holds = record?.phaseStatus === "in_progress";
    // A keyboard user pauses and may resume next, so the focus moves to the other button.
    if (!holds && document.activeElement === this.#hold) this.#next.focus();
    this.#hold.hidden = !holds;
    setIdle(this.#hold, this.#busy);
    const mayGoOn = this.#automatic.checked && record?.phaseStatus !== "paused" && performance.now() >= this.#notBefore;
    if (action !== undefined && mayGoOn && !this.#busy) void this.#step();
  }

  async #step(): Promise<void> {
    const record = this.#campaign?.view().campaign;
    const action = record ? nextAction(record) : undefined;
    if (action !== undefined) await this.#perform(action.name);
  }

  async #perform(name: string): Promise<void> {
    const campaign = this.#campaign;
    if (campaign === undefined || this.#busy) return;
    this.#busy = true;
    this.render();
    try {
      const { position } = await act(campaign.campaignId, name);
      this.#showError("");
      // The button stays idle until the view shows the result, or until the wait times out.
      if (position !== null) await campaign.reached(position, { timeoutMs: REACHED_MS });
    } catch (error) {
      this.#notBefore = performance.now() + RETRY_MS;
      if (this.#campaign === campaign) this.#showError(`${plain(name)}: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      this.#busy = false;
      this.render();
    }
  }
}

function idleLabel(record: CampaignRecord | null): string {
  if (record === null) return "Next step";
  if (record.phaseStatus === "in_progress") return "In progress…";
  return record.phaseStatus === "completed" ? "All phases are done" : "Nothing to do";
}
