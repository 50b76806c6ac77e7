/**
 * Informs a cache that its data is void *before* any listener receives the event. An event listener is not enough:
 * a listener that was added earlier runs earlier, and could read the old data again.
 */
import type { CacheInvalidatedDetail } from "./event-types.js";
import { callSafely } from "./frame.js";
import { shared } from "./shared.js";

/** The notice that cached data is void. Without a campaign, that of all campaigns is, because another session took over. */
export type Invalidation = Partial<CacheInvalidatedDetail>;

/** Receives an invalidation. */
export type InvalidationObserver = (invalidation: Invalidation) => void;

/** The observers by their source. A cache of one copy of the package may observe a client of another copy. */
function observers(): WeakMap<object, Set<InvalidationObserver>> {
  return shared("invalidations", () => new WeakMap());
}

/** Calls `observer` synchronously for each invalidation of `source`, until the returned function is called. */
export function observeInvalidations(source: object, observer: InvalidationObserver): () => void {
  const set = observers().get(source) ?? new Set();
  observers().set(source, set.add(observer));
  return () => void set.delete(observer);
}

/** Calls the observers of `source`. */
export function announceInvalidation(source: object, invalidation: Invalidation): void {
  for (const observer of observers().get(source) ?? []) callSafely(() => observer(invalidation));
}
