/** The hook of a campaign's rows: windows of a table that may have a million of them. */
import { useMemo, useSyncExternalStore } from "react";
import { checkedMembers, DURATION, type Rules } from "../check.js";
import { ROWS } from "../domains.js";
import { CampaignSyncError } from "../errors.js";
import type { CampaignLike } from "../like.js";
import { asFailure } from "./context.js";
import { useHeldCampaign, type HeldCampaign } from "./campaign.js";
import { isEqual, keyOf, throttled } from "./store.js";
import type { CampaignView, DomainPage, DomainQuery, DomainRow, Position } from "../types.js";
import type { ErrorCode } from "../words.js";

/** Filters and order of `useDomains`. The hook chooses the pages. */
export type DomainListQuery = Omit<DomainQuery, "offset" | "limit">;

/** The options of `useDomains`. */
export interface UseDomainsOptions {
  /** Renders again at most once in this many milliseconds; 0 if absent, which is once per animation frame. */
  throttleMs?: number;
}

/** The rows that match a query, for a list that shows some of them. Another object as soon as a row that was read changed. */
export interface DomainList {
  /** Number of rows that match the query. */
  readonly total: number;
  /** Returns a row by its place in the list; `undefined` beyond the end. A row is the same object until it changed. */
  readonly row: (index: number) => DomainRow | undefined;
  /** A position at which the server had these rows; `null` before the first state arrived. */
  readonly position: Position | null;
  /** Whether the rows are still being sorted, so that these are the ones of before. At present always `false`. */
  readonly pending: boolean;
  /** Why there are no rows: `invalid_campaign_id`, `invalid_argument` for an invalid query, `closed`. */
  readonly code?: ErrorCode;
}

/** Rows that are read from the module at once. */
const WINDOW_ROWS = 100;
/** Windows that are compared after a change. With more, for example after a long scroll, the component renders again. */
const WINDOWS_MAX = 8;

const OPTIONS: Rules<UseDomainsOptions> = { throttleMs: DURATION };

const NO_ROWS: DomainList = Object.freeze({ total: 0, row: () => undefined, position: null, pending: false });

/** The rows of one moment. A window that was read stays as it was. */
class Rows implements DomainList {
  readonly total: number;
  readonly pending: boolean;
  readonly position: Position | null;
  readonly #handle: CampaignLike;
  readonly #query: DomainListQuery;
  readonly #head: DomainPage;
  readonly #windows = new Map<number, { readonly page: DomainPage; readonly rows: readonly DomainRow[] }>();
  /** The rows that the former list gave out, by their id. */
  readonly #former: ReadonlyMap<string, DomainRow> | undefined;
  /** The view that all windows are known to belong to. */
  #view: CampaignView | undefined;

  constructor(handle: CampaignLike, query: DomainListQuery, view: CampaignView, former: Rows | undefined) {
    this.#handle = handle;
    this.#query = query;
    this.#view = view;
    this.#head = this.#read(0, 0);
    this.#former = former?.given();
    ({ total: this.total, pending: this.pending } = this.#head);
    this.position = view.position;
  }

  readonly row = (index: number): DomainRow | undefined => {
    if (!(index >= 0 && index < this.total)) return undefined;
    const place = Math.floor(index / WINDOW_ROWS);
    return (this.#windows.get(place) ?? this.#open(place)).rows[index - place * WINDOW_ROWS];
  };

  /** Whether everything that was read of the list is still so. */
  isCurrent(view: CampaignView): boolean {
    if (this.#view === view) return true;
    const isSame = (this.#view !== undefined && haveSameRows(this.#view, view)) || this.#isUnchanged();
    if (isSame) this.#view = view;
    return isSame;
  }

  #isUnchanged(): boolean {
    if (this.#windows.size > WINDOWS_MAX || this.#read(0, 0) !== this.#head) return false;
    return [...this.#windows].every(([place, { page }]) => this.#read(place, WINDOW_ROWS) === page);
  }

  #open(place: number): { page: DomainPage; rows: readonly DomainRow[] } {
    const page = this.#read(place, WINDOW_ROWS);
    const rows = page.rows.map((row) => {
      const own = this.#former?.get(row.domainId);
      return isEqual(own, row) ? own! : row;
    });
    this.#windows.set(place, { page, rows });
    // The campaign may have changed since the list was made. React asks again before it shows the list.
    if (this.#view !== undefined && this.#handle.view() !== this.#view) this.#view = undefined;
    return { page, rows };
  }

  #read(place: number, limit: number): DomainPage {
    return this.#handle.domains({ ...this.#query, offset: place * WINDOW_ROWS, limit });
  }

  /** The rows that this list gave out, by their id. */
  given(): ReadonlyMap<string, DomainRow> {
    return new Map([...this.#windows.values()].flatMap(({ rows }) => rows.map((row) => [row.domainId, row] as const)));
  }
}

/** Whether two views prove by their digests that all rows are equal. A digest does not cover unconfirmed rows. */
function haveSameRows(a: CampaignView, b: CampaignView): boolean {
  return a.unconfirmedCount + b.unconfirmedCount === 0 && a.domainsCount === b.domainsCount && a.domainsDigest === b.domainsDigest;
}

/** Returns the function that reads the list of a query: the same object until a row that was read changed. */
function reader({ handle, code, read }: HeldCampaign, query: DomainListQuery): () => DomainList {
  const none = code === undefined ? NO_ROWS : { ...NO_ROWS, code };
  if (handle === undefined) return () => none;
  let list: DomainList = NO_ROWS;
  return () => {
    const former = list instanceof Rows ? list : undefined;
    try {
      checkedMembers("query", query, ROWS);
      const view = read();
      if (former?.isCurrent(view) !== true) list = new Rows(handle, query, view, former);
    } catch (error) {
      // After `close()` the last rows stay.
      if (former !== undefined || list.code !== undefined) return list;
      if (!(error instanceof CampaignSyncError)) throw asFailure(error);
      list = { ...NO_ROWS, code: error.code };
    }
    return list;
  };
}

/**
 * Follows the rows of a campaign while the component is mounted. Read the rows that the component shows by `row(index)`,
 * for example in a virtual list: the component renders again if one of the windows of 100 rows around them changed, or
 * the total. An invalid id and an invalid query give an empty list with a code, and no exception.
 *
 * Throws `not_configured` without a provider, and `invalid_argument` for invalid options.
 */
export function useDomains(campaignId: string | null | undefined, query: DomainListQuery = {}, options: UseDomainsOptions = {}): DomainList {
  const { throttleMs = 0 } = checkedMembers("options", options, OPTIONS);
  const held = useHeldCampaign(campaignId);
  const key = keyOf(query);
  const read = useMemo(() => reader(held, JSON.parse(key) as DomainListQuery), [held, key]);
  const subscribe = useMemo(() => throttled(held.subscribe, throttleMs), [held.subscribe, throttleMs]);
  return useSyncExternalStore(subscribe, read, () => NO_ROWS);
}
