/** The values of the public interface. The client returns them as plain, frozen objects. */
import type { LogRecord } from "./metrics.js";
import type { LogPosition } from "./position.js";
import type { RenewalRequest } from "./renewal.js";
import type { CampaignStatus, DnsStatus, ErrorCode, HttpStatus, LeadStatus, Phase, PhaseStatus, StaleReason, TransitionType } from "./words.js";

/** The position of the last applied event. */
export interface Position extends LogPosition {
  /** The id of that event, unique within its campaign. */
  readonly eventId: string;
}

/** The record of a campaign, without its rows. The counters belong to the current phase only. */
export interface CampaignRecord {
  /** The name of the campaign, for people. */
  readonly name: string;
  /** The phase that the campaign is in. */
  readonly currentPhase: Phase;
  /** The status within that phase. */
  readonly phaseStatus: PhaseStatus;
  /** Number of items that the phase processes. */
  readonly totalItems: number;
  /** Number of items that the phase has processed, successfully or not. */
  readonly processedItems: number;
  /** Number of items that the phase has processed successfully. */
  readonly successfulItems: number;
  /** Number of items that failed in the phase. */
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
  /** The phase that the campaign left; absent for the first one. */
  readonly previousPhase?: Phase;
  /** The phase that the campaign entered. */
  readonly newPhase: Phase;
  /** The status within the new phase, right after the transition. */
  readonly newStatus: PhaseStatus;
  /** Whether a user, the server or a recovery caused it. */
  readonly transitionType: TransitionType;
  /** The reason, for people. */
  readonly triggerReason?: string;
  /** Seconds that the server expects the new phase to take. */
  readonly estimatedDuration?: number;
  /** RFC 3339. */
  readonly timestamp: string;
  /** The number of the transition in the log. */
  readonly sequenceNumber: number;
}

/** Numbers of rows by the word in a column. A word that no row has is absent. */
export interface StatusCounts {
  /** By `dnsStatus`. */
  readonly dns: Readonly<Record<string, number>>;
  /** By `httpStatus`. */
  readonly http: Readonly<Record<string, number>>;
  /** By `leadStatus`. */
  readonly lead: Readonly<Record<string, number>>;
}

/** A problem with the data of a campaign that is not resolved yet. */
export interface CampaignProblem {
  /** The problem: `divergence`, `large_discrepancy`, `invalid_content`, `invalid_snapshot`, or the code of a refused transition. */
  readonly code: ErrorCode;
}

/** The progress of a snapshot that is arriving. */
export interface SnapshotProgress {
  /** Number of parts that have arrived. */
  readonly received: number;
  /** Number of all parts. */
  readonly total: number;
  /** Number of rows so far. */
  readonly rows: number;
}

/** A campaign without its rows. Immutable: the same object until something changes. */
export interface CampaignView {
  /** The id of the campaign. */
  readonly campaignId: string;
  /** How far the view can be trusted, as it was when the view was made. `CampaignSync.status()` reads the clock. */
  readonly status: CampaignStatus;
  /** The reason of the status `stale`. */
  readonly staleReason?: StaleReason;
  /** The reason of the status `failed`. */
  readonly code?: ErrorCode;
  /**
   * When the data was last proven current, in milliseconds since 1970 by the clock of the page: "as of 20:37:31".
   * `null` before the first proof. It stays when the connection is lost. A proof dates from the moment of the request (R12.21).
   */
  readonly provenAt: number | null;
  /** The position of the last applied event; `null` before the first state arrived. */
  readonly position: Position | null;
  /** The record; `null` before the first state arrived. */
  readonly campaign: CampaignRecord | null;
  /** Number of domains of the campaign, as the server counts them. */
  readonly totalDomainCount: number;
  /** Number of confirmed rows in the client. */
  readonly domainsCount: number;
  /** The digest of the confirmed rows, 16 hex digits (docs/PROTOCOL.md, chapter 11). */
  readonly domainsDigest: string;
  /** Number of unconfirmed rows: the last snapshot lacked them, and the client keeps them aside (docs/PROTOCOL.md, R9.13). */
  readonly unconfirmedCount: number;
  /** Numbers of confirmed rows by status, per column. */
  readonly counts: StatusCounts;
  /** The last accepted phase transition; `null` if the client knows none. */
  readonly lastTransition: LastTransition | null;
  /** A problem with the data that is not resolved yet; `null` without one. */
  readonly error: CampaignProblem | null;
  /**
   * The snapshot that is arriving; `null` without one, and while the status is `idle`, `failed` or `stale` for the reason
   * `polling`, because the rest arrives on the next socket. Its rows appear together, when all parts have arrived.
   */
  readonly loading: SnapshotProgress | null;
}

