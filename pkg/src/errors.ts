/**
 * The closed list of error codes (docs/PROTOCOL.md, chapter 14), and the error class that carries them.
 *
 * The WebAssembly module knows codes only. The messages are here, so that they add no bytes to the module.
 */

/**
 * The closed list, with a message for each code that this package throws. The other codes appear only in counters
 * and events. docs/PROTOCOL.md explains them, so a page does not download their messages.
 */
const MEANINGS = {
  frame_too_large: "",
  empty_frame: "",
  too_many_documents: "",
  invalid_utf8: "",
  invalid_json: "",
  too_deep: "",
  lone_surrogate: "",
  integer_out_of_range: "An integer exceeds 2^53 - 1.",
  invalid_envelope: "",
  ambiguous_envelope: "",
  invalid_campaign_id: "A campaign id is 1 to 64 of A-Z, a-z, 0-9, _ and -.",
  invalid_content: "The content breaks its schema.",
  missing_sequence: "",
  divergence: "",
  integrity_check_failed: "",
  prerequisites_not_met: "",
  large_discrepancy: "",
  invalid_snapshot: "",
  unknown_campaign: "The campaign does not exist, or this session may not see it.",
  unauthorized: "The session is missing, wrong or expired.",
  forbidden: "The session may not do this.",
  rate_limited: "",
  too_many: "",
  invalid_message: "",
  unknown_type: "",
  illegal_transition: "",
  expected_state_mismatch: "",
  behind: "",
  position_ahead: "",
  invalid_body: "",
  method_not_allowed: "",
  not_found: "",
  internal: "The server failed.",
  unsupported_protocol: "The server does not speak campaign-sync.v1, or it seals its content: use `campaign-sync/encrypted`.",
  ack_timeout: "",
  unexpected_document: "",
  open_timeout: "",
  invalid_token: "The token is not a text of at most 16 KiB.",
  token_failed: "The token provider failed.",
  token_timeout: "",
  closed: "The client is closed: create a new one.",
  fetch_failed: "The fetch failed.",
  // The codes from here on are raised by this package's JavaScript only, never on the wire.
  not_initialized: "Call `await init()` or `initSync(bytes)` first.",
  not_configured: "Call `configureCache({ sync })` first.",
  load_failed: "The .wasm file did not load: check its address and the page's 'wasm-unsafe-eval'.",
  transport_in_use: "The client opens its own sockets: set `onsend` before the first use.",
  released: "The campaign handle was released.",
  timed_out: "The position was not reached in time.",
} as const;

/** The codes of sealed content. Their messages are part of `campaign-sync/encrypted`. */
type SealCode = "not_sealed" | "seal_broken" | "unknown_key";

/** A code from the closed list. Compare the code, never the message. */
export type ErrorCode = keyof typeof MEANINGS | SealCode;

/** All codes of the main entry, in the order of the list. `campaign-sync/encrypted` has three more. */
export const ERROR_CODES = Object.freeze(Object.keys(MEANINGS)) as readonly ErrorCode[];

/**
 * The error that this package throws. `code` identifies the failure, and `message` explains it to people. An invalid
 * key for sealed content throws a `TypeError` with the code `invalid_key` instead.
 */
export class CampaignSyncError extends Error {
  /** The failure, as a code of the closed list. */
  readonly code: ErrorCode;

  constructor(code: ErrorCode, options?: ErrorOptions & { message?: string }) {
    super(options?.message ?? ((MEANINGS as Record<string, string>)[code] || code), options);
    this.code = code;
  }

  static {
    // `name` is on the prototype, as in the built-in errors, and not an own property of each instance.
    Object.defineProperty(this.prototype, "name", { value: "CampaignSyncError", configurable: true, writable: true });
  }
}

/** Adds the codes of another entry, with their messages. */
export function addCodes(meanings: Record<SealCode, string>): void {
  Object.assign(MEANINGS, meanings);
}

/** Whether a value is a code of the list. */
export function isErrorCode(word: unknown): word is ErrorCode {
  return typeof word === "string" && Object.hasOwn(MEANINGS, word);
}

/** Turns a bare code, as the machine throws it, into a `CampaignSyncError`. Returns any other value unchanged. */
export function asCampaignSyncError(error: unknown): unknown {
  return isErrorCode(error) ? new CampaignSyncError(error) : error;
}
