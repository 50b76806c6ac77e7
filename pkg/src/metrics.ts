/** The reports of a client about itself: counters, histograms, records of its log, and a report for bugs. */
import type { ConnectionState, ErrorCode, LogCode, RecoveryReason } from "./words.js";

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
  /** Frames that arrived. */
  readonly framesReceived: number;
  /** Bytes of these frames, as UTF-8. */
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
  /** Refused frames and documents, by error code. A code that did not occur is absent. */
  readonly refused: Readonly<Partial<Record<ErrorCode, number>>>;
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
  /** Recovery requests by reason. */
  readonly recoveryRequests: Readonly<Record<RecoveryReason, number>>;
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
  /** How serious it is. */
  readonly level: "debug" | "info" | "warn" | "error";
  /** The name of what happened. */
  readonly code: LogCode;
  /** The text of an error of the application's own function. */
  readonly message?: string;
  /** The campaign that the record is about. */
  readonly campaignId?: string;
  /** The number of the event that the record is about. */
  readonly sequenceNumber?: number;
  /** The id of that event. */
  readonly eventId?: string;
  /** A code, a reason or an outcome. */
  readonly detail?: string;
  /** A second number: expected, received, rows or milliseconds, by `code`. */
  readonly value?: number;
}

/** The result of `CampaignSync.diagnostics()`, for a bug report. It has no rows, no token and no address. */
export interface Diagnostics {
  /** The version of the package. */
  readonly version: string;
  /** The state of the connection. */
  readonly connection: ConnectionState;
  /** The transport: sockets of the client (`socket`), or that of the application (`manual`). */
  readonly transport: "socket" | "manual";
  /** Milliseconds until the client acts by itself again; `null` if nothing is due. */
  readonly wakeInMs: number | null;
  /** The views of all campaigns. */
  readonly campaigns: readonly Readonly<Record<string, unknown>>[];
  /** Counters and histograms. */
  readonly metrics: Metrics;
}
