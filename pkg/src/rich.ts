/** Rich campaign data: what one consistent read of the REST interface says about a campaign. */
import { CampaignSyncError, isErrorCode } from "./errors.js";
import { deepFreeze } from "./plain.js";
import { formatPosition, parsePosition, type LogPosition } from "./position.js";
import type { CampaignRecord, DomainRow } from "./types.js";

/** A campaign with all its rows, at one position. Frozen. */
export interface RichCampaignData {
  readonly campaignId: string;
  readonly campaign: CampaignRecord;
  /** The state is the one at this position; `null` if the server does not say. */
  readonly position: LogPosition | null;
  /** Rows are missing. Partial data is never cached. */
  readonly partial: boolean;
  readonly domains: readonly DomainRow[];
  /** Names of the domains that resolve. */
  readonly dnsValidatedDomains: readonly string[];
  /** Rows that have an HTTP result. */
  readonly httpKeywordResults: readonly DomainRow[];
  /** Rows that match as leads. */
  readonly leads: readonly DomainRow[];
}

/** What the cache tells a fetcher. */
export interface FetchContext {
  /** The answer must be at this position or beyond it; `null` if any will do. */
  readonly minPosition: LogPosition | null;
}

/** Fetches a campaign. It answers with one consistent state, or says that it is partial. */
export type RichCampaignFetch = (campaignId: string, context: FetchContext) => Promise<RichCampaignData>;

/** How the ready fetchers reach the server. */
export interface RestOptions {
  /** Where the interface is; `/api/v2` if absent. */
  baseUrl?: string;
  /** For other headers or credentials; the platform's `fetch` if absent. */
  fetch?: typeof globalThis.fetch;
}

/** Words that servers use for a domain that resolves. */
const RESOLVED = new Set(["resolved", "valid", "validated", "ok", "succeeded"]);

/** Milliseconds after which the client drops the answer of `fetchSnapshot`, so that the request is aborted too. */
const SNAPSHOT_TIMEOUT_MS = 30_000;

/**
 * The ready fetcher: one `GET {baseUrl}/campaigns/{id}/snapshot`, so that the record and the rows
 * are of one moment.
 */
export function restFetcher(options: RestOptions = {}): RichCampaignFetch {
  return async (campaignId, { minPosition }) => {
    const { text, position } = await requestSnapshot(options, campaignId, { minPosition });
    return readSnapshot(campaignId, parse(text), position);
  };
}

/**
 * The ready `fetchSnapshot` of a client: the same request, whose whole text goes to the client as it is, checked only to be JSON.
 * The client verifies it, and opens it if it is sealed. Rejects with `fetch_failed`, whose `cause` says why.
 */
export function restSnapshot(options: RestOptions = {}): (campaignId: string) => Promise<string> {
  return async (campaignId) => {
    try {
      const signal = AbortSignal.timeout(SNAPSHOT_TIMEOUT_MS);
      const { text } = await requestSnapshot(options, campaignId, { signal });
      parse(text);
      return text;
    } catch (cause) {
      throw cause instanceof CampaignSyncError && cause.code === "fetch_failed" ? cause : fetchFailed(cause);
    }
  };
}

/** An answer of the snapshot route. */
interface SnapshotAnswer {
  readonly text: string;
  /** The position in the header; `null` if the server does not say. */
  readonly position: LogPosition | null;
}

/**
 * Requests `GET {baseUrl}/campaigns/{id}/snapshot`. Rejects with the code of the server's refusal, and with
 * `fetch_failed` if the request fails or its answer breaks off.
 */
export async function requestSnapshot(
  { baseUrl = "/api/v2", fetch }: RestOptions,
  campaignId: string,
  { minPosition = null, signal = null }: { minPosition?: LogPosition | null; signal?: AbortSignal | null },
): Promise<SnapshotAnswer> {
  const query = minPosition === null ? "" : `?min_position=${encodeURIComponent(formatPosition(minPosition))}`;
  const address = `${baseUrl}/campaigns/${pathSegment(campaignId)}/snapshot${query}`;
  let answer: Response;
  let text: string;
  try {
    // `no-store`: the browser's own cache knows nothing of the stream.
    answer = await (fetch ?? globalThis.fetch)(address, { cache: "no-store", headers: { accept: "application/json" }, signal });
    text = await answer.text();
  } catch (cause) {
    throw fetchFailed(cause);
  }
  if (!answer.ok) throw refusal(answer.status, text);
  return { text, position: parsePosition(answer.headers.get("campaign-position")) };
}

/** The id as one segment of a path. Dots would name another path even if they were encoded. */
function pathSegment(campaignId: string): string {
  if (/^\.{0,2}$|\p{Surrogate}/u.test(campaignId)) throw new CampaignSyncError("invalid_campaign_id");
  return encodeURIComponent(campaignId);
}

/** Parses JSON; throws `fetch_failed` for anything else, such as the page of a proxy or half an answer. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw fetchFailed(cause);
  }
}

function fetchFailed(cause: unknown): CampaignSyncError {
  return new CampaignSyncError("fetch_failed", { cause, message: `The snapshot could not be fetched: ${String(cause)}` });
}

function refusal(status: number, text: string): CampaignSyncError {
  let error: { code?: unknown; message?: unknown } | undefined;
  try {
    error = (JSON.parse(text) as { error?: typeof error } | null)?.error;
  } catch {
    // The answer of a proxy; the status has to do.
  }
  const message = typeof error?.message === "string" ? error.message : `The server answered with status ${status}.`;
  return new CampaignSyncError(isErrorCode(error?.code) ? error.code : "fetch_failed", { message });
}

interface SnapshotBody {
  readonly campaign?: CampaignRecord;
  readonly domains?: readonly Partial<DomainRow>[];
  readonly domainsCount?: number;
  readonly epoch?: unknown;
  readonly sequenceNumber?: unknown;
}

/** Reads the body of a snapshot answer. The header's position wins, because it is the read's own. */
export function readSnapshot(campaignId: string, body: unknown, header: LogPosition | null): RichCampaignData {
  const { campaign, domains, domainsCount, epoch, sequenceNumber } = (body ?? {}) as SnapshotBody;
  if (typeof campaign !== "object" || campaign === null || !Array.isArray(domains)) {
    throw new CampaignSyncError("invalid_content");
  }
  const rows = domains.map(readRow);
  return deepFreeze({
    campaignId,
    campaign,
    position: header ?? parsePosition(`${String(epoch)}/${String(sequenceNumber)}`),
    partial: domainsCount !== undefined && domainsCount !== rows.length,
    domains: rows,
    dnsValidatedDomains: rows.filter((row) => row.dnsStatus !== null && RESOLVED.has(row.dnsStatus)).map((row) => row.domain),
    httpKeywordResults: rows.filter((row) => row.httpStatus !== null),
    leads: rows.filter((row) => row.leadStatus === "match"),
  });
}

/** Absent columns are nothing, which rows everywhere else write as `null`. */
function readRow(row: Partial<DomainRow> | null): DomainRow {
  if (typeof row?.domainId !== "string" || typeof row.domain !== "string") throw new CampaignSyncError("invalid_content");
  return {
    domainId: row.domainId,
    domain: row.domain,
    offset: row.offset ?? null,
    dnsStatus: row.dnsStatus ?? null,
    httpStatus: row.httpStatus ?? null,
    httpStatusCode: row.httpStatusCode ?? null,
    leadStatus: row.leadStatus ?? null,
    leadScore: row.leadScore ?? null,
    unconfirmed: false,
  };
}
