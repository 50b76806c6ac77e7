/** Reads pages of the domain table. Equal content is the same object, so that an application redraws only what changed. */
import type { Answers } from "./bridge.js";
import * as Call from "./calls.js";
import { checkedMembers, COUNT, oneOf, TEXT, type Rules } from "./check.js";
import type { Channel } from "./channel.js";
import type { Core } from "./core.js";
import { deepFreeze } from "./plain.js";
import type { DomainPage, DomainQuery, DomainRow, RowsQuery } from "./types.js";

/** The rules of a query for all rows. */
export const ROWS: Rules<RowsQuery> = {
  search: TEXT,
  dnsStatus: TEXT,
  httpStatus: TEXT,
  leadStatus: TEXT,
  sortBy: oneOf("offset", "domain", "dnsStatus", "httpStatus", "leadScore"),
  sortOrder: oneOf("asc", "desc"),
};

/** The rules of a query for one page. */
export const QUERY: Rules<DomainQuery> = { ...ROWS, offset: COUNT, limit: COUNT };

/** Rows per page of `rows()`, the most that the module returns at once. */
export const PAGE_ROWS = 1_000;

/** Pages that a campaign keeps; the least recently read one is dropped first. */
const PAGES_MAX = 64;

/** Returns the query if it is valid. Throws `invalid_argument` otherwise. */
export function checkedRows(query: RowsQuery): RowsQuery {
  return checkedMembers("query", query, ROWS);
}

/**
 * Returns one page, frozen: the same object until its rows changed, so its position is that of the read that first saw
 * these rows. Throws `invalid_argument` for an invalid query.
 */
export function readDomains(core: Core, channel: Channel | undefined, query: DomainQuery = {}): DomainPage | undefined {
  const checkedQuery = checkedMembers("query", query, QUERY);
  if (channel === undefined) return undefined;
  const { pages } = channel;
  const key = JSON.stringify(checkedQuery);
  const view = core.view(channel);
  let { view: readAt, page } = pages.get(key) ?? {};
  if (page === undefined || readAt !== view) {
    const next = readPage(core, channel, checkedQuery);
    if (page?.total !== next.total || !isEqual(page.rows, next.rows)) page = deepFreeze({ position: view.position, ...next, pending: false });
  }
  // A page that was read moves to the end of the map.
  pages.delete(key);
  pages.set(key, { view, page });
  for (const oldest of pages.keys()) if (pages.size > PAGES_MAX) pages.delete(oldest);
  return page;
}

/** Reads one page as it is now. */
export function readPage(core: Core, { campaignId }: Channel, { search, ...others }: DomainQuery): Answers[typeof Call.domains] {
  // The module folds ASCII only. The JavaScript engine has the tables of Unicode.
  const folded = folding(search?.trim() ?? "");
  if (folded !== "") foldNames(core, campaignId);
  return core.read({ ...others, search: folded, call: Call.domains, campaignId });
}

function isEqual(rows: readonly DomainRow[], others: readonly DomainRow[]): boolean {
  return JSON.stringify(rows) === JSON.stringify(others);
}

/** Folds the names that the module has not seen before, all in one call. */
function foldNames(core: Core, campaignId: string): void {
  const unfolded = core.read({ call: Call.unfolded, campaignId });
  if (unfolded.length === 0) return;
  const text = unfolded.flatMap((name) => [name, folding(name)]).join("\0");
  core.command({ call: Call.fold, campaignId, text });
}

/** Makes upper and lower case equal. Some letters have one upper case and two lower cases, or the other way round. */
function folding(text: string): string {
  return text.toLowerCase().toUpperCase().toLowerCase().replaceAll("ς", "σ");
}
