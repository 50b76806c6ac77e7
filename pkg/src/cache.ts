/**
 * `campaign-sync/cache`: caches REST data of campaigns, and never serves data that is behind the stream.
 *
 * The cache rule of docs/PROTOCOL.md, chapter 16: a transition, a snapshot, a change of the epoch and a divergence
 * void the data before any listener receives the event. The cache stores the result of a fetch only if the fetch
 * began after the last invalidation, the result is complete, and its position is not behind the invalidation.
 * While the campaign is not `live`, nothing proves that stored data is fresh, so the cache serves none of it.
 */
import { checked, checkedMembers, DURATION, FUNCTION, oneOf, orNull, TEXT, withMethods, type Rule, type Rules } from "./check.js";
import { CampaignSyncError, describe } from "./errors.js";
import { observeInvalidations, type Invalidation } from "./invalidation.js";
import { frozenCopy } from "./plain.js";
import { renewalOf, withRenewal } from "./renewal.js";
import { toPosition, type LogPosition } from "./position.js";
import { asFetchFailure, isOwnData, restFetcher, restSnapshot, type RichCampaignData, type RichCampaignFetch } from "./rich.js";
import { shared } from "./shared.js";
import type { CampaignStatus, CampaignView } from "./types.js";
import { VERSION } from "./version.js";

export { restFetcher, restSnapshot };
export type { FetchContext, RestOptions, RichCampaignData, RichCampaignFetch } from "./rich.js";

/** The part of a `CampaignSync` that the cache uses. */
export interface CacheSource extends EventTarget {
  status(campaignId: string): CampaignStatus;
  view(campaignId: string): CampaignView | undefined;
}

/** The options of a cache. */
export interface RichCampaignCacheOptions {
  /** The client whose stream proves freshness. */
  sync: CacheSource;
  /** Fetches the data of a campaign; `restFetcher()` if absent. */
  fetch?: RichCampaignFetch;
  /** Number of campaigns to keep; 50 if absent. The cache evicts the least recently used campaign first. */
  maxEntries?: number;
  /** Maximum age of an entry, in milliseconds; 30,000 if absent, which is also the upper limit. */
  ttlMs?: number;
  /** The clock, in milliseconds, for tests; `Date.now` if absent. */
  now?: () => number;
  /** Waits `ms` milliseconds before the cache repeats a fetch whose answer was behind; a timer if absent. */
  pause?: (ms: number) => Promise<void>;
}

/** The options of `get`. */
export interface GetOptions {
  /**
   * The data must be at this position or beyond it: `{epoch, sequenceNumber}` or `"epoch/number"`. Pass the
   * `Campaign-Position` header of the answer to a write to get data that includes the write.
   */
  minPosition?: LogPosition | string | null;
}

const TTL_MS_MAX = 30_000;
/** Longest duration of one fetch, in milliseconds. */
const FETCH_MS_MAX = 30_000;
/** Maximum number of fetches for one call. */
const ATTEMPTS_MAX = 5;
/** Base of the pause after an answer that was behind, in milliseconds. The pause doubles with each attempt. */
const BEHIND_PAUSE_MS = 50;

const OPTIONS: Rules<RichCampaignCacheOptions> = {
  sync: withMethods("addEventListener", "status", "view"),
  fetch: FUNCTION,
  maxEntries: [(it) => it === Infinity || (Number.isSafeInteger(it) && (it as number) > 0), "a whole number from 1, or Infinity"],
  ttlMs: DURATION,
  now: FUNCTION,
  pause: FUNCTION,
};

const GET: Rules<GetOptions> = {
  minPosition: orNull([(it) => typeof it === "string" || typeof it === "object", 'a position or "epoch/number"']),
};

/** The state of one campaign in the cache. */
interface Slot {
  /** A new object for every invalidation. A fetch that began under another generation is late. */
  generation: object;
  /** The lowest position that the data may have. */
  floor: LogPosition | null;
  entry: { readonly data: RichCampaignData; readonly storedAt: number } | undefined;
  /** The single fetch of the current generation. */
  flight: Promise<RichCampaignData> | undefined;
  /** Calls of `get` that are under way. The cache does not evict a slot while it has callers. */
  callers: number;
}

/** A cache of rich campaign data for the campaigns of one client. */
export class RichCampaignCache {
  readonly #sync: CacheSource;
  readonly #fetch: RichCampaignFetch;
  readonly #maxEntries: number;
  readonly #ttlMs: number;
  readonly #now: () => number;
  readonly #pause: (ms: number) => Promise<void>;
  readonly #unobserve: () => void;
  /** Ordered by use, the least recently used first. */
  readonly #slots = new Map<string, Slot>();
  /** Fails the fetches that are under way. */
  readonly #failures = new Set<(reason: CampaignSyncError) => void>();
  #disposed = false;

