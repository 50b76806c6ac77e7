/**
 * `campaign-sync/cache`: the data of a campaign as one object, never behind the stream.
 *
 * While a campaign is held and `live`, the client's own state answers, at its position and without a request. A fetch
 * is for anything else: a campaign that is not held or not `live`, and data that the client does not hold.
 *
 * The cache rule of docs/PROTOCOL.md, chapter 16: whatever changes the record or the rows makes fetched data void
 * that depends on it. The cache compares the client's state at each delivery, so no answer is behind the state that
 * the page shows at that moment. While the campaign is not `live`, nothing proves that stored data is fresh, so the
 * cache serves none of it.
 *
 * @module campaign-sync/cache
 */

import { behind } from "./answers.js";
import { checked, checkedMembers, DURATION, FUNCTION, oneOf, orNull, TEXT, withMethods, type Rules } from "./check.js";
import { CampaignSyncError } from "./errors.js";
import type { Campaign } from "./campaign.js";
import { ask, limited } from "./cache/fetching.js";
import { observeInvalidations, type Invalidation } from "./invalidation.js";
import { isNotBehind, maxPosition, toPosition, type LogPosition } from "./position.js";
import { readRows } from "./cache/reading.js";
import { asFetchFailure, checkedData, restFetcher, restSnapshot, type RichCampaignData, type RichCampaignFetch } from "./rich.js";
import { shared } from "./shared.js";
import { listen, SIGNAL } from "./signal.js";
import { BOTH, Slot, type Part } from "./cache/slot.js";
import { nextTask } from "./cache/task.js";
import { startTimer } from "./frame.js";
import type { CampaignView } from "./types.js";
import { VERSION } from "./version.js";
import type { CampaignStatus } from "./words.js";

export { restFetcher, restSnapshot };
export type { FetchContext, RestOptions, RichCampaignData, RichCampaignFetch } from "./rich.js";

/** The part of a `CampaignSync` that the cache uses. */
export interface CacheSource extends EventTarget {
  /** Returns the status of a campaign, computed from the clock; `idle` without a handle. */
  status(campaignId: string): CampaignStatus;
  /** Returns the view of a campaign that has a handle. */
  view(campaignId: string): CampaignView | undefined;
  /** Takes a handle, with which the cache reads the rows of a campaign that is held already. */
  campaign(campaignId: string): Campaign;
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
  /**
   * `store`, if absent: the client's state answers while the campaign is held and `live`, otherwise the fetcher.
   * `fetch`: the fetcher answers always, for data that the client does not hold.
   */
  source?: "store" | "fetch";
  /**
   * The part of the campaign that the caller uses of fetched data; `both` if absent. A change of the other part does
   * not make the data void for this caller.
   */
  dependsOn?: "record" | "rows" | "both";
  /** When the signal aborts, the call rejects with the signal's reason. A reading or a fetch for no other call ends as well. */
  signal?: AbortSignal;
}

const TTL_MS_MAX = 30_000;
/** Maximum number of fetches for one call. */
const ATTEMPTS_MAX = 5;
/** Base of the pause after an answer that was behind, in milliseconds. The pause doubles with each attempt. */
const BEHIND_PAUSE_MS = 50;

const OPTIONS: Rules<RichCampaignCacheOptions> = {
  sync: withMethods("addEventListener", "status", "view", "campaign"),
  fetch: FUNCTION,
  maxEntries: [(it) => it === Infinity || (Number.isSafeInteger(it) && (it as number) > 0), "a whole number from 1, or Infinity"],
  ttlMs: DURATION,
  now: FUNCTION,
  pause: FUNCTION,
};

const GET: Rules<GetOptions> = {
  minPosition: orNull([(it) => typeof it === "string" || typeof it === "object", 'a position or "epoch/number"']),
  source: oneOf("store", "fetch"),
  dependsOn: oneOf("record", "rows", "both"),
  signal: SIGNAL,
};

const PARTS: Readonly<Record<NonNullable<GetOptions["dependsOn"]>, readonly Part[]>> = { record: ["record"], rows: ["rows"], both: BOTH };

/** A call of `get`. Only its first settlement has an effect. */
interface Caller {
  readonly campaignId: string;
  readonly slot: Slot;
  /** The lowest position that the caller wants. */
  readonly asked: LogPosition | null;
  readonly parts: readonly Part[];
  readonly source: NonNullable<GetOptions["source"]>;
  isOpen: boolean;
  readonly resolve: (data: RichCampaignData) => void;
  readonly reject: (reason: unknown) => void;
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
  readonly #callers = new Set<Caller>();
  #disposed = false;

  /** Throws `invalid_argument` for an invalid option. */
  constructor(options: RichCampaignCacheOptions) {
    const { sync, fetch, maxEntries, ttlMs, now, pause } = checkedMembers("options", options, OPTIONS);
    this.#sync = checked("sync", sync, OPTIONS.sync);
    this.#fetch = fetch ?? restFetcher();
    this.#maxEntries = maxEntries ?? 50;
    this.#ttlMs = Math.min(ttlMs ?? TTL_MS_MAX, TTL_MS_MAX);
    this.#now = now ?? Date.now;
    this.#pause = pause ?? ((ms) => new Promise((resolve) => startTimer(ms, resolve)));
    this.#unobserve = observeInvalidations(sync, (detail) => this.#invalidate(detail));
  }

