/**
 * The closed lists of words. `pkg/test/words.test.js` compares each with the code or the table that decides about it. A
 * list with `string & {}` is that of this version: a later server may send another word.
 */

/**
 * The phase of a campaign. The reference server runs `domain_generation`, `dns_validation`, `http_keyword_validation` and
 * `analysis`, in this order. A client refuses any other word (docs/PROTOCOL.md, chapter 10).
 */
export type Phase =
  | "setup"
  | "domain_generation"
  | "dns_validation"
  | "http_keyword_validation"
  | "extraction"
  | "enrichment"
  | "analysis"
  | "cleanup";

/** The status of a campaign within its phase. A client refuses any other word (docs/PROTOCOL.md, chapter 10). */
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
 * - `live`: proven continuous, and never older than 10 seconds (docs/PROTOCOL.md, R12.26). No other status proves this.
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

/**
 * The reason of the status `stale`:
 *
 * - `disconnected`: there is no connection.
 * - `polling`: there is no connection; snapshots are fetched meanwhile.
 * - `unproven`: connected, but the last proof is older than 10 seconds.
 * - `diverged`: rows differ from the server's, and a repair did not help.
 */
export type StaleReason = "disconnected" | "polling" | "unproven" | "diverged";

/**
 * The state of the connection: `idle` before `connect()` and after `pause()`, `waiting` for the next attempt, `failed` if
 * the client gave up, `closed` after `close()`.
 */
export type ConnectionState = "idle" | "connecting" | "open" | "waiting" | "failed" | "closed";

/** The type of a phase transition (docs/PROTOCOL.md, chapter 10). */
export type TransitionType = "manual" | "automatic" | "error_recovery" | (string & {});

/**
 * The reason of a recovery (docs/PROTOCOL.md, chapter 6):
 *
 * - `connect`: the first subscription of the campaign.
 * - `reconnect`: a new socket opened.
 * - `gap`: a number was skipped.
 * - `tail`: a heartbeat named numbers that did not arrive.
 * - `hash`: an event did not match its hash.
 * - `divergence`: the histories of client and server differ.
 * - `rejected`: the next event could not be applied.
 */
export type RecoveryReason = "connect" | "reconnect" | "gap" | "tail" | "hash" | "divergence" | "rejected";

/** The end of a recovery: a `replay` of events, a `snapshot`, or nothing, because the client was `current`. */
export type RecoveryOutcome = "replay" | "current" | "snapshot";

/**
 * The contradiction: two events of one number (`hash`), an event that names another predecessor (`previous_event`), a
 * transition out of another phase (`previous_phase`), a `head` below the position, or another log (`epoch`).
 */
export type DivergenceKind = "hash" | "previous_event" | "previous_phase" | "head" | "epoch";

/**
 * The rule that refused content breaks: a member is `missing`, it is `invalid` (of another type, or with a value that is
 * not allowed), or it contradicts the `state` of the client.
 */
export type RejectionRule = "missing" | "invalid" | "state";

/**
 * The reason why cached data of a campaign is void:
 *
 * - `phase_transition`, `snapshot`, `epoch` (another log), `divergence`: everything may have changed.
 * - `status`: the record changed without a transition: its status, its counters or its name; or the campaign ended.
 * - `rows`: rows were added, changed or removed; `totalDomainCount` counts as rows.
 * - `unwatched`: the application released its last handle. Nothing announces later changes, until the application
 *   takes a handle again; `status` and `rows` then follow.
 * - `force_refresh`: the page requested it.
 * - `signed_out`: the session may no longer see the campaign, or another session took over.
 */
export type InvalidationReason =
  | "phase_transition"
  | "snapshot"
  | "epoch"
  | "divergence"
  | "status"
  | "rows"
  | "unwatched"
  | "force_refresh"
  | "signed_out";

/** The level of a message for people. */
export type NotificationLevel = "info" | "warning" | "error" | (string & {});

/** Why a campaign has ended: it was `deleted`, or the text of the server. */
export type EndReason = "deleted" | (string & {});

/** The result of DNS validation, an open set of words. These are the reference server's. */
export type DnsStatus = "resolved" | "unresolved" | "timeout" | "error" | (string & {});

/** The result of HTTP validation, an open set of words. These are the reference server's. */
export type HttpStatus = "success" | "failed" | "timeout" | "error" | (string & {});

/** The result of the analysis, an open set of words. These are the reference server's. */
export type LeadStatus = "match" | "no_match" | (string & {});

/** An action on a campaign, as the last part of its route names it, and as the phase machine has it (docs/PHASES.md). */
export type CampaignAction =
  | "start"
  | "pause"
  | "resume"
  | "rollback"
  | "configure-dns"
  | "validate-dns"
  | "configure-http"
  | "validate-http"
  | "configure-analysis"
  | "analyze";

/** The name of an action that an application performs: one of the phase machine, `delete`, or any other. */
export type ActionName = CampaignAction | "delete" | (string & {});

/**
 * The type of an entry of the audit trail: that of a transition, or the kind of another change: of the `status` within the
 * phase, `creation`, `deletion`, or a new `owner`.
 */
export type AuditType = "manual" | "automatic" | "error_recovery" | "status" | "creation" | "deletion" | "owner" | (string & {});

/** The name of a record of the log. Records of the application's own functions have the code of their failure. */
export type LogCode =
  | "connected"
  | "corrupt"
  | "dead_link"
  | "disconnected"
  | "discrepancy"
  | "divergence"
  | "failed"
  | "fetch_failed"
  | "gap"
  | "gave_up"
  | "recovered"
  | "recovery_requested"
  | "refused"
  | "rejected"
  | "sequence"
  | "snapshot"
  | "token_failed";

/** A code from the closed list. Compare the code, never the message. docs/ERRORS.md explains each. */
export type ErrorCode =
  | "frame_too_large"
  | "empty_frame"
  | "too_many_documents"
  | "invalid_utf8"
  | "invalid_json"
  | "too_deep"
  | "lone_surrogate"
  | "integer_out_of_range"
  | "invalid_envelope"
  | "ambiguous_envelope"
  | "invalid_campaign_id"
  | "invalid_content"
  | "missing_sequence"
  | "divergence"
  | "integrity_check_failed"
  | "prerequisites_not_met"
  | "large_discrepancy"
  | "invalid_snapshot"
  | "unknown_campaign"
  | "unauthorized"
  | "forbidden"
  | "rate_limited"
  | "too_many"
  | "invalid_message"
  | "unknown_type"
  | "illegal_transition"
  | "expected_state_mismatch"
  | "behind"
  | "position_ahead"
  | "invalid_body"
  | "method_not_allowed"
  | "not_found"
  | "internal"
  | "unsupported_protocol"
  | "ack_timeout"
  | "unexpected_document"
  | "open_timeout"
  | "invalid_token"
  | "token_failed"
  | "token_timeout"
  | "signed_out"
  | "closed"
  | "fetch_failed"
  | "invalid_argument"
  | "no_websocket"
  | "not_initialized"
  | "not_configured"
  | "unsupported_browser"
  | "load_failed"
  | "transport_in_use"
  | "released"
  | "timed_out"
  | "position_changed"
  | "not_sealed"
  | "seal_broken"
  | "unknown_key";

/** The codes of sealed content, which `campaign-sync/encrypted` adds. */
export type SealCode = Extract<ErrorCode, "not_sealed" | "seal_broken" | "unknown_key">;
