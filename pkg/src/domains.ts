/** Reads pages of the domain table. Equal content is the same object, so that an application redraws only what changed. */
import { checkedMembers, COUNT, oneOf, TEXT, type Rules } from "./check.js";
import type { Channel } from "./channel.js";
import type { Core } from "./core.js";
import { deepFreeze } from "./plain.js";
import type { DomainPage, DomainQuery, DomainRow } from "./types.js";

const QUERY: Rules<DomainQuery> = {
  offset: COUNT,
  limit: COUNT,
  search: TEXT,
  dnsStatus: TEXT,
  httpStatus: TEXT,
  leadStatus: TEXT,
  sortBy: oneOf("offset", "domain", "dnsStatus", "httpStatus", "leadScore"),
  sortOrder: oneOf("asc", "desc"),
};

/** Pages that a campaign keeps; the least recently read one is dropped first. */
const PAGES_MAX = 64;

/** Returns one page, frozen: the same object until its rows changed. Throws `invalid_argument` for an invalid query. */
export function readDomains(core: Core, channel: Channel | undefined, query: DomainQuery = {}): DomainPage | undefined {
  const { search, ...others } = checkedMembers("query", query, QUERY);
  if (channel === undefined) return undefined;
  const { campaignId, pages } = channel;
  // The module folds ASCII only. The JavaScript engine has the tables of Unicode.
  const folded = folding(search?.trim() ?? "");
  const request = { ...others, search: folded, read: "domains" as const, campaignId };
  const key = JSON.stringify(request);
  const view = core.view(channel);
  let { view: readAt, page } = pages.get(key) ?? {};
  if (page === undefined || readAt !== view) {
    if (folded !== "") foldNames(core, campaignId);
    const next = core.read(request);
    if (page?.total !== next.total || !isEqual(page.rows, next.rows)) page = deepFreeze({ ...next, pending: false });
  }
  // A page that was read moves to the end of the map.
  pages.delete(key);
  pages.set(key, { view, page });
  for (const oldest of pages.keys()) if (pages.size > PAGES_MAX) pages.delete(oldest);
  return page;
}

function isEqual(rows: readonly DomainRow[], others: readonly DomainRow[]): boolean {
  return JSON.stringify(rows) === JSON.stringify(others);
}

/** Folds the names that the module has not seen before, all in one call. */
function foldNames(core: Core, campaignId: string): void {
  const unfolded = core.read({ read: "unfolded", campaignId });
  if (unfolded.length === 0) return;
  const text = unfolded.flatMap((name) => [name, folding(name)]).join("\0");
  core.command({ command: "fold", campaignId, text });
}

/** Makes upper and lower case equal. Some letters have one upper case and two lower cases, or the other way round. */
function folding(text: string): string {
  return text.toLowerCase().toUpperCase().toLowerCase().replaceAll("ς", "σ");
}
