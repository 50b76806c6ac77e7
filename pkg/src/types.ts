/** The values that cross the public interface. All of them are plain, frozen objects. */
import type { ErrorCode } from "./errors.js";
import type { LogPosition } from "./position.js";

/** Where a campaign is on its way. */
export type Phase =
  | "setup"
  | "domain_generation"
  | "dns_validation"
  | "http_keyword_validation"
  | "extraction"
  | "enrichment"
  | "analysis"
  | "cleanup";

/** How far a campaign is within its phase. */
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
 * How much the view can be trusted, computed from the clock at the moment of reading.
 * Only `live` means: proven continuous, and never older than 10 seconds.
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
  /** The identity of that event. */
  readonly eventId: string;
}

/** A campaign without its rows. The counters belong to the current phase only. */
export interface CampaignRecord {
  readonly name: string;
  readonly currentPhase: Phase;
  readonly phaseStatus: PhaseStatus;
  readonly totalItems: number;
  readonly processedItems: number;
  readonly successfulItems: number;
  readonly failedItems: number;
  /** 0 to 100. */
  readonly progressPercentage: number;
  /** RFC 3339, or empty. */
  readonly createdAt: string;
  /** RFC 3339, or empty. */
  readonly updatedAt: string;
  readonly errorMessage?: string;
}

/** The last accepted phase transition. */
export interface LastTransition {
  readonly previousPhase?: Phase;
  readonly newPhase: Phase;
  readonly newStatus: PhaseStatus;
  /** `manual`, `automatic` or `error_recovery`. */
  readonly transitionType: string;
  readonly triggerReason?: string;
  /** Seconds that the server expects the new phase to take. */
  readonly estimatedDuration?: number;
  /** RFC 3339. */
  readonly timestamp: string;
  readonly sequenceNumber: number;
}

/** Everything about a campaign but its rows. Immutable: the same object until something changed. */
export interface CampaignView {
  readonly campaignId: string;
  readonly status: CampaignStatus;
  /** Why the status is `stale`. */
  readonly staleReason?: string;
  /** Why the status is `failed`. */
  readonly code?: ErrorCode;
  /** The last applied event; `null` before the first state arrived. */
  readonly position: Position | null;
  /** `null` before the first state arrived. */
  readonly campaign: CampaignRecord | null;
  /** Domains that the campaign has, as the server counts them. */
  readonly totalDomainCount: number;
  /** Rows that are held here and confirmed. */
  readonly domainsCount: number;
  /** The digest of these rows, 16 hex digits. */
  readonly domainsDigest: string;
  /** Rows that a snapshot did not bring and that are kept aside. */
  readonly unconfirmedCount: number;
  /** Rows by status word, per column. */
  readonly counts: {
    readonly dns: Readonly<Record<string, number>>;
    readonly http: Readonly<Record<string, number>>;
    readonly lead: Readonly<Record<string, number>>;
  };
  readonly lastTransition: LastTransition | null;
  /** What is wrong and not healed yet. */
  readonly error: { readonly code: ErrorCode; readonly message?: string } | null;
}

/** Which rows, in which order. */
export interface DomainQuery {
  /** Rows to skip; 0 if absent. */
  offset?: number;
  /** Rows to return, at most 1,000; 100 if absent. */
  limit?: number;
  /** A part of the domain name. */
  search?: string;
  dnsStatus?: string;
  httpStatus?: string;
  leadStatus?: string;
  /** `offset`, the order of generation, if absent. */
  sortBy?: "offset" | "domain" | "dnsStatus" | "httpStatus" | "leadScore";
  /** `asc` if absent. */
  sortOrder?: "asc" | "desc";
}

/** One domain. A column without a value is `null`. */
export interface DomainRow {
  readonly domainId: string;
  readonly domain: string;
  readonly offset: number | null;
  readonly dnsStatus: string | null;
  readonly httpStatus: string | null;
  readonly httpStatusCode: number | null;
  readonly leadStatus: string | null;
  readonly leadScore: number | null;
  /** The row is kept although the last snapshot did not bring it. */
  readonly unconfirmed: boolean;
}

/** A page of rows. */
export interface DomainPage {
  /** Rows that match, all pages together. */
  readonly total: number;
  readonly rows: readonly DomainRow[];
}

/** Values by upper bound. */
export interface Histogram {
  readonly count: number;
  readonly sum: number;
  readonly max: number;
  /** `[upper bound, values up to it]`. */
  readonly buckets: readonly (readonly [number, number])[];
}

/** Counters since the client was made. */
export interface Metrics {
  readonly framesReceived: number;
  readonly bytesReceived: number;
  readonly documents: number;
  readonly applied: number;
  readonly duplicates: number;
  readonly redelivered: number;
  readonly outOfOrder: number;
  readonly corrupt: number;
  readonly gaps: number;
  readonly held: number;
  readonly heldOverflows: number;
  /** By error code. */
  readonly refused: Readonly<Record<string, number>>;
  readonly unknownTypes: number;
  readonly unknownMembers: number;
  readonly unsubscribed: number;
  readonly retiredEpoch: number;
  readonly foreignEpoch: number;
  readonly divergences: number;
  /** By reason: connect, reconnect, gap, tail, hash, divergence, rejected. */
  readonly recoveryRequests: Readonly<Record<string, number>>;
  readonly recoveries: number;
  readonly snapshots: number;
  readonly retries: number;
  readonly consistencyChecksPassed: number;
  readonly consistencyChecksFailed: number;
  readonly repairs: number;
  readonly connects: number;
  readonly disconnects: number;
  readonly recoveryMs: Histogram;
  readonly rttMs: Histogram;
  readonly eventAgeMs: Histogram;
}

/** One structured line of the log. */
export interface LogRecord {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly code: string;
  readonly message?: string;
  readonly campaignId?: string;
  readonly sequenceNumber?: number;
  readonly [member: string]: unknown;
}

/** How a client is made. */
export interface CampaignSyncOptions {
  /** The socket's address; relative to the page, `http(s)` allowed. Absent: the transport is yours. */
  url?: string;
  /**
   * `manual`: frames go out through `onsend` and come in through `receive()`, even if there is a `url`,
   * and nothing goes out before `opened()`.
   */
  transport?: "websocket" | "manual";
  /** Asked for a token before each connection. */
  token?: () => string | Promise<string>;
  /**
   * Fetches a campaign's whole state while no socket can be had; `restSnapshot()` of `campaign-sync/cache` does
   * it over REST. The answer names its position: one without is refused with `invalid_content`.
   */
  fetchSnapshot?: (campaignId: string) => Promise<object | string>;
  /** Where the page-wide events are dispatched and heard; `window` if absent, `null` for nowhere. */
  target?: EventTarget | null;
  /** `true` for the console, or a function that takes each record. */
  log?: boolean | ((record: LogRecord) => void);
  /** Milliseconds that a released campaign stays subscribed. */
  lingerMs?: number;
}
