/**
 * `campaign-sync/cache`: REST data of campaigns that is never served behind the stream.
 *
 * The rule: after a transition, a snapshot swap, a change of the log or a divergence the data is
 * void before any listener hears of it. What a fetch brings is stored only if it began afterwards,
 * is complete, and is of a position that is not behind the invalidation. While the campaign is not
 * `live` nothing proves that stored data is fresh, so nothing stored is served.
 */
import { CampaignSyncError } from "./errors.js";
import { observeInvalidations, type Invalidation } from "./invalidation.js";
import { deepFreeze } from "./plain.js";
import { toPosition, type LogPosition } from "./position.js";
import { restFetcher, restSnapshot, type RichCampaignData, type RichCampaignFetch } from "./rich.js";
import type { CampaignStatus, CampaignView } from "./types.js";

export { restFetcher, restSnapshot };
export type { FetchContext, RestOptions, RichCampaignData, RichCampaignFetch } from "./rich.js";

/** What the cache needs of a `CampaignSync`. */
export interface CacheSource extends EventTarget {
  status(campaignId: string): CampaignStatus;
  view(campaignId: string): CampaignView | undefined;
}

/** How a cache is made. */
export interface RichCampaignCacheOptions {
  /** The client whose stream proves freshness. */
  sync: CacheSource;
  /** Fetches a campaign; `restFetcher()` if absent. */
  fetch?: RichCampaignFetch;
  /** Campaigns to keep; 50 if absent. The least recently used goes first. */
  maxEntries?: number;
  /** Upper bound of an entry's age in milliseconds; 30,000 if absent, and never more. */
  ttlMs?: number;
  /** Milliseconds, for tests; `Date.now` if absent. */
  now?: () => number;
  /** Waits before a fetch is repeated because the server was behind; a timer if absent. */
  pause?: (ms: number) => Promise<void>;
}

/** What a caller asks for. */
export interface GetOptions {
  /**
   * The data must be at this position or beyond it, as `{epoch, sequenceNumber}` or in the form of
   * the `Campaign-Position` header. With the header of a write's answer, the write is in the data.
   */
  minPosition?: LogPosition | string | null;
}

const TTL_MS_MAX = 30_000;
/** Fetches for one call, the first included. */
const ATTEMPTS_MAX = 5;
/** Pause after an answer that was behind, doubled each time. */
const BEHIND_PAUSE_MS = 50;

/** What is known about one campaign. */
interface Slot {
  /** A new object for every invalidation: what began under another one is late. */
  generation: object;
  /** The data must not be older than this. */
  floor: LogPosition | null;
  entry: { readonly data: RichCampaignData; readonly storedAt: number } | undefined;
  /** The one fetch of the present generation. */
  flight: Promise<RichCampaignData> | undefined;
  /** Callers that are inside `get`; such a slot is not evicted. */
  callers: number;
}

/** A cache of rich campaign data, bound to one client. */
export class RichCampaignCache {
  readonly #sync: CacheSource;
  readonly #fetch: RichCampaignFetch;
  readonly #maxEntries: number;
  readonly #ttlMs: number;
  readonly #now: () => number;
  readonly #pause: (ms: number) => Promise<void>;
  readonly #unobserve: () => void;
  /** In order of use, the least recent first. */
  readonly #slots = new Map<string, Slot>();

  constructor(options: RichCampaignCacheOptions) {
    this.#sync = options.sync;
    this.#fetch = options.fetch ?? restFetcher();
    this.#maxEntries = Math.max(1, options.maxEntries ?? 50);
    this.#ttlMs = Math.min(options.ttlMs ?? TTL_MS_MAX, TTL_MS_MAX);
    this.#now = options.now ?? Date.now;
    this.#pause = options.pause ?? ((ms) => new Promise((resolve) => setTimeout(resolve, ms)));
    this.#unobserve = observeInvalidations(options.sync, (detail) => this.#invalidate(detail));
  }

  /** Campaigns that are stored. */
  get size(): number {
    let stored = 0;
    for (const slot of this.#slots.values()) if (slot.entry !== undefined) stored += 1;
    return stored;
  }

  /**
   * The campaign's data, from the cache if that is proven fresh, else from the server. Frozen.
   * Throws `behind` if the server's answers stay older than what the stream has shown already.
   */
  async get(campaignId: string, options: GetOptions = {}): Promise<RichCampaignData> {
    assertCampaignId(campaignId);
    const asked = options.minPosition == null ? null : toPosition(options.minPosition);
    const slot = this.#use(campaignId);
    slot.callers += 1;
    try {
      for (let attempt = 1; ; attempt++) {
        slot.floor ??= this.#shown(campaignId);
        const stored = this.#stored(campaignId, slot);
        if (stored !== undefined && isNotBehind(stored, asked)) return stored;
        const { generation } = slot;
        const data = await this.#join(campaignId, slot, asked);
        if (data !== undefined && isNotBehind(data, asked) && isUsable(data, slot, generation)) return data;
        if (attempt === ATTEMPTS_MAX) throw new CampaignSyncError("behind");
        // An invalidation meanwhile is followed at once; a server that lags needs a moment.
        if (slot.generation === generation) await this.#pause(BEHIND_PAUSE_MS * 2 ** attempt);
      }
    } finally {
      slot.callers -= 1;
      this.#evict();
    }
  }

  /** Voids one campaign's data. Without a valid id it throws: no id never means every campaign. */
  clear(campaignId: string): void {
    assertCampaignId(campaignId);
    const slot = this.#slots.get(campaignId);
    if (slot !== undefined) voidSlot(slot);
  }

  /** Forgets everything and stops listening to the client. */
  dispose(): void {
    this.#unobserve();
    for (const slot of this.#slots.values()) voidSlot(slot);
    this.#slots.clear();
  }

  #invalidate({ campaignId, epoch, sequenceNumber, unwatched }: Invalidation): void {
    const slot = this.#slots.get(campaignId);
    if (slot === undefined) return;
    voidSlot(slot);
    // Nobody would tell us if the log became another one, so its numbers bind us no longer.
    if (unwatched === true) slot.floor = null;
    if (epoch === undefined || sequenceNumber === undefined) return;
    // Within one log the floor only rises; another log has a floor of its own.
    const risen = slot.floor?.epoch === epoch ? Math.max(slot.floor.sequenceNumber, sequenceNumber) : sequenceNumber;
    slot.floor = { epoch, sequenceNumber: risen };
  }

  /** The slot, as the most recently used. */
  #use(campaignId: string): Slot {
    const found = this.#slots.get(campaignId);
    const slot = found ?? { generation: {}, floor: null, entry: undefined, flight: undefined, callers: 0 };
    this.#slots.delete(campaignId);
    this.#slots.set(campaignId, slot);
    return slot;
  }

