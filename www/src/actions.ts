/** The next operation of the campaign: started by a button, or automatically. */
import type { Campaign, CampaignRecord } from "campaign-sync";
import { allowedActions, type CampaignAction, type RestClient } from "campaign-sync/rest";

import { byId, setIdle, setText } from "./dom.js";
import { plain } from "./words.js";

/** The actions of the button, the preferred one first, with their labels. */
const LABELS: ReadonlyMap<CampaignAction, string> = new Map([
  ["resume", "Resume"],
  ["configure-dns", "Configure DNS validation"],
  ["configure-http", "Configure HTTP validation"],
  ["configure-analysis", "Configure analysis"],
  ["start", "Start domain generation"],
  ["validate-dns", "Start DNS validation"],
  ["validate-http", "Start HTTP validation"],
  ["analyze", "Start analysis"],
]);

/** Wait before the automatic mode retries a failed operation, in milliseconds. */
const RETRY_MS = 2000;
/** Longest wait until the view shows the result of an operation, in milliseconds. */
const SHOWN_MS = 20_000;

function nextAction(record: CampaignRecord): CampaignAction | undefined {
  const allowed = allowedActions(record);
  return [...LABELS.keys()].find((action) => allowed.includes(action));
}

/** The buttons of the phase panel. */
export class Actions {
  readonly #next = byId<HTMLButtonElement>("next-step");
  readonly #hold = byId<HTMLButtonElement>("hold");
  readonly #automatic = byId<HTMLInputElement>("automatic");
  readonly #showError: (problem: string) => void;
  readonly #rest: RestClient;
  #campaign: Campaign | undefined;
  #busy = false;
  #notBefore = 0;

  /** `showError` shows a problem, or hides the message for an empty text. */
  constructor(rest: RestClient, showError: (problem: string) => void) {
    this.#rest = rest;
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
    setText(this.#next, (action && LABELS.get(action)) ?? idleLabel(record));
    setIdle(this.#next, action === undefined || this.#busy);
    const holds = record !== null && allowedActions(record).includes("pause");
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
    if (action !== undefined) await this.#perform(action);
  }

  async #perform(action: CampaignAction): Promise<void> {
    const campaign = this.#campaign;
    if (campaign === undefined || this.#busy) return;
    this.#busy = true;
    this.render();
    try {
      // The button stays idle until the view shows the result, or until the wait times out.
      await this.#rest.act(campaign.campaignId, action, { timeoutMs: SHOWN_MS });
      this.#showError("");
    } catch (error) {
      this.#notBefore = performance.now() + RETRY_MS;
      if (this.#campaign === campaign) this.#showError(`${plain(action)}: ${error instanceof Error ? error.message : String(error)}`);
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
