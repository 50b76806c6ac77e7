/** Reads all rows of a campaign in short steps, while events go on changing them. */
import type { Campaign } from "../campaign.js";
import { deepFreeze } from "../plain.js";
import type { DomainRow } from "../types.js";

/** The most rows that the module returns at once. */
const SLICE_ROWS = 1_000;
/** Rows that are read in one step beside other work. */
const FEW_ROWS = 250;
/** The most steps of one reading, for each step that a table at rest takes. */
const LONGEST = 4;

/**
 * Returns all confirmed rows as they are at the end, frozen, in the order of their offsets. It yields whenever the next
 * step should run in another task: after at most 1,000 rows.
 *
 * A step brings what the reader lacks: first every row, then those that changed meanwhile. If more changes than can be
 * read, or rows go on being removed, the steps come to an end: the last one reads all that is left.
 */
export function* readRows(slice: Campaign["slice"]): Generator<void, DomainRow[]> {
  let left: number | undefined;
  for (;;) {
    const found = new Map<string, DomainRow>();
    // The copies of the package on a page do not know of each other's readers.
    const reader = Math.ceil(Math.random() * Number.MAX_SAFE_INTEGER);
    for (;;) {
      const { rows, total } = slice(reader);
      // Sorted parts make the last sort a short one.
      for (const row of [...rows].sort(byOffset)) found.set(row.domainId, deepFreeze(row));
      if (rows.length === 0) {
        if (found.size === total) return [...found.values()].sort(byOffset);
        break; // Rows were removed: only another reader learns which ones are left.
      }
      left ??= LONGEST * Math.ceil(total / SLICE_ROWS);
      if (rows.length > FEW_ROWS && left-- > 0) yield;
    }
  }
}

function byOffset(one: DomainRow, other: DomainRow): number {
  return (one.offset ?? Infinity) - (other.offset ?? Infinity) || 0;
}