  /** The position that the view shows already, if there is one. */
  #shown(campaignId: string): LogPosition | null {
    const position = this.#sync.view(campaignId)?.position;
    return position == null ? null : { epoch: position.epoch, sequenceNumber: position.sequenceNumber };
  }

  #isLive(campaignId: string): boolean {
    return this.#sync.status(campaignId) === "live";
  }

  #stored(campaignId: string, slot: Slot): RichCampaignData | undefined {
    if (slot.entry === undefined || !this.#isLive(campaignId)) return undefined;
    const age = this.#now() - slot.entry.storedAt;
    // A clock that was set back says nothing about the age.
    if (age >= 0 && age < this.#ttlMs) return slot.entry.data;
    slot.entry = undefined;
    return undefined;
  }

  /** The present generation's fetch. `undefined`: the server says itself that it is behind. */
  async #join(campaignId: string, slot: Slot, asked: LogPosition | null): Promise<RichCampaignData | undefined> {
    try {
      return await (slot.flight ??= this.#begin(campaignId, slot, maxPosition(slot.floor, asked)));
    } catch (error) {
      if (error instanceof CampaignSyncError && error.code === "behind") return undefined;
      throw error;
    }
  }

  async #begin(campaignId: string, slot: Slot, minPosition: LogPosition | null): Promise<RichCampaignData> {
    const { generation } = slot;
    const wasLive = this.#isLive(campaignId);
    // One turn later, so that a fetcher that ends at once does not end before it is in flight.
    await Promise.resolve();
    try {
      const data = deepFreeze(await this.#fetch(campaignId, { minPosition }));
      const timely = slot.generation === generation && this.#slots.get(campaignId) === slot;
      if (timely && !data.partial && wasLive && this.#isLive(campaignId) && isNotBehind(data, slot.floor)) {
        slot.entry = { data, storedAt: this.#now() };
      }
      return data;
    } finally {
      if (slot.generation === generation) slot.flight = undefined;
    }
  }

  #evict(): void {
    for (const [campaignId, slot] of this.#slots) {
      if (this.#slots.size <= this.#maxEntries) return;
      if (slot.callers === 0) this.#slots.delete(campaignId);
    }
  }
}

function voidSlot(slot: Slot): void {
  slot.generation = {};
  slot.entry = undefined;
  slot.flight = undefined;
}

/** Whether the data's position shows that it is not behind another one. Another log's numbers show nothing. */
function isNotBehind({ position }: RichCampaignData, floor: LogPosition | null): boolean {
  return floor === null || (position?.epoch === floor.epoch && position.sequenceNumber >= floor.sequenceNumber);
}

/** The stricter of what the stream and the caller demand; across logs, the caller has the newer word. */
function maxPosition(floor: LogPosition | null, asked: LogPosition | null): LogPosition | null {
  if (floor === null || asked === null) return asked ?? floor;
  return floor.epoch === asked.epoch && floor.sequenceNumber > asked.sequenceNumber ? floor : asked;
}

/** Whether a caller may have the data: proven, or without a position but fetched after the last invalidation. */
function isUsable(data: RichCampaignData, slot: Slot, generation: object): boolean {
  if (data.position === null) return slot.generation === generation;
  return isNotBehind(data, slot.floor);
}

function assertCampaignId(campaignId: unknown): asserts campaignId is string {
  if (typeof campaignId !== "string" || !/^[A-Za-z0-9_-]{1,64}$/.test(campaignId)) {
    throw new CampaignSyncError("invalid_campaign_id");
  }
}

let shared: RichCampaignCache | undefined;

/** Sets the cache up that the two functions below use; a former one is disposed of. */
export function configureCache(options: RichCampaignCacheOptions): RichCampaignCache {
  shared?.dispose();
  return (shared = new RichCampaignCache(options));
}

/** The campaign's data: see `RichCampaignCache.get`. */
export async function getRichCampaignData(campaignId: string, options?: GetOptions): Promise<RichCampaignData> {
  return configured().get(campaignId, options);
}

/** Voids one campaign's data: see `RichCampaignCache.clear`. */
export function clearRichDataCache(campaignId: string): void {
  configured().clear(campaignId);
}

function configured(): RichCampaignCache {
  if (shared === undefined) throw new CampaignSyncError("not_configured");
  return shared;
}
