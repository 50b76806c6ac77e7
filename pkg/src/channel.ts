/** What all handles of one campaign share: the view and those who want to hear of changes. */
import type { Read, WireView } from "./bridge.js";
import { callSafely } from "./frame.js";
import { deepFreeze, withoutNulls } from "./plain.js";
import type { CampaignView } from "./types.js";

/** A wish to be called; each is its own, also when two are for the same function. */
export interface Subscription {
  readonly notify: () => void;
}

/** The shared part of one campaign. */
export class Channel {
  readonly campaignId: string;
  /** Those who want to hear of changes. */
  readonly subscriptions = new Set<Subscription>();
  /** Handles that are not released. */
  handles = 0;
  #view: CampaignView | undefined;
  #last: CampaignView | undefined;
  #changed = true;

  constructor(campaignId: string) {
    this.campaignId = campaignId;
  }

  /** The cached view is not the present one any more. */
  invalidate(): void {
    this.#changed = true;
  }

  /**
   * The view. It is built again only if it changed; the status is asked for each time, because it
   * changes with the clock alone.
   */
  view(read: Read): CampaignView {
    const { campaignId } = this;
    if (this.#changed || this.#view === undefined || this.#view.status !== read({ read: "status", campaignId })) {
      this.#changed = false;
      this.#view = readView(read({ read: "view", campaignId })) ?? emptyView(campaignId);
      this.#last = undefined;
    }
    return this.#view;
  }

  /** What was seen last, for those who still look afterwards. Nobody watches it, so it is `idle`. */
  lastView(): CampaignView {
    if (this.#last === undefined) {
      const { staleReason: _, code: __, ...view } = this.#view ?? emptyView(this.campaignId);
      this.#last = Object.freeze({ ...view, status: "idle" });
    }
    return this.#last;
  }

  /** Calls the subscribers. One that was removed by another in the same round is not called. */
  notify(): void {
    for (const subscription of [...this.subscriptions]) {
      if (this.subscriptions.has(subscription)) callSafely(subscription.notify);
    }
  }
}

function readView(view: WireView | undefined): CampaignView | undefined {
  if (view === undefined) return undefined;
  const { staleReason, code, campaign, counts, lastTransition, error, ...rest } = view;
  const why = withoutNulls({ staleReason, code }) as Pick<CampaignView, "staleReason" | "code">;
  return deepFreeze({
    ...rest,
    ...why,
    campaign: campaign && withoutNulls(campaign),
    // `fromEntries` makes members of their own, `__proto__` included.
    counts: {
      dns: Object.fromEntries(counts.dns),
      http: Object.fromEntries(counts.http),
      lead: Object.fromEntries(counts.lead),
    },
    lastTransition: lastTransition && withoutNulls(lastTransition),
    error: error && withoutNulls(error),
  });
}

function emptyView(campaignId: string): CampaignView {
  return deepFreeze({
    campaignId,
    status: "idle",
    position: null,
    campaign: null,
    totalDomainCount: 0,
    domainsCount: 0,
    domainsDigest: "0000000000000000",
    unconfirmedCount: 0,
    counts: { dns: {}, http: {}, lead: {} },
    lastTransition: null,
    error: null,
  });
}
