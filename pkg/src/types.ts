/** The values of the public interface. The client returns them as plain, frozen objects. */
import type { ErrorCode } from "./errors.js";
import type { LogPosition } from "./position.js";
import type { RenewalRequest } from "./renewal.js";

/** The phase of a campaign. */
export type Phase =
  | "setup"
  | "domain_generation"
  | "dns_validation"
  | "http_keyword_validation"
  | "extraction"
  | "enrichment"
  | "analysis"
  | "cleanup";

/** The status of a campaign within its phase. */
export type PhaseStatus =
  | "not_started"
  | "ready"
  | "configured"
  | "in_progress"
  | "paused"
  | "completed"
  | "failed"
  | "skipped";

/**
 * The status of a view, computed from the clock when it is read:
 *
 * - `idle`: no connection was requested, or the handle was released.
 * - `connecting`: the connection is being opened; there is no state yet.
 * - `loading`: connected; the first state is arriving.
 * - `live`: proven continuous, and never older than 10 seconds. No other status proves this.
 * - `recovering`: connected; events are missing or not proven yet, and the client has requested them.
 * - `stale`: the state is shown but not proven current; `staleReason` says why.
 * - `ended`: the campaign was deleted, or the server ended it for everybody. The view keeps the last data.
 * - `failed`: the client cannot follow the campaign; `code` says why. With `forbidden` (also when access was revoked)
 *   and `unknown_campaign` the view is empty.
 */
export type CampaignStatus =
  | "idle"
  | "connecting"
  | "loading"
  | "live"
  | "recovering"
  | "stale"
  | "ended"
  | "failed";

/** The position of the last applied event. */
export interface Position extends LogPosition {
  /** The id of that event, unique within its campaign. */
  readonly eventId: string;
}

/** The record of a campaign, without its rows. The counters belong to the current phase only. */
export interface CampaignRecord {
  readonly name: string;
  readonly currentPhase: Phase;
  readonly phaseStatus: PhaseStatus;
  readonly totalItems: number;
  readonly processedItems: number;
  readonly successfulItems: number;
  readonly failedItems: number;
  /** 0 to 100, for the current phase. */
  readonly progressPercentage: number;
  /** RFC 3339, or empty. */
  readonly createdAt: string;
  /** RFC 3339, or empty. */
  readonly updatedAt: string;
  /** The message of a failed phase, for people. */
  readonly errorMessage?: string;
}

/** The last accepted phase transition. */
export interface LastTransition {
  readonly previousPhase?: Phase;
  readonly newPhase: Phase;
  readonly newStatus: PhaseStatus;
  /** `manual`, `automatic` or `error_recovery`. */
  readonly transitionType: string;
  /** The reason, for people. */
  readonly triggerReason?: string;
  /** Seconds that the server expects the new phase to take. */
  readonly estimatedDuration?: number;
  /** RFC 3339. */
  readonly timestamp: string;
  readonly sequenceNumber: number;
}

/** A campaign without its rows. Immutable: the same object until something changes. */
export interface CampaignView {
  readonly campaignId: string;
  readonly status: CampaignStatus;
  /** The reason of the status `stale`: `disconnected`, `polling`, `unproven` or `diverged`. */
  readonly staleReason?: string;
  /** The reason of the status `failed`. */
  readonly code?: ErrorCode;
  /**
   * When the data was last proven current, in milliseconds since 1970 by the clock of the page: "as of 20:37:31".
   * `null` before the first proof. It stays when the connection is lost.
   */
  readonly provenAt: number | null;
  /** The position of the last applied event; `null` before the first state arrived. */
  readonly position: Position | null;
  /** `null` before the first state arrived. */
  readonly campaign: CampaignRecord | null;
  /** Number of domains of the campaign, as the server counts them. */
  readonly totalDomainCount: number;
  /** Number of confirmed rows in the client. */
  readonly domainsCount: number;
  /** The digest of the confirmed rows, 16 hex digits (docs/PROTOCOL.md, chapter 11). */
  readonly domainsDigest: string;
  /** Number of unconfirmed rows: the last snapshot lacked them, and the client keeps them aside. */
  readonly unconfirmedCount: number;
  /** Number of rows by status, per column. */
  readonly counts: {
    readonly dns: Readonly<Record<string, number>>;
    readonly http: Readonly<Record<string, number>>;
    readonly lead: Readonly<Record<string, number>>;
  };
  readonly lastTransition: LastTransition | null;
  /** A problem with the data that is not resolved yet. */
  readonly error: { readonly code: ErrorCode; readonly message?: string } | null;
  /**
   * The snapshot that is arriving, `null` without one: parts that have arrived, all parts, and the rows so far. The
   * rows appear together, when all parts have arrived.
   */
  readonly loading: { readonly received: number; readonly total: number; readonly rows: number } | null;
}

