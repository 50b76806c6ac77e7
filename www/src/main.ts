/** The demo page: it shows one campaign at a time while the network fails. */
import { CampaignSync, init, type Campaign } from "campaign-sync";
import { configureCache, getRichCampaignData, restSnapshot } from "campaign-sync/cache";
import { RestClient } from "campaign-sync/rest";

import { Actions } from "./actions.js";
import { Counters, Counts } from "./counters.js";
import { byId, setText } from "./dom.js";
import { Download } from "./download.js";
import { showFaults } from "./faults.js";
import { LoadingBar } from "./loading.js";
import { Log } from "./log.js";
import { Picker } from "./picker.js";
import { StateChips } from "./state.js";
import { Stepper } from "./stepper.js";
import { DomainTable, offerStatuses } from "./table.js";
import { count } from "./words.js";

declare global {
  interface Window {
    /** For the browser's console and for tests. */
    __campaignSync?: {
      readonly sync: CampaignSync;
      readonly campaign: Campaign | undefined;
      readonly cache: { readonly getRichCampaignData: typeof getRichCampaignData };
    };
  }
}

/** Interval of updates that depend on the clock alone, in milliseconds. */
const TICK_MS = 1000;

class Page {
  readonly #sync = new CampaignSync({ url: "/api/v2/ws", fetchSnapshot: restSnapshot() });
  readonly #rest = new RestClient({ sync: this.#sync });
  readonly #chips = new StateChips(this.#sync);
  readonly #stepper = new Stepper();
  readonly #counts = new Counts();
  readonly #counters = new Counters();
  readonly #loading = new LoadingBar();
  readonly #table = new DomainTable();
  readonly #actions = new Actions(this.#rest, showError);
  readonly #note = byId("unconfirmed-note");
  #campaign: Campaign | undefined;
  readonly #download = new Download(showError);

  async start(): Promise<void> {
    new Log(this.#sync);
    byId("discard").addEventListener("click", () => {
      this.#campaign?.discardUnconfirmed();
      // The button disappears with the rows, so the focus moves to the table.
      byId("domains").focus();
    });
    configureCache({ sync: this.#sync });
    this.#expose();
    this.#sync.connect();
    setInterval(() => this.#tick(), TICK_MS);
    new Picker(this.#sync, this.#rest, (campaignId) => this.#watch(campaignId), showError).start();
    await showFaults(this.#rest, showError);
  }

  #expose(): void {
    window.__campaignSync = { sync: this.#sync, campaign: this.#campaign, cache: { getRichCampaignData } };
  }

  #watch(campaignId: string): void {
    if (this.#campaign?.campaignId === campaignId) return;
    this.#campaign?.release();
    this.#campaign = this.#sync.campaign(campaignId);
    this.#expose();
    this.#download.show(this.#campaign);
    this.#campaign.subscribe(() => this.#render());
    this.#table.show(this.#campaign);
    this.#actions.show(this.#campaign);
    this.#render();
  }

  #render(): void {
    if (this.#campaign === undefined) return;
    const view = this.#campaign.view();
    this.#chips.render(view);
    this.#stepper.render(view);
    this.#counts.render(view);
    this.#loading.render(view);
    this.#actions.render();
    offerStatuses("dnsStatus", view.counts.dns);
    offerStatuses("httpStatus", view.counts.http);
    offerStatuses("leadStatus", view.counts.lead);
    this.#note.hidden = view.unconfirmedCount === 0;
    setText(byId("unconfirmed-text"), `${count(view.unconfirmedCount, "row")} not in the server's last snapshot, kept and marked. `);
    this.#table.update(view.campaign?.currentPhase ?? "");
  }

  /** Reads the view at each tick, because a view becomes stale without any event. */
  #tick(): void {
    this.#counters.render(this.#sync.metrics());
    if (this.#campaign === undefined) return;
    this.#chips.render(this.#campaign.view());
    this.#actions.render();
  }
}

/** Shows a problem, or hides the message for an empty text. */
function showError(problem: string): void {
  const place = byId("problem");
  place.hidden = problem === "";
  setText(place, problem);
}

async function main(): Promise<void> {
  try {
    await init();
    await new Page().start();
  } catch (error) {
    showError(`The page cannot start: ${error instanceof Error ? error.message : String(error)}`);
  }
}

void main();
