/**
 * The closed list of error codes (docs/PROTOCOL.md, chapter 14), and the error class that carries them.
 *
 * The WebAssembly module knows codes only. The messages are here, so that they add no bytes to the module.
 */

import { shared } from "./shared.js";

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
  integer_out_of_range: "",
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
  internal: "An internal failure: please report it.",
  unsupported_protocol: "The server speaks another protocol, or seals its content: use `campaign-sync/encrypted`.",
  ack_timeout: "The server did not answer the handshake: check the address.",
  unexpected_document: "Something else answered the handshake: check the address.",
  open_timeout: "The socket did not open in time.",
  invalid_token: "The token is not a text of at most 16 KiB.",
  token_failed: "The token provider or `onUnauthorized` failed.",
  token_timeout: "The token provider or `onUnauthorized` did not answer within 15 s.",
  signed_out: "The session ended, or another one took its place.",
  closed: "The client is closed: create a new one.",
  fetch_failed: "",
  // The codes from here on are raised by this package's JavaScript only, never on the wire.
  invalid_argument: "",
  no_websocket: "There is no WebSocket: pass the option `WebSocket`.",
  not_initialized: "Call `await init()` or `initSync(bytes)` first.",
  not_configured: "",
  unsupported_browser: "This browser lacks a feature of WebAssembly that the package needs: see `Browsers` in its README.",
  load_failed: "The .wasm file did not load: check its address and the page's 'wasm-unsafe-eval'.",
  transport_in_use: "The client opens its own sockets: set `onsend` before the first use.",
  released: "The campaign handle was released.",
  timed_out: "The position was not reached in time.",
  position_changed: "The rows changed between two pages: start again.",
} as const;

/** The codes of sealed content. Their messages are part of `campaign-sync/encrypted`. */
type SealCode = "not_sealed" | "seal_broken" | "unknown_key";

/** A code from the closed list. Compare the code, never the message. */
export type ErrorCode = keyof typeof MEANINGS | SealCode;

/** All codes of the main entry, in the order of the list. `campaign-sync/encrypted` has three more. */
export const ERROR_CODES = Object.freeze(Object.keys(MEANINGS)) as readonly ErrorCode[];

/**
 * The error that this package throws. `code` identifies the failure, and `message` explains it to people.
 */
export class CampaignSyncError extends Error {
  /** The failure, as a code of the closed list. */
  readonly code: ErrorCode;

  constructor(code: ErrorCode, options?: { cause?: unknown; message?: string }) {
    super(options?.message ?? (meaningOf(code) || String(code)), options);
    this.code = code;
    ownErrors().add(this);
  }

  static {
    // `name` is on the prototype, as in the built-in errors, and not an own property of each instance.
    Object.defineProperty(this.prototype, "name", { value: "CampaignSyncError", configurable: true, writable: true });
    // Two copies of the package on one page have two classes, and each recognises the errors of both.
    const isInstance = (type: unknown, error: unknown): boolean =>
      type === CampaignSyncError ? ownErrors().has(error as object) : Function.prototype[Symbol.hasInstance].call(type as never, error);
    Object.defineProperty(this, Symbol.hasInstance, { value(error: unknown) { return isInstance(this, error); } });
  }
}

/** The errors of all copies of the package. */
function ownErrors(): WeakSet<object> {
  return shared("errors", () => new WeakSet());
}

/** Adds the codes of another entry, with their messages. */
export function addCodes(meanings: Record<SealCode, string>): void {
  Object.assign(MEANINGS, meanings);
}

/** Whether a value is a code of the list. */
export function isErrorCode(word: unknown): word is ErrorCode {
  return typeof word === "string" && Object.hasOwn(MEANINGS, word);
}

/** The message of a code; empty if this package does not download it. */
export function meaningOf(code: ErrorCode): string {
  return (MEANINGS as Record<string, string>)[code] ?? "";
}

/** The text of any value that was thrown. */
export function describe(error: unknown): string {
  try {
    return error instanceof Error ? error.message : String(error);
  } catch {
    return typeof error;
  }
}

/** Turns a bare code, as the machine throws it, into a `CampaignSyncError`. Any other failure is `internal`. */
export function asCampaignSyncError(error: unknown): CampaignSyncError {
  if (error instanceof CampaignSyncError) return error;
  return isErrorCode(error) ? new CampaignSyncError(error) : new CampaignSyncError("internal", { cause: error });
}