/** One campaign of the list, without its rows. Immutable: the same object until the campaign changes. */
export interface CampaignSummary {
  readonly campaignId: string;
  /** The position that the record describes. */
  readonly position: LogPosition;
  readonly campaign: CampaignRecord;
  /** Number of domains of the campaign, as the server counts them. */
  readonly totalDomainCount: number;
}

/** The list of campaigns. Immutable: the same object until something changes. */
export interface CatalogueView {
  /**
   * The status of the list, with the meaning that it has for campaigns. `failed` with the code `unknown_type`: the server
   * has no such list, so follow the campaigns that you know one by one.
   */
  readonly status: Exclude<CampaignStatus, "ended">;
  /** The reason of the status `stale`: `disconnected` or `unproven`. */
  readonly staleReason?: string;
  /** The reason of the status `failed`. */
  readonly code?: ErrorCode;
  /**
   * When the list was last proven to be the server's newest, in milliseconds since 1970; absent before the first proof.
   * The view is not made again for each proof, so while the status is `live` there may be a later one.
   */
  readonly provenAt?: number;
  /** The campaigns, in ascending order of their ids. */
  readonly campaigns: readonly CampaignSummary[];
  /** Number of campaigns that the session may see, also with `ids`. */
  readonly total: number;
}

/** A query for rows: filters and order. */
export interface RowsQuery {
  /** Text that the domain name contains, in any case. White space around it is ignored. */
  search?: string;
  /** Only rows with this DNS status. */
  dnsStatus?: string;
  /** Only rows with this HTTP status. */
  httpStatus?: string;
  /** Only rows with this lead status. */
  leadStatus?: string;
  /** The column to sort by; `offset`, the order of generation, if absent. */
  sortBy?: "offset" | "domain" | "dnsStatus" | "httpStatus" | "leadScore";
  /** `asc` if absent. */
  sortOrder?: "asc" | "desc";
}

/** A query for one page of rows. */
export interface DomainQuery extends RowsQuery {
  /** Rows to skip; 0 if absent. */
  offset?: number;
  /** Rows to return, at most 1,000; 100 if absent. */
  limit?: number;
}

/** One domain. A column without a value is `null`. */
export interface DomainRow {
  /** The stable id of the row. */
  readonly domainId: string;
  readonly domain: string;
  /** The place in the generated sequence. */
  readonly offset: number | null;
  readonly dnsStatus: string | null;
  readonly httpStatus: string | null;
  readonly httpStatusCode: number | null;
  readonly leadStatus: string | null;
  readonly leadScore: number | null;
  /** `true` if the client keeps the row although the last snapshot lacked it. */
  readonly unconfirmed: boolean;
}

/** One page of rows. */
export interface DomainPage {
  /**
   * A position at which the campaign had these rows: that of the read that first saw them; `null` before the first state
   * arrived. The page stays the same object while the campaign moves on without a change to its rows.
   */
  readonly position: Position | null;
  /** Number of rows that match the query, on all pages together. */
  readonly total: number;
  readonly rows: readonly DomainRow[];
  /** Whether the rows are still being sorted, so that these are the ones of before. At present always `false`. */
  readonly pending: boolean;
}

/** A histogram of durations in milliseconds. */
export interface Histogram {
  /** Number of values. */
  readonly count: number;
  /** Sum of the values, in milliseconds. */
  readonly sum: number;
  /** The largest value, in milliseconds. */
  readonly max: number;
  /** `[upper bound in milliseconds, number of values in the bucket]`; the bounds double, and empty buckets are absent. */
  readonly buckets: readonly (readonly [number, number])[];
}