  /** Number of campaigns whose fetched data is stored. */
  get size(): number {
    let stored = 0;
    for (const slot of this.#slots.values()) if (slot.entry !== undefined) stored += 1;
    return stored;
  }

  /**
   * Returns the campaign's data, frozen: from the client's state, from the cache if it is proven fresh, or from the
   * server. It is never behind the state of the client at the moment of the answer, in what the caller depends on.
   * It is the same object until something changes. Unconfirmed rows are not part of it. Many rows are read from the
   * client's state in steps of 1,000, each in another task; all callers share one reading.
   *
   * Rejects with `invalid_campaign_id` for an invalid id, with `invalid_argument` for an invalid option,
   * with `behind` if five fetches bring no data as new as the stream and `minPosition`, with `closed` after
   * `dispose()`, with `signed_out` if another session took over meanwhile, with the reason of `signal`, with
   * `invalid_content` if the fetcher gives something that is no campaign data, and with `fetch_failed` if it fails in
   * any other way or takes longer than 30 seconds. A `CampaignSyncError` of the fetcher passes through.
   */
  get(campaignId: string, options: GetOptions = {}): Promise<RichCampaignData> {
    return new Promise((resolve, reject) => {
      assertCampaignId(campaignId);
      const { minPosition, source = "store", dependsOn = "both", signal } = checkedMembers("options", options, GET);
      const asked = minPosition == null ? null : toPosition(minPosition, "minPosition");
      if (this.#disposed) throw new CampaignSyncError("closed");
      if (signal?.aborted === true) throw signal.reason;
      const stopListening = listen(signal, () => caller.reject(signal?.reason));
      const slot = this.#use(campaignId);
      slot.callers += 1;
      const end = (): boolean => {
        if (!caller.isOpen) return false;
        caller.isOpen = false;
        this.#callers.delete(caller);
        stopListening();
        slot.callers -= 1;
        if (slot.callers === 0) slot.stop(signal?.reason);
        this.#evict();
        return true;
      };
      const caller: Caller = {
        campaignId,
        slot,
        asked,
        source,
        parts: PARTS[dependsOn],
        isOpen: true,
        resolve: (data) => void (end() && resolve(data)),
        reject: (reason) => void (end() && reject(reason)),
      };
      this.#callers.add(caller);
      this.#find(caller).catch((error: unknown) => caller.reject(asFetchFailure(error)));
    });
  }

  /** Voids the data of one campaign. Throws `invalid_campaign_id` for an invalid or absent id. */
  clear(campaignId: string): void {
    assertCampaignId(campaignId);
    const slot = this.#slots.get(campaignId);
    slot?.void();
  }

  /** Drops all data, stops listening to the client, and aborts all fetches. Open and later calls of `get` reject with `closed`. */
  dispose(): void {
    this.#disposed = true;
    this.#unobserve();
    this.#empty("closed");
  }

  #invalidate({ campaignId, reason, epoch, sequenceNumber }: Invalidation): void {
    if (campaignId === undefined) return this.#empty("signed_out");
    const slot = this.#slots.get(campaignId);
    // The slot finds out by itself which part changed.
    if (slot === undefined || reason === "status" || reason === "rows") return;
    // The server decides again whether the session may see the answers that are under way.
    if (reason === "signed_out") slot.stop(behind());
    slot.void();
    if (reason === "unwatched" || reason === "signed_out") slot.forgetFloors();
    else if (epoch !== undefined && sequenceNumber !== undefined) slot.raise({ epoch, sequenceNumber });
  }

  /** Drops all data, and rejects all calls with this code: their answers belong to a session that is over. */
  #empty(code: "closed" | "signed_out"): void {
    for (const caller of [...this.#callers]) caller.reject(new CampaignSyncError(code));
    for (const slot of this.#slots.values()) {
      slot.void();
      slot.forgetFloors();
    }
    this.#slots.clear();
  }

  /** Returns the slot and moves it to the most recently used place. */
  #use(campaignId: string): Slot {
    const found = this.#slots.get(campaignId);
    const slot = found ?? new Slot();
    this.#slots.delete(campaignId);
    this.#slots.set(campaignId, slot);
    return slot;
  }

  /** Gives the caller its data, after as many fetches as that takes. */
  async #find(caller: Caller): Promise<void> {
    const { campaignId, slot, asked, parts } = caller;
    for (let attempt = 1; ; attempt++) {
      await this.#answer(caller);
      if (!caller.isOpen) return;
      const { generation } = slot;
      let failure: unknown = behind();
      const data = await this.#join(campaignId, slot, asked, parts).catch((error: unknown) => void (failure = error));
      slot.observe(this.#sync.view(campaignId));
      if (data !== undefined && isNotBehind(data, asked) && isUsable(data, slot, generation, parts)) return caller.resolve(data);
      // The campaign may have become live during the fetch.
      await this.#answer(caller);
      if (!caller.isOpen) return;
      if (attempt === ATTEMPTS_MAX || !isBehind(failure)) throw failure;
      // After an invalidation during the fetch, retry at once. A server that lags needs time first.
      if (slot.generation === generation) await limited(async () => this.#pause(BEHIND_PAUSE_MS * 2 ** attempt), slot.work.signal);
      if (!caller.isOpen) return;
    }
  }

  /** Gives the caller what needs no fetch, if there is anything. */
  async #answer(caller: Caller): Promise<void> {
    const { campaignId, slot } = caller;
    while (caller.isOpen && this.#give(caller)) await (slot.reading ??= this.#read(campaignId, slot));
  }

  /** Gives the caller what the cache has. Returns whether the client has the data, but its rows are not read yet. */
  #give({ campaignId, slot, asked, parts, source, resolve }: Caller): boolean {
    const view = this.#sync.view(campaignId);
    slot.observe(view);
    if (view === undefined || !this.#isLive(campaignId)) return false;
    const data = source === "store" ? slot.answer(view) : this.#stored(slot, parts);
    if (data !== undefined && isNotBehind(data, asked)) resolve(data);
    const isLoaded = view.campaign !== null && view.position !== null;
    return source === "store" && isLoaded && data === undefined && isNotBehind(view, asked);
  }

  /** Reads all rows, in many tasks if they are many, and gives them to all callers at the moment of the last step. */
  async #read(campaignId: string, slot: Slot): Promise<void> {
    const { signal } = slot.work;
    // Waits for one microtask, so that a reading that ends at once does not end before `reading` is set.
    await Promise.resolve();
    try {
      const reading = readRows((reader) => this.#slice(campaignId, reader));
      // Before each step the campaign may have been released, and the session may have ended.
      while (!signal.aborted && this.#isLive(campaignId)) {
        const { done, value: rows } = reading.next();
        const view = this.#sync.view(campaignId);
        if (done !== true || view === undefined) {
          await nextTask();
          continue;
        }
        slot.takeRows(view, rows);
        for (const caller of [...this.#callers]) if (caller.slot === slot) this.#give(caller);
        return;
      }
    } finally {
      if (!signal.aborted) slot.reading = undefined;
    }
  }

  #slice(campaignId: string, reader: number): ReturnType<Campaign["slice"]> {
    // The campaign has a handle already, so this one subscribes to nothing.
    const handle = this.#sync.campaign(campaignId);
    try {
      return handle.slice(reader);
    } finally {
      handle.release();
    }
  }

  #isLive(campaignId: string): boolean {
    return this.#sync.status(campaignId) === "live";
  }

  #stored(slot: Slot, parts: readonly Part[]): RichCampaignData | undefined {
    if (slot.entry === undefined) return undefined;
    const { data, storedAt } = slot.entry;
    const age = this.#now() - storedAt;
    // A negative age means that the clock was set back; the age is unknown then.
    if (age >= 0 && age < this.#ttlMs) return slot.isFresh(data, parts) ? data : undefined;
    slot.entry = undefined;
    return undefined;
  }

  /** Joins or starts the fetch of the current generation. */
  async #join(campaignId: string, slot: Slot, asked: LogPosition | null, parts: readonly Part[]): Promise<RichCampaignData> {
    return (slot.flight ??= this.#begin(campaignId, slot, maxPosition(slot.floor(parts), asked)));
  }

  async #begin(campaignId: string, slot: Slot, minPosition: LogPosition | null): Promise<RichCampaignData> {
    const { generation } = slot;
    const wasLive = this.#isLive(campaignId);
    // Waits for one microtask, so that a fetcher that ends at once does not end before `flight` is set.
    await Promise.resolve();
    try {
      const data = checkedData(campaignId, await ask(this.#sync, this.#fetch, campaignId, minPosition, slot.work.signal));
      slot.observe(this.#sync.view(campaignId));
      const timely = slot.generation === generation && this.#slots.get(campaignId) === slot;
      const fresh = BOTH.some((part) => slot.isFresh(data, [part]));
      if (timely && !data.partial && wasLive && this.#isLive(campaignId) && fresh) {
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

function isBehind(failure: unknown): boolean {
  return failure instanceof CampaignSyncError && failure.code === "behind";
}

/** Whether a caller may get the data: its position is proven, or it has none and was fetched after the last invalidation. */
function isUsable(data: RichCampaignData, slot: Slot, generation: object, parts: readonly Part[]): boolean {
  if (data.position === null) return slot.generation === generation;
  return slot.isFresh(data, parts);
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

/**
 * Creates the cache that `getRichCampaignData` and `clearRichDataCache` use, and disposes of the former one. Throws
 * `invalid_argument` for an invalid option; the former cache is then gone.
 */
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
