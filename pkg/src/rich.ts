/** Rich campaign data: the result of one consistent read over REST. */
import { invalidContent, noAnswer, refusalOf } from "./answers.js";
import { checked, checkedMembers, FUNCTION, oneOf, orNull, TEXT, withMethods, type Rule, type Rules } from "./check.js";
import { attempts } from "./deadline.js";
import { CampaignSyncError, isErrorCode } from "./errors.js";
import { deepFreeze, frozenCopy } from "./plain.js";
import { formatPosition, parsePosition, toPosition, type LogPosition } from "./position.js";
import type { CampaignRecord, DomainRow } from "./types.js";

/** A campaign with all its rows, at one position. Frozen. */
export interface RichCampaignData {
  /** The id of the campaign. */
  readonly campaignId: string;
  /** The record. */
  readonly campaign: CampaignRecord;
  /** The position that the data describes; `null` if the server does not state it. */
  readonly position: LogPosition | null;
  /** `true` if rows are missing. Partial data is never cached. */
  readonly partial: boolean;
  /** All confirmed rows. */
  readonly domains: readonly DomainRow[];
  /** Names of the domains that resolve. */
  readonly dnsValidatedDomains: readonly string[];
  /** Rows that have an HTTP result. */
  readonly httpKeywordResults: readonly DomainRow[];
  /** Rows that match as leads. */
  readonly leads: readonly DomainRow[];
}

/** The second argument of a fetcher. */
export interface FetchContext {
  /** The answer must be at this position or beyond it; `null` for any position. */
  readonly minPosition: LogPosition | null;
  /** Aborts after 30 seconds, and when nobody waits for the answer any more. */
  readonly signal?: AbortSignal;
}

/**
 * Fetches the data of a campaign: one consistent state, or data with `partial: true`. Reject with `behind` if the
 * server's state is older than `minPosition`; the cache then tries again.
 */
export type RichCampaignFetch = (campaignId: string, context: FetchContext) => Promise<RichCampaignData>;

/** The options of `restFetcher` and `restSnapshot`. */
export interface RestOptions {
  /** The address of the REST routes; `/api/v2` if absent. */
  baseUrl?: string;
  /** A replacement for the platform's `fetch`, for example to add headers or credentials. */
  fetch?: typeof globalThis.fetch;
}

export const REST: Rules<RestOptions> = { baseUrl: TEXT, fetch: FUNCTION };

const CONTEXT: Rules<FetchContext> = {
  minPosition: orNull([(it) => typeof it === "object", "a position"]),
  signal: withMethods("addEventListener", "removeEventListener"),
};

/** The DNS statuses that servers use for a domain that resolves. */
const RESOLVED = new Set(["resolved", "valid", "validated", "ok", "succeeded"]);

/** Timeout of `restSnapshot`, in milliseconds. The client ignores the answer of `fetchSnapshot` after the same time. */
const SNAPSHOT_TIMEOUT_MS = 30_000;

/**
 * Returns the default fetcher of the cache. It sends one `GET {baseUrl}/campaigns/{id}/snapshot`, so that the record
 * and the rows are of one moment.
 *
 * Throws `invalid_argument` for an invalid option. The fetcher rejects with the code of the server's refusal, with `invalid_campaign_id` for an id that is not a path
 * segment, with `invalid_content` for an answer of another shape, and with `fetch_failed` for any other failure.
 */
export function restFetcher(options: RestOptions = {}): RichCampaignFetch {
  const checkedOptions = checkedMembers("options", options, REST);
  return async (campaignId, context) => {
    const { text, position } = await requestSnapshot(checkedOptions, campaignId, context);
    return readSnapshot(campaignId, parse(text), position);
  };
}

/**
 * Returns a function for the option `fetchSnapshot`. It sends the same request as `restFetcher`, checks that the
 * answer is JSON, and passes its text on unchanged. The client verifies the text, and opens it if it is sealed.
 *
 * Throws `invalid_argument` for an invalid option. The function rejects with `fetch_failed` and the reason as its `cause`. It aborts the request after 30 seconds.
 */
export function restSnapshot(options: RestOptions = {}): (campaignId: string) => Promise<string> {
  const checkedOptions = checkedMembers("options", options, REST);
  return async (campaignId) => {
    try {
      return await attempts(
        async (signal) => {
          const { text } = await requestSnapshot(checkedOptions, campaignId, { signal });
          parse(text);
          return { value: text };
        },
        { signal: undefined, timeoutMs: SNAPSHOT_TIMEOUT_MS, repeatable: false },
      );
    } catch (cause) {
      throw cause instanceof CampaignSyncError && cause.code === "fetch_failed" ? cause : noAnswer(cause);
    }
  };
}

/** The answer of the snapshot route. */
interface SnapshotAnswer {
  readonly text: string;
  /** The position in the header; `null` without one. */
  readonly position: LogPosition | null;
}

/**
 * Sends `GET {baseUrl}/campaigns/{id}/snapshot`. Rejects with the code of the server's refusal, and with
 * `fetch_failed` if the request fails, the answer ends early, or the refusal has no code.
 */