/** One campaign of the list, without its rows. Immutable: the same object until the campaign changes. */
export interface CampaignSummary {
  /** The id of the campaign. */
  readonly campaignId: string;
  /** The position that the record describes. */
  readonly position: LogPosition;
  /** The record. */
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
  /** The reason of the status `stale`. */
  readonly staleReason?: Extract<StaleReason, "disconnected" | "unproven">;
  /** The reason of the status `failed`. */
  readonly code?: ErrorCode;
  /**
   * When the list was last proven to be the server's newest, in milliseconds since 1970; absent before the first proof.
   * A proof calls no listener, so read the view again for the present time.
   */
  readonly provenAt?: number;
  /** The campaigns, in ascending order of their ids. */
  readonly campaigns: readonly CampaignSummary[];
  /** Number of campaigns that the session may see, also with `ids`. */
  readonly total: number;
}

/** The columns by which rows can be sorted. */
export type SortColumn = "offset" | "domain" | "dnsStatus" | "httpStatus" | "leadScore";

/** A query for rows: filters and order. */
export interface RowsQuery {
  /** Text that the domain name contains, in any case. White space around it is ignored. */
  search?: string;
  /** Only rows with this DNS status. */
  dnsStatus?: DnsStatus;
  /** Only rows with this HTTP status. */
  httpStatus?: HttpStatus;
  /** Only rows with this lead status. */
  leadStatus?: LeadStatus;
  /** The column to sort by; `offset`, the order of generation, if absent. */
  sortBy?: SortColumn;
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
  /** The domain name. */
  readonly domain: string;
  /** The place in the generated sequence. */
  readonly offset: number | null;
  /** The result of DNS validation. */
  readonly dnsStatus: DnsStatus | null;
  /** The result of HTTP validation. */
  readonly httpStatus: HttpStatus | null;
  /** The status code of the site's answer. */
  readonly httpStatusCode: number | null;
  /** The result of the analysis. */
  readonly leadStatus: LeadStatus | null;
  /** The score of the analysis; the reference server's is 0 to 100. */
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
  /** The rows of the page, in the order of the query. */
  readonly rows: readonly DomainRow[];
  /** Whether the rows are still being sorted, so that these are the ones of before. At present always `false`. */
  readonly pending: boolean;
}

/** The constructor of a WebSocket: the platform's, or one of the same interface. */
export interface WebSocketConstructor {
  /** Opens a socket to an address. */
  new (url: string): WebSocket;
}

/** The state of a campaign as `GET /campaigns/{id}/snapshot` answers it (docs/PROTOCOL.md, chapter 16). The client checks it. */
export interface SnapshotDocument {
  /** The id of the campaign. */
  readonly campaignId: string;
  /** The epoch of the log. */
  readonly epoch: string;
  /** The number of the last event that the state contains. */
  readonly sequenceNumber: number;
  /** The id of that event. */
  readonly eventId: string;
  /** The record. */
  readonly campaign: unknown;
  /** All rows. */
  readonly domains: readonly unknown[];
  /** Number of rows. */
  readonly domainsCount: number;
  /** The digest of the rows, 16 hex digits. */
  readonly domainsDigest: string;
}

/** The options of a client. */
export interface CampaignSyncOptions {
  /**
   * The address of the WebSocket: `ws`, `wss`, `http` or `https` without a fragment, absolute or relative to the page
   * (a `<base href>` counts, as it does for `fetch`). If it is absent, the application brings the transport.
   */
  url?: string;
  /** The constructor of sockets; the global `WebSocket` if absent. Node 20 has none: take the one of the package `ws`. */
  WebSocket?: WebSocketConstructor;
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
  fetchSnapshot?: (campaignId: string) => Promise<SnapshotDocument | string>;
  /** The target of the page-wide events (`PageEventMap`); `window` if absent, `null` for none. */
  target?: EventTarget | null;
  /** `true` logs to the console; a function receives each record. */
  log?: boolean | ((record: LogRecord) => void);
  /** Milliseconds that a campaign stays subscribed after the last `release()`, `Infinity` included; 5,000 if absent. */
  lingerMs?: number;
}
