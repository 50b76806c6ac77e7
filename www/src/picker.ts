/** Chooses a campaign or creates one. The address of the page holds the choice: `?campaign=ID`. */
import type { CampaignSummary, CampaignSync, Catalogue } from "campaign-sync";
import type { RestClient } from "campaign-sync/rest";

import { byId, element } from "./dom.js";
import { phaseName, plain } from "./words.js";

/** Returns the campaign id of the address, if it is a valid id. */
function fromAddress(): string | undefined {
  const id = new URLSearchParams(location.search).get("campaign");
  return id !== null && /^[A-Za-z0-9_-]{1,64}$/.test(id) ? id : undefined;
}

/** The select box and the form in the header. */
export class Picker {
  readonly #select = byId<HTMLSelectElement>("campaign-picker");
  readonly #button = byId("new-button");
  readonly #form = byId<HTMLFormElement>("new-form");
  readonly #choose: (campaignId: string) => void;
  readonly #showError: (problem: string) => void;
  readonly #rest: RestClient;
  readonly #campaigns: Catalogue;
  /** The options of the select box, and the campaign that each of them shows. */
  readonly #options = new Map<string, { readonly option: HTMLOptionElement; shown: CampaignSummary | undefined }>();

  constructor(sync: CampaignSync, rest: RestClient, choose: (campaignId: string) => void, showError: (problem: string) => void) {
    this.#rest = rest;
    this.#campaigns = sync.campaigns();
    this.#choose = choose;
    this.#showError = showError;
    this.#select.addEventListener("change", () => this.#pick(this.#select.value));
    this.#button.addEventListener("click", () => this.#toggleForm(this.#form.hidden !== false));
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#create();
    });
    this.#form.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") this.#toggleForm(false);
    });
    window.addEventListener("popstate", () => this.#follow());
  }

  /** Lists the campaigns and chooses the one of the address, or else the first. */
  start(): void {
    const named = fromAddress();
    if (named !== undefined) this.#choose(named);
    let isFirst = named === undefined;
    const show = (): void => {
      const { status, campaigns } = this.#campaigns.view();
      this.#render(campaigns);
      if (!isFirst || status !== "live") return;
      isFirst = false;
      if (campaigns[0] === undefined) this.#toggleForm(true);
      else this.#pick(campaigns[0].campaignId, "replace");
    };
    this.#campaigns.subscribe(show);
    show();
  }

  /** Shows the list and keeps the choice. The summary of an unchanged campaign is the same object. */
  #render(campaigns: readonly CampaignSummary[]): void {
    const shown = new Set(campaigns.map(({ campaignId }) => campaignId));
    const chosen = fromAddress() ?? "";
    for (const [campaignId, { option }] of this.#options) {
      if (shown.has(campaignId) || campaignId === chosen) continue;
      option.remove();
      this.#options.delete(campaignId);
    }
    const before = this.#options.size;
    if (chosen !== "" && !shown.has(chosen)) this.#show(chosen, undefined);
    const options = campaigns.map((summary) => this.#show(summary.campaignId, summary));
    // Moving an option is slow with thousands of them, so it is done only when one was added.
    if (this.#options.size > before) this.#select.append(...options);
    this.#select.value = chosen;
  }

  #show(campaignId: string, summary: CampaignSummary | undefined): HTMLOptionElement {
    let entry = this.#options.get(campaignId);
    if (entry === undefined) {
      entry = { option: element("option", { value: campaignId }, campaignId), shown: undefined };
      this.#options.set(campaignId, entry);
      this.#select.append(entry.option);
    }
    if (summary === undefined || entry.shown === summary) return entry.option;
    entry.shown = summary;
    const { name, currentPhase, phaseStatus } = summary.campaign;
    const title = name === campaignId ? name : `${name} (${campaignId})`;
    entry.option.textContent = `${title}: ${phaseName(currentPhase)}, ${plain(phaseStatus)}`;
    return entry.option;
  }

  #pick(campaignId: string, how: "push" | "replace" = "push"): void {
    const address = new URL(location.href);
    address.searchParams.set("campaign", campaignId);
    if (how === "push") history.pushState(null, "", address);
    else history.replaceState(null, "", address);
    this.#render(this.#campaigns.view().campaigns);
    this.#choose(campaignId);
  }

  #follow(): void {
    const named = fromAddress();
    if (named === undefined) return;
    this.#render(this.#campaigns.view().campaigns);
    this.#choose(named);
  }

  #toggleForm(open: boolean): void {
    // The form hides the element that has the focus, so the focus moves to the button.
    if (!open && this.#form.contains(document.activeElement)) this.#button.focus();
    this.#form.hidden = !open;
    this.#button.setAttribute("aria-expanded", String(open));
    if (open) this.#form.querySelector("input")?.focus();
  }

  async #create(): Promise<void> {
    const values = new FormData(this.#form);
    const number = (name: string): number => Number(values.get(name));
    const settings = { name: String(values.get("name")), count: number("count"), seed: number("seed"), rate: number("rate") };
    try {
      const { campaignId } = (await this.#rest.create(settings)).campaign;
      this.#showError("");
      this.#toggleForm(false);
      this.#pick(campaignId);
    } catch (error) {
      this.#showError(`The campaign was not created: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}