export async function requestSnapshot(
  { baseUrl = "/api/v2", fetch }: RestOptions,
  campaignId: string,
  context: Partial<FetchContext> = {},
): Promise<SnapshotAnswer> {
  const { minPosition = null, signal } = checkedMembers<Partial<FetchContext>>("context", context, CONTEXT, true);
  const query = minPosition === null ? "" : `?min_position=${encodeURIComponent(formatPosition(minPosition))}`;
  const address = `${baseUrl}/campaigns/${pathSegment(campaignId)}/snapshot${query}`;
  try {
    // `no-store`, because the browser's HTTP cache knows nothing about the stream.
    const answer = await (fetch ?? globalThis.fetch)(address, { cache: "no-store", headers: { accept: "application/json" }, ...(signal && { signal }) });
    const text = await answer.text();
    if (!answer.ok) throw refusalOf(answer.status, parsed(text));
    return { text, position: parsePosition(answer.headers.get("campaign-position")) };
  } catch (cause) {
    throw asFetchFailure(cause);
  }
}

/**
 * Encodes the id as one segment of a path. Throws `invalid_campaign_id` for half of a surrogate pair, an empty id,
 * `.` and `..`. These dots would name another path even if they were encoded.
 */
function pathSegment(campaignId: string): string {
  checked("campaignId", campaignId, [(it) => typeof it === "string", "a text"]);
  if (/^\.{0,2}$|\p{Surrogate}/u.test(campaignId)) throw new CampaignSyncError("invalid_campaign_id");
  return encodeURIComponent(campaignId);
}

/** Parses JSON. Throws `fetch_failed` for any other text, such as the error page of a proxy or a truncated answer. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw noAnswer(cause);
  }
}

/** Returns a `CampaignSyncError` as it is, and any other error as the cause of `fetch_failed`. */
export function asFetchFailure(error: unknown): CampaignSyncError {
  if (error instanceof CampaignSyncError) return error;
  // Another copy of the package has another class.
  const { name, code } = Object(error) as { name?: unknown; code?: unknown };
  return name === "CampaignSyncError" && isErrorCode(code) ? new CampaignSyncError(code, { cause: error }) : noAnswer(error);
}

/** The value of a JSON text; `undefined` for any other text, such as the page of a proxy. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

interface SnapshotBody {
  readonly campaign?: CampaignRecord;
  readonly domains?: readonly Partial<DomainRow>[];
  readonly domainsCount?: number;
  readonly epoch?: unknown;
  readonly sequenceNumber?: unknown;
}

/**
 * Reads the body of a snapshot answer. The position in the header has priority, because it belongs to this read.
 * Throws `invalid_content` for a body of another shape.
 */
export function readSnapshot(campaignId: string, body: unknown, header: LogPosition | null): RichCampaignData {
  const { campaign, domains, domainsCount, epoch, sequenceNumber } = (body ?? {}) as SnapshotBody;
  if (typeof campaign !== "object" || campaign === null || !Array.isArray(domains)) {
    throw invalidContent();
  }
  const rows = domains.map(readRow);
  const position = header ?? parsePosition(`${String(epoch)}/${String(sequenceNumber)}`);
  const partial = domainsCount !== undefined && domainsCount !== rows.length;
  return ownedData({ campaignId, campaign, position, partial, ...listsOf(rows) });
}

/** The lists of a campaign's data. */
export type RichLists = Pick<RichCampaignData, "domains" | "dnsValidatedDomains" | "httpKeywordResults" | "leads">;

/** Selects the lists from all rows of a campaign, which are frozen. */
export function listsOf(domains: readonly DomainRow[]): RichLists {
  const lists = {
    domains,
    dnsValidatedDomains: domains.filter((row) => row.dnsStatus !== null && RESOLVED.has(row.dnsStatus)).map((row) => row.domain),
    httpKeywordResults: domains.filter((row) => row.httpStatus !== null),
    leads: domains.filter((row) => row.leadStatus === "match"),
  };
  for (const list of Object.values(lists)) Object.freeze(list);
  return lists;
}

function ownedData(data: RichCampaignData): RichCampaignData {
  ownData.add(deepFreeze(data));
  return data;
}

/** The data that this module made. It is checked and frozen. */
const ownData = new WeakSet<object>();

/** Whether this module made the data. */
function isOwnData(data: unknown): data is RichCampaignData {
  return typeof data === "object" && data !== null && ownData.has(data);
}

/** Reads a row. An absent column has no value; `DomainRow` writes `null` for it. */
function readRow(row: Partial<DomainRow> | null): DomainRow {
  if (typeof row?.domainId !== "string" || typeof row.domain !== "string") throw invalidContent();
  return Object.freeze({
    domainId: row.domainId,
    domain: row.domain,
    offset: row.offset ?? null,
    dnsStatus: row.dnsStatus ?? null,
    httpStatus: row.httpStatus ?? null,
    httpStatusCode: row.httpStatusCode ?? null,
    leadStatus: row.leadStatus ?? null,
    leadScore: row.leadScore ?? null,
    unconfirmed: false,
  });
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
export function checkedData(campaignId: string, answer: unknown): RichCampaignData {
  if (isOwnData(answer)) return answer;
  try {
    const copy = frozenCopy(answer as RichCampaignData);
    checkedMembers("The answer of the fetcher", copy, DATA, true);
    for (const [name, rule] of Object.entries<Rule>(DATA)) checked(name, copy[name as keyof RichCampaignData], rule);
    if (copy.position !== null) toPosition(copy.position);
    checked("campaignId", copy.campaignId, oneOf(campaignId));
    return copy;
  } catch (cause) {
    throw invalidContent(cause);
  }
}
