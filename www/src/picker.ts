/** Chooses a campaign or creates one. The address of the page holds the choice: `?campaign=ID`. */
import type { RestClient } from "campaign-sync/rest";

import { byId, element } from "./dom.js";

/** Returns the campaign id of the address, if it is a valid id. */
function fromAddress(): string | undefined {
  const id = new URLSearchParams(location.search).get("campaign");
  return id !== null && /^[A-Za-z0-9_-]{1,64}$/.test(id) ? id : undefined;
}

/** A campaign in the list. */
interface CampaignSummary {
  readonly campaignId: string;
  readonly name: string;
}

/** The select box and the form in the header. */
export class Picker {
  readonly #select = byId<HTMLSelectElement>("campaign-picker");
  readonly #button = byId("new-button");
  readonly #form = byId<HTMLFormElement>("new-form");
  readonly #choose: (campaignId: string) => void;
  readonly #showError: (problem: string) => void;
  readonly #rest: RestClient;

  constructor(rest: RestClient, choose: (campaignId: string) => void, showError: (problem: string) => void) {
    this.#rest = rest;
    this.#choose = choose;
    this.#showError = showError;
    this.#select.addEventListener("change", () => this.#pick(this.#select.value));
    this.#select.addEventListener("focus", () => void this.refresh());
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
  async start(): Promise<void> {
    const named = fromAddress();
    if (named !== undefined) this.#choose(named);
    const list = await this.refresh();
    if (named !== undefined) return;
    if (list[0] === undefined) this.#toggleForm(true);
    else this.#pick(list[0].campaignId, "replace");
  }

  /** Reads the list again and keeps the choice. */
  async refresh(): Promise<readonly CampaignSummary[]> {
    const list: CampaignSummary[] = [];
    try {
      for await (const campaign of this.#rest.campaigns()) list.push(campaign);
    } catch {
      // The status of the view shows that the server is unreachable, so this error is not reported.
      return list;
    }
    const chosen = fromAddress() ?? "";
    const known = list.some(({ campaignId }) => campaignId === chosen);
    const shown = known || chosen === "" ? list : [{ campaignId: chosen, name: chosen }, ...list];
    this.#select.replaceChildren(
      ...shown.map(({ campaignId, name }) => element("option", { value: campaignId }, name === campaignId ? name : `${name} (${campaignId})`)),
    );
    this.#select.value = chosen;
    return list;
  }

  #pick(campaignId: string, how: "push" | "replace" = "push"): void {
    const address = new URL(location.href);
    address.searchParams.set("campaign", campaignId);
    if (how === "push") history.pushState(null, "", address);
    else history.replaceState(null, "", address);
    this.#select.value = campaignId;
    this.#choose(campaignId);
  }

  #follow(): void {
    const named = fromAddress();
    if (named === undefined) return;
    this.#select.value = named;
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
      await this.refresh();
    } catch (error) {
      this.#showError(`The campaign was not created: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}