  /** Throws `invalid_argument` for an invalid option. */
  constructor(options: RichCampaignCacheOptions) {
    const { sync, fetch, maxEntries, ttlMs, now, pause } = checkedMembers("options", options, OPTIONS);
    this.#sync = checked("sync", sync, OPTIONS.sync);
    this.#fetch = fetch ?? restFetcher();
    this.#maxEntries = maxEntries ?? 50;
    this.#ttlMs = Math.min(ttlMs ?? TTL_MS_MAX, TTL_MS_MAX);
    this.#now = now ?? Date.now;
    this.#pause = pause ?? ((ms) => new Promise((resolve) => setTimeout(resolve, ms)));
    this.#unobserve = observeInvalidations(sync, (detail) => this.#invalidate(detail));
  }

  /** Number of campaigns whose data is stored. */
  get size(): number {
    let stored = 0;
    for (const slot of this.#slots.values()) if (slot.entry !== undefined) stored += 1;
    return stored;
  }

  /**
   * Returns the campaign's data, frozen: from the cache if it is proven fresh, else from the server.
   *
   * Rejects with `invalid_campaign_id` for an invalid id, with `invalid_argument` for a `minPosition` in neither form,
   * with `behind` if five fetches bring no data as new as the stream and `minPosition`, with `closed` after
   * `dispose()`, with `signed_out` if another session took over meanwhile, with `invalid_content` if the fetcher gives something that is no campaign data, and with `fetch_failed`
   * if it fails in any other way or takes longer than 30 seconds. A `CampaignSyncError` of the fetcher passes through.
   */
  async get(campaignId: string, options: GetOptions = {}): Promise<RichCampaignData> {
    assertCampaignId(campaignId);
    const { minPosition } = checkedMembers("options", options, GET);
    const asked = minPosition == null ? null : toPosition(minPosition, "minPosition");
    const slot = this.#use(campaignId);
    slot.callers += 1;
    try {
      for (let attempt = 1; ; attempt++) {
        if (this.#disposed) throw new CampaignSyncError("closed");
        slot.floor ??= this.#shown(campaignId);
        const stored = this.#stored(campaignId, slot);
        if (stored !== undefined && isNotBehind(stored, asked)) return stored;
        const { generation } = slot;
        const data = await this.#join(campaignId, slot, asked);
        if (data !== undefined && isNotBehind(data, asked) && isUsable(data, slot, generation)) return data;
        if (attempt === ATTEMPTS_MAX) throw new CampaignSyncError("behind");
        // After an invalidation during the fetch, retry at once. A server that lags needs time first.
        if (slot.generation === generation) await this.#pause(BEHIND_PAUSE_MS * 2 ** attempt);
      }
    } finally {
      slot.callers -= 1;
      this.#evict();
    }
  }

  /** Voids the data of one campaign. Throws `invalid_campaign_id` for an invalid or absent id. */
  clear(campaignId: string): void {
    assertCampaignId(campaignId);
    const slot = this.#slots.get(campaignId);
    if (slot !== undefined) voidSlot(slot);
  }

  /** Drops all data, stops listening to the client, and aborts all fetches. Open and later calls of `get` reject with `closed`. */
  dispose(): void {
    this.#disposed = true;
    this.#unobserve();
    this.#empty("closed");
  }

  /** Drops all data, and fails all fetches with this code. */
  #empty(code: "closed" | "signed_out"): void {
    for (const fail of this.#failures) fail(new CampaignSyncError(code));
    for (const slot of this.#slots.values()) voidSlot(slot);
    this.#slots.clear();
  }

  #invalidate({ campaignId, epoch, sequenceNumber, unwatched, reason }: Invalidation): void {
    if (campaignId === undefined) return this.#empty("signed_out");
    const slot = this.#slots.get(campaignId);
    if (slot === undefined) return;
    voidSlot(slot);
    // Without a subscription the cache does not learn of a new epoch, so the former numbers do not bind it.
    if (unwatched === true || reason === "signed_out") slot.floor = null;
    if (epoch === undefined || sequenceNumber === undefined) return;
    // Within one epoch the floor only rises. Another epoch starts with its own floor.
    const risen = slot.floor?.epoch === epoch ? Math.max(slot.floor.sequenceNumber, sequenceNumber) : sequenceNumber;
    slot.floor = { epoch, sequenceNumber: risen };
  }

  /** Returns the slot and moves it to the most recently used place. */
  #use(campaignId: string): Slot {
    const found = this.#slots.get(campaignId);
    const slot = found ?? { generation: {}, floor: null, entry: undefined, flight: undefined, callers: 0 };
    this.#slots.delete(campaignId);
    this.#slots.set(campaignId, slot);
    return slot;
  }

  /** The position of the view; `null` without one. */
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
    // A negative age means that the clock was set back; the age is unknown then.
    if (age >= 0 && age < this.#ttlMs) return slot.entry.data;
    slot.entry = undefined;
    return undefined;
  }

  /** Joins or starts the fetch of the current generation. Returns `undefined` if the server reports `behind`. */
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
    // Waits for one microtask, so that a fetcher that ends at once does not end before `flight` is set.
    await Promise.resolve();
    try {
      const data = checkedData(campaignId, await this.#ask(campaignId, minPosition));
      const timely = slot.generation === generation && this.#slots.get(campaignId) === slot;
      if (timely && !data.partial && wasLive && this.#isLive(campaignId) && isNotBehind(data, slot.floor)) {
        slot.entry = { data, storedAt: this.#now() };
      }
      return data;
    } finally {
      if (slot.generation === generation) slot.flight = undefined;
    }
  }

  /** Calls the fetcher, and aborts it after 30 seconds and when the cache is disposed of. */
  async #ask(campaignId: string, minPosition: LogPosition | null): Promise<unknown> {
    const controller = new AbortController();
    let fail: (reason: CampaignSyncError) => void = () => {};
    const failure = new Promise<never>((_, reject) => {
      fail = (reason) => {
        reject(reason);
        controller.abort(reason);
      };
    });
    this.#failures.add(fail);
    const message = "The fetcher did not answer within 30 seconds.";
    const timer = setTimeout(() => fail(new CampaignSyncError("fetch_failed", { message })), FETCH_MS_MAX);
    try {
      const fetch = async (): Promise<unknown> => this.#fetch(campaignId, { minPosition, signal: controller.signal });
      return await Promise.race([withRenewal(renewalOf(this.#sync), fetch), failure]);
    } catch (error) {
      throw asFetchFailure(error);
    } finally {
      clearTimeout(timer);
      this.#failures.delete(fail);
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

/** Whether the data's position is provably at or beyond `floor`. Numbers of another epoch prove nothing. */
function isNotBehind({ position }: RichCampaignData, floor: LogPosition | null): boolean {
  return floor === null || (position?.epoch === floor.epoch && position.sequenceNumber >= floor.sequenceNumber);
}

/** The higher of both positions. If their epochs differ, the caller's position wins, because it is newer. */
function maxPosition(floor: LogPosition | null, asked: LogPosition | null): LogPosition | null {
  if (floor === null || asked === null) return asked ?? floor;
  return floor.epoch === asked.epoch && floor.sequenceNumber > asked.sequenceNumber ? floor : asked;
}

/** Whether a caller may get the data: its position is proven, or it has none and was fetched after the last invalidation. */
function isUsable(data: RichCampaignData, slot: Slot, generation: object): boolean {
  if (data.position === null) return slot.generation === generation;
  return isNotBehind(data, slot.floor);
}

const LIST: Rule = [Array.isArray, "a list"];

const DATA: Rules<RichCampaignData> = {
  campaignId: TEXT,
  campaign: [(it) => typeof it === "object" && it !== null, "an object"],
  position: orNull([(it) => typeof it === "object", "a position"]),
  partial: [(it) => typeof it === "boolean", "true or false"],
  domains: LIST,
  dnsValidatedDomains: LIST,
  httpKeywordResults: LIST,
  leads: LIST,
};

/** Freezes a copy of what a fetcher gave, and checks the copy. Throws `invalid_content` for anything else. */
function checkedData(campaignId: string, answer: unknown): RichCampaignData {
  if (isOwnData(answer)) return answer;
  try {
    const copy = frozenCopy(answer as RichCampaignData);
    checkedMembers("The answer of the fetcher", copy, DATA);
    for (const [name, rule] of Object.entries<Rule>(DATA)) checked(name, copy[name as keyof RichCampaignData], rule);
    if (copy.position !== null) toPosition(copy.position);
    checked("campaignId", copy.campaignId, oneOf(campaignId));
    return copy;
  } catch (cause) {
    throw new CampaignSyncError("invalid_content", { cause, message: describe(cause) });
  }
}

function assertCampaignId(campaignId: string): void {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(checked("campaignId", campaignId, TEXT))) {
    throw new CampaignSyncError("invalid_campaign_id");
  }
}

/** The cache that was configured. All copies of this version of the package on a page share it. */
function configuration(): { cache?: RichCampaignCache } {
  return shared(`cache ${VERSION}`, () => ({}));
}

/** Creates the cache that `getRichCampaignData` and `clearRichDataCache` use, and disposes of the former one. */
export function configureCache(options: RichCampaignCacheOptions): RichCampaignCache {
  configuration().cache?.dispose();
  return (configuration().cache = new RichCampaignCache(options));
}

/** Returns the campaign's data as `RichCampaignCache.get` does. Rejects with `not_configured` before `configureCache`. */
export async function getRichCampaignData(campaignId: string, options?: GetOptions): Promise<RichCampaignData> {
  return configured().get(campaignId, options);
}

/** Voids the data of one campaign as `RichCampaignCache.clear` does. Throws `not_configured` before `configureCache`. */
export function clearRichDataCache(campaignId: string): void {
  configured().clear(campaignId);
}

function configured(): RichCampaignCache {
  const { cache } = configuration();
  if (cache === undefined) throw new CampaignSyncError("not_configured", { message: "Call `configureCache({ sync })` first." });
  return cache;
}
