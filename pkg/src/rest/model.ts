/** The types of the REST client: its options, what it sends and what it returns. */
import type { Campaign } from "../campaign.js";
import type { LogPosition } from "../position.js";
import type { components } from "./types.js";
import type { CampaignView } from "../types.js";
import type { AuditType, DnsStatus, ErrorCode, HttpStatus, LeadStatus, Phase, PhaseStatus } from "../words.js";

/** The types of the server's description. */
export type Schemas = components["schemas"];

/** The record of a campaign, as the server writes it. */
export interface RestRecord extends Readonly<Schemas["Record"]> {
  /** The phase that the campaign is in. */
  readonly currentPhase: Phase;
  /** The status within that phase. */
  readonly phaseStatus: PhaseStatus;
}

/** A campaign: its record and its settings, at a position. */
export interface RestCampaign extends RestRecord {
  /** The settings with which it was created. */
  readonly settings: CampaignSettings;
  /** The position of the record; `null` if the server does not state it. */
  readonly position: LogPosition | null;
}

/** The settings of a campaign. */
export interface CampaignSettings extends Readonly<Schemas["Settings"]> {}

/** The settings of a new campaign. */
export interface NewCampaign extends Readonly<Schemas["NewCampaign"]> {}

/** A row, as the server writes it. */
export interface RestRow extends Readonly<Schemas["Row"]> {
  /** The result of DNS validation. */
  readonly dnsStatus: DnsStatus | null;
  /** The result of HTTP validation. */
  readonly httpStatus: HttpStatus | null;
  /** The result of the analysis. */
  readonly leadStatus: LeadStatus | null;
}

/** The whole state of a campaign at one position. */
export interface RestSnapshot extends Readonly<Schemas["Snapshot"]> {
  /** The record. */
  readonly campaign: RestRecord;
  /** All rows. */
  readonly domains: RestRow[];
}

/** One entry of the audit trail. */
export interface AuditEntry extends Readonly<Schemas["AuditEntry"]> {
  /** The phase and the status before. */
  readonly from: PhaseAndStatus;
  /** The phase and the status after it; those that it would have led to if it was refused. */
  readonly to: PhaseAndStatus;
  /** The type of a transition, or the kind of any other change. */
  readonly type: AuditType;
  /** `accepted`, or the code of the refusal. */
  readonly result: "accepted" | ErrorCode;
}

/** A new session. */
export interface LoggedIn extends Readonly<Schemas["LoggedIn"]> {}

/** The session of a request: its user, its subject, and the rest of its life in seconds. */
export interface CurrentSession extends Readonly<Schemas["CurrentSession"]> {}

/** The settings of the fault injection of a test server. */
export interface FaultSettings extends Readonly<Schemas["FaultSettings"]> {}

/** A phase and a status within it, such as `dns_validation/paused`. */
export type PhaseAndStatus = `${Phase}/${PhaseStatus}`;

/** A state that a write expects: a phase, or a phase and a status. */
export type ExpectedState = Phase | PhaseAndStatus;

/** The part of a `CampaignSync` that the client uses. */
export interface RestSync {
  /** Returns the view of a campaign that has a handle. */
  view(campaignId: string): CampaignView | undefined;
  /** Takes a handle, with which a write waits until the page shows it. */
  campaign(campaignId: string): Pick<Campaign, "reached" | "release">;
}

/** The options of a `RestClient`. */
export interface RestClientOptions {
  /** The address of the routes; `/api/v2` if absent. A relative one is relative to the page, and a `<base href>` counts, as for the socket. */
  baseUrl?: string;
  /** A replacement for the platform's `fetch`. */
  fetch?: typeof globalThis.fetch;
  /**
   * Returns the bearer token, or a promise of it; the empty text, `null` or `undefined` for none: then a cookie authorises
   * the requests. It is called before each request, and may be that of `CampaignSync`. A call rejects with `token_failed`
   * if it fails, and with `invalid_token` for any other answer.
   */
  token?: () => string | null | undefined | Promise<string | null | undefined>;
  /** The client of the stream. Its `onUnauthorized` renews the session of refused requests, too. */
  sync?: RestSync;
  /** Milliseconds after which a call rejects with `timed_out`; 30,000 if absent. It counts all attempts, and the wait for the page. */
  timeoutMs?: number;
}

/** The limits of one call. */
export interface CallOptions {
  /** When the signal aborts, the call rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Replaces the `timeoutMs` of the client. */
  timeoutMs?: number;
}

/** The options of a write. */
export interface WriteOptions extends CallOptions {
  /**
   * The server refuses the write with `expected_state_mismatch` unless the campaign is in this state. If absent, an action sends the state that `sync` shows. `null` sends none.
   */
  expectedState?: ExpectedState | null;
  /** The key that makes a repetition harmless; a new one if absent. Pass the same key to repeat a call that failed. */
  idempotencyKey?: string;
  /** The reason, for people. The audit trail has it. */
  reason?: string;
}

/** A page of the list of campaigns. */
export interface CampaignPage {
  /** The records, in ascending order of their ids. */
  readonly campaigns: readonly RestRecord[];
  /** The `cursor` of the next page; `null` on the last one. */
  readonly next: string | null;
}

/** A query for rows. */
export interface RowsFilter {
  /** Text that the domain name contains. */
  search?: string;
  /** Only rows with this DNS status. */
  dnsStatus?: DnsStatus;
  /** Only rows with this HTTP status. */
  httpStatus?: HttpStatus;
}

/** A page of rows. */
export interface RowsPage {
  /** The position that the page belongs to. */
  readonly position: LogPosition | null;
  /** The rows, in the order of generation. */
  readonly rows: readonly RestRow[];
  /** Number of rows that match, on all pages together. */
  readonly total: number;
}

/** The campaign after a write. */
export interface Changed {
  /** The record after the write. */
  readonly campaign: RestRecord;
  /** The position at which the write is visible. */
  readonly position: LogPosition;
}
