/** The events on `window`, for components that do not see the client. */
import type { CacheInvalidatedDetail, CampaignDetail, PhaseTransitionDetail } from "./event-types.js";

/** The `detail` of each page-wide event, by the name of the event. */
export interface PageEventMap {
  /** The client dispatches this event with the detail of `phasetransition`. */
  phase_transition: PhaseTransitionDetail;
  /** The client dispatches this event with the detail of `cacheinvalidated`. */
  campaign_cache_invalidated: CacheInvalidatedDetail;
  /**
   * A request of the page. The client voids cached data of the campaign, pings the server, and calls `fetchSnapshot`
   * if the campaign is not `live`; it does so at most once a second per campaign.
   */
  force_campaign_refresh: CampaignDetail;
  /** A request of the page: the same as `force_campaign_refresh` for each campaign of the list. */
  bulk_cache_invalidate: CampaignsDetail;
}

/** The detail of `bulk_cache_invalidate`. */
export interface CampaignsDetail {
  /** The ids of the campaigns. */
  readonly campaignIds: readonly string[];
}

declare global {
  interface WindowEventMap {
    phase_transition: CustomEvent<PageEventMap["phase_transition"]>;
    campaign_cache_invalidated: CustomEvent<PageEventMap["campaign_cache_invalidated"]>;
    force_campaign_refresh: CustomEvent<PageEventMap["force_campaign_refresh"]>;
    bulk_cache_invalidate: CustomEvent<PageEventMap["bulk_cache_invalidate"]>;
  }
}

const PAGE_NAMES: Readonly<Record<string, string>> = {
  phasetransition: "phase_transition",
  cacheinvalidated: "campaign_cache_invalidated",
};

/** Repeats two events of the client on a target, and handles two requests that the page dispatches there. */
export class PageEvents {
  readonly #target: EventTarget | null;
  readonly #refresh: (campaignId: string) => void;

  constructor(target: EventTarget | null, refresh: (campaignId: string) => void) {
    this.#target = target;
    this.#refresh = refresh;
  }

  /** Handles requests of the page from now on. */
  listen(): void {
    this.#target?.addEventListener("force_campaign_refresh", this.#onForce);
    this.#target?.addEventListener("bulk_cache_invalidate", this.#onBulk);
  }

  /** Repeats an event of the client under its page-wide name, if it has one. */
  repeat(type: string, detail: object): void {
    const name = PAGE_NAMES[type];
    if (name !== undefined) this.#target?.dispatchEvent(new CustomEvent(name, { detail }));
  }

  /** Stops listening. */
  close(): void {
    this.#target?.removeEventListener("force_campaign_refresh", this.#onForce);
    this.#target?.removeEventListener("bulk_cache_invalidate", this.#onBulk);
  }

  // Any code may dispatch on the window, so the detail may have any shape. An absent id means no campaign, never all
  // campaigns.
  readonly #onForce = (event: Event): void => {
    const id: unknown = (event as CustomEvent<{ campaignId?: unknown } | null>).detail?.campaignId;
    if (typeof id === "string") this.#refresh(id);
  };

  readonly #onBulk = (event: Event): void => {
    const ids: unknown = (event as CustomEvent<{ campaignIds?: unknown } | null>).detail?.campaignIds;
    if (!Array.isArray(ids)) return;
    for (const id of new Set<unknown>(ids)) if (typeof id === "string") this.#refresh(id);
  };
}
