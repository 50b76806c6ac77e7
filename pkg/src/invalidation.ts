/**
 * How a cache hears that its data is void *before* any listener does. An event listener would not
 * do: one that was added earlier would run earlier, and could read the old data back.
 */

/** Cached data of a campaign is void. */
export interface Invalidation {
  readonly campaignId: string;
  /** With `sequenceNumber`: data older than this position is void. */
  readonly epoch?: string;
  readonly sequenceNumber?: number;
  /** Nobody watches the campaign any more: nothing proves anything about it. */
  readonly unwatched?: true;
}

/** Hears of an invalidation. */
export type InvalidationObserver = (invalidation: Invalidation) => void;

const observers = new WeakMap<object, Set<InvalidationObserver>>();

/** Calls `observer` synchronously for each invalidation of `source`, until the returned function is called. */
export function observeInvalidations(source: object, observer: InvalidationObserver): () => void {
  const set = observers.get(source) ?? new Set();
  observers.set(source, set.add(observer));
  return () => void set.delete(observer);
}

/** Tells the observers of `source`. */
export function announceInvalidation(source: object, invalidation: Invalidation): void {
  for (const observer of observers.get(source) ?? []) observer(invalidation);
}