/** Counters and histograms since the client was made. docs/PROTOCOL.md, chapter 13, relates them to the events. */
export interface Metrics {
  readonly framesReceived: number;
  readonly bytesReceived: number;
  /** JSON documents in the received frames. */
  readonly documents: number;
  /** Events that the client applied. */
  readonly applied: number;
  /** Events that were dropped because they had been applied before. */
  readonly duplicates: number;
  /** Duplicates within a replay. */
  readonly redelivered: number;
  /** Events at or below the position whose hash is no longer remembered. */
  readonly outOfOrder: number;
  /** Events that did not match their hash. */
  readonly corrupt: number;
  /** Gaps in the sequence numbers. */
  readonly gaps: number;
  /** Events that were held beyond a gap. */
  readonly held: number;
  /** Held events that were dropped because the buffer was full. */
  readonly heldOverflows: number;
  /** Refused frames and documents, by error code. */
  readonly refused: Readonly<Record<string, number>>;
  /** Messages and events of unknown types. */
  readonly unknownTypes: number;
  /** Unknown members of envelopes. */
  readonly unknownMembers: number;
  /** Events of campaigns without a subscription. */
  readonly unsubscribed: number;
  /** Events of epochs that the client left. */
  readonly retiredEpoch: number;
  /** Events of epochs that the client does not follow. */
  readonly foreignEpoch: number;
  /** Contradictions between the histories of client and server. */
  readonly divergences: number;
  /** Recovery requests by reason: connect, reconnect, gap, tail, hash, divergence, rejected. */
  readonly recoveryRequests: Readonly<Record<string, number>>;
  /** Completed recoveries. */
  readonly recoveries: number;
  /** Snapshots that the client applied. */
  readonly snapshots: number;
  /** Requests that were sent again because no progress was made. */
  readonly retries: number;
  /** Comparisons of count or digest that matched. */
  readonly consistencyChecksPassed: number;
  /** Comparisons of count or digest that did not match. */
  readonly consistencyChecksFailed: number;
  /** Completed repairs of rows. */
  readonly repairs: number;
  /** Snapshots of the list of campaigns. */
  readonly catalogueSnapshots: number;
  /** Changes of the list of campaigns. */
  readonly catalogueChanges: number;
  /** Connections that opened. */
  readonly connects: number;
  /** Connections that were lost. */
  readonly disconnects: number;
  /** Milliseconds from the detection of a loss to its recovery. */
  readonly recoveryMs: Histogram;
  /** Milliseconds from a ping to its pong. */
  readonly rttMs: Histogram;
  /** Milliseconds from the timestamp of an event to its application, as far as both clocks agree. */
  readonly eventAgeMs: Histogram;
}

/** One structured record of the log. */
export interface LogRecord {
  readonly level: "debug" | "info" | "warn" | "error";
  /** The name of what happened, from a closed set. */
  readonly code: string;
  readonly message?: string;
  readonly campaignId?: string;
  readonly sequenceNumber?: number;
  readonly [member: string]: unknown;
}

/** The options of a client. */
export interface CampaignSyncOptions {
  /**
   * The address of the WebSocket: `ws`, `wss`, `http` or `https` without a fragment, absolute or relative to the page
   * (a `<base href>` counts, as it does for `fetch`). If it is absent, the application brings the transport.
   */
  url?: string;
  /** The constructor of sockets; the global `WebSocket` if absent. Node 20 has none: take the one of the package `ws`. */
  WebSocket?: new (url: string) => WebSocket;
  /**
   * `manual`: the client sends frames through `onsend` and receives them through `receive()`, also with a `url`. It
   * sends nothing before `opened()`.
   */
  transport?: "websocket" | "manual";
  /**
   * Returns a token of at most 16 KiB, or a promise of one; the empty text, `null` or `undefined` for none, and then
   * the cookie alone authorises the socket. The client calls it before each connection. An answer of another type, one that fails, and one that takes
   * longer than 15 s are failed attempts (`connection.code`: `invalid_token`, `token_failed`, `token_timeout`). An
   * error with `final: true` ends the attempts. With this option the client gives up after three refused sessions in a
   * row (close codes 4401 and 4403), and without it after the first.
   */
  token?: () => string | null | undefined | Promise<string | null | undefined>;
  /**
   * Renews a session that the server refused or that expired, for example by a request that sets a new cookie: `true`
   * to try again now, `false` to give up. It has 15 s; after that, and if it fails, the client tries again by its usual
   * rules (`connection.code`: `token_timeout`, `token_failed`). The client gives up at the third refusal in a row
   * without a connection that lasted 5 s. Tabs of one origin ask once and share the answer, where the browser has Web
   * Locks. To ask people for a password, answer `false`, and call `connect()` after the login (docs/IDENTITY.md).
   */
  onUnauthorized?: (request: RenewalRequest) => boolean | Promise<boolean>;
  /**
   * Fetches the state of a campaign while the client cannot get a socket: after three failed attempts, every 15 to 45
   * seconds. `restSnapshot()` of `campaign-sync/cache` does it over REST. The result is the document of
   * `GET /campaigns/{id}/snapshot` (docs/PROTOCOL.md, chapter 16), as text or as an object. The client refuses a
   * document without a position (`invalid_content`), and one that does not match its own count or digest
   * (`invalid_snapshot`). It ignores an answer that takes longer than 30 seconds.
   */
  fetchSnapshot?: (campaignId: string) => Promise<object | string>;
  /** The target of the page-wide events (`PageEventMap`); `window` if absent, `null` for none. */
  target?: EventTarget | null;
  /** `true` logs to the console; a function receives each record. */
  log?: boolean | ((record: LogRecord) => void);
  /** Milliseconds that a campaign stays subscribed after the last `release()`, `Infinity` included; 5,000 if absent. */
  lingerMs?: number;
}
