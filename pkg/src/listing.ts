/** The list of campaigns that all handles share. */
import type { Read } from "./bridge.js";
import * as Call from "./calls.js";
import { Listeners } from "./channel.js";
import { deepFreeze } from "./plain.js";
import type { CampaignSummary, CatalogueView } from "./types.js";

/** The view before the first list. */
export const EMPTY: CatalogueView = Object.freeze({ status: "idle", campaigns: Object.freeze([]), total: 0 });

/** The list that all handles share. */
export class CatalogueChannel extends Listeners {
  readonly #summaries = new Map<string, CampaignSummary>();
  #view = EMPTY;
  /** The status of the view, and the time of its proof. */
  #status: string | undefined;
  /** Whether this side has what the machine has, so that changes suffice. */
  #complete = false;

  constructor() {
    super("");
  }

  /** Returns the view. Each call reads the status and the time of the last proof, because they change without a notice. */
  view(read: Read): CatalogueView {
    const status = read({ call: Call.catalogueStatus }) as string;
    if (this.changed || this.#status !== status) this.#update(read);
    this.#status = status;
    return this.#view;
  }

  /** Drops the list of another session. */
  empty(): void {
    this.#view = EMPTY;
    this.#complete = false;
    this.invalidate();
  }

  #update(read: Read): void {
    const { changed, removed, ...view } = read({ call: this.#complete ? Call.catalogue : Call.wholeCatalogue });
    const summaries = this.#summaries;
    if (!this.#complete) summaries.clear();
    for (const id of removed) summaries.delete(id);
    for (const summary of changed) summaries.set(summary.campaignId, deepFreeze(summary));
    const stays = this.#complete && changed.length + removed.length === 0;
    const campaigns = stays ? this.#view.campaigns : Object.freeze([...summaries.values()].sort(byId));
    this.#complete = summaries.size === view.total;
    this.changed = !this.#complete;
    if (!stays || !saysSame(this.#view, view)) this.#view = Object.freeze({ ...view, campaigns });
  }
}

const SHOWN = ["status", "staleReason", "code", "provenAt", "total"] as const;
type StatusFields = Pick<CatalogueView, (typeof SHOWN)[number]>;

function saysSame(one: StatusFields, other: StatusFields): boolean {
  return SHOWN.every((name) => one[name] === other[name]);
}

function byId(one: CampaignSummary, other: CampaignSummary): number {
  return one.campaignId < other.campaignId ? -1 : 1;
}

/** The view of some campaigns; `before` if it says the same. */
export function selected(whole: CatalogueView, ids: ReadonlySet<string>, before: CatalogueView): CatalogueView {
  const campaigns = whole.campaigns.filter(({ campaignId }) => ids.has(campaignId));
  const same = campaigns.length === before.campaigns.length && campaigns.every((it, at) => it === before.campaigns[at]);
  if (same && saysSame(before, whole)) return before;
  return Object.freeze({ ...whole, campaigns: same ? before.campaigns : Object.freeze(campaigns) });
}
