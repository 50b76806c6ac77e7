/** The state that all handles of one campaign share: the view and the subscriptions. */
import type { Read } from "./bridge.js";
import * as Call from "./calls.js";
import { checked, FUNCTION } from "./check.js";
import { emptyView } from "./empty.js";
import { callSafely } from "./frame.js";
import { deepFreeze } from "./plain.js";
import type { CampaignView, DomainPage } from "./types.js";

/** One registered listener. Two subscriptions of the same function are two objects. */
interface Subscription {
  readonly notify: () => void;
  /** The handle that it was made with. */
  readonly owner: object;
}

/** The last answer to each query for rows, by the JSON of the query, and the view that it belongs to. */
export type Pages = Map<string, { readonly view: CampaignView; readonly page: DomainPage }>;

/** The listeners that all handles of one view share. */
export abstract class Listeners {
  /** Handles that are not released. */
  handles = 0;
  /** The content that changed and has not been announced to caches. */
  content = 0;
  protected changed = true;
  /** The listeners that are called after a change. */
  readonly #subscriptions = new Set<Subscription>();

  /** `campaignId` is empty for the list of campaigns. */
  constructor(readonly campaignId: string) {}

  /** Drops the data of another session. */
  abstract empty(): void;

  /** Marks the cached view as outdated. */
  invalidate(): void {
    this.changed = true;
  }

  /** Adds a listener for a handle. Returns the function that removes it. */
  subscribe(owner: object, listener: () => void): () => void {
    const subscription = { notify: checked("listener", listener, FUNCTION), owner };
    this.#subscriptions.add(subscription);
    return () => void this.#subscriptions.delete(subscription);
  }

  /** Removes the listeners of a handle. */
  unsubscribe(owner: object): void {
    for (const subscription of this.#subscriptions) if (subscription.owner === owner) this.#subscriptions.delete(subscription);
  }

  /** Calls the listeners. A listener that another one removed in the same round is not called. */
  notify(): void {
    for (const subscription of [...this.#subscriptions]) {
      if (this.#subscriptions.has(subscription)) callSafely(subscription.notify);
    }
  }
}

/** The shared state of one campaign. */
export class Channel extends Listeners {
  /** The pages of rows that were read. */
  readonly pages: Pages = new Map();
  #view: CampaignView | undefined;
  #last: CampaignView | undefined;
  /** The status of the view, and the time of its proof. */
  #status: string | undefined;
  /** The session that the views belong to. */
  #session: object | undefined;

  empty(): void {
    this.invalidate();
    this.pages.clear();
  }

  /** Drops the views of another session. */
  enter(session: object): this {
    if (this.#session !== session) this.#view = this.#last = undefined;
    this.#session = session;
    return this;
  }

  /**
   * Returns the view. Each call reads the status and the time of the last proof, because they change without an
   * event. The view is built again only after a change.
   */
  view(read: Read): CampaignView {
    const { campaignId } = this;
    const status = read({ call: Call.status, campaignId });
    if (this.changed || this.#view === undefined || this.#status !== status) {
      this.changed = false;
      this.#status = status;
      this.#view = deepFreeze(read({ call: Call.view, campaignId })) ?? emptyView(campaignId);
      this.#last = undefined;
    }
    return this.#view;
  }

  /** Returns the last view, for reads after release or close. Its status is `idle`. */
  lastView(): CampaignView {
    if (this.#last === undefined) {
      const { staleReason: _, code: __, ...view } = this.#view ?? emptyView(this.campaignId);
      this.#last = Object.freeze({ ...view, status: "idle" });
    }
    return this.#last;
  }
}
