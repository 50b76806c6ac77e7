/**
 * The closed list of error codes (docs/PROTOCOL.md, chapter 14), and the error class that carries them.
 *
 * The WebAssembly module knows codes only. The messages are here, so that they add no bytes to the module.
 */

import { shared } from "./shared.js";
import type { ErrorCode, SealCode } from "./words.js";

/**
 * The closed list, with the sentence of each code that the package throws or gives as a hint. The other codes appear in
 * counters, events and views, or come with a text of the server, so a page does not download their sentences.
 * docs/ERRORS.md has the sentences of all codes.
 */
const MEANINGS: Record<Exclude<ErrorCode, SealCode>, string> = {
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
  invalid_content: "",
  missing_sequence: "",
  divergence: "",
  integrity_check_failed: "",
  prerequisites_not_met: "",
  large_discrepancy: "",
  invalid_snapshot: "",
  unknown_campaign: "No such campaign, or this session may not see it: check the id.",
  unauthorized: "The session is missing, wrong or expired: log in again.",
  forbidden: "The session may not do this: use another account.",
  rate_limited: "",
  too_many: "A limit is reached: release what you no longer need.",
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
  open_timeout: "The socket did not open in time: check the address and the network.",
  invalid_token: "The token must be a text of at most 16 KiB.",
  token_failed: "The token provider or `onUnauthorized` failed: see the log.",
  token_timeout: "The token provider or `onUnauthorized` must answer within 15 s.",
  signed_out: "The session ended, or another one took its place: ask again.",
  closed: "The client is closed: create a new one.",
  fetch_failed: "",
  // The codes from here on are raised by this package's JavaScript only, never on the wire.
  invalid_argument: "",
  no_websocket: "There is no WebSocket: pass the option `WebSocket`.",
  not_initialized: "Call `await init()` or `initSync(bytes)` first.",
  not_configured: "",
  unsupported_browser: "The browser lacks a feature of WebAssembly: see `Browsers` in the README.",
  load_failed: "The .wasm file did not load: check its address and the page's 'wasm-unsafe-eval'.",
  transport_in_use: "The client opens its own sockets: set `onsend` before the first use.",
  released: "The handle was released: take a new one.",
  timed_out: "Not reached in time: raise `timeoutMs`, or look at the status.",
  position_changed: "The rows changed between two pages: start again.",
};

/** All codes of the main entry, in the order of the list. `campaign-sync/encrypted` has three more. */
export const ERROR_CODES = Object.freeze(Object.keys(MEANINGS)) as readonly ErrorCode[];

/** Longest message, in characters. */
const MESSAGE_MAX = 120;

/** The error that this package throws, and rejects promises with. */
export class CampaignSyncError extends Error {
  /** The failure, as a code of the closed list. */
  readonly code: ErrorCode;
  /**
   * Where to read more: the section of `docs/ERRORS.md` about the code, a file of the package. The stack begins with
   * the message and this, so consoles show both.
   */
  readonly help: string;

  /**
   * Makes an error, for applications that wrap their own failures.
   *
   * @param code The failure.
   * @param options `cause` is the failure below. `message` replaces the sentence of the code; it is cut to 120
   * characters.
   */
  constructor(code: ErrorCode, options?: { cause?: unknown; message?: string | undefined }) {
    // A caller without types may pass anything, also a symbol.
    const help = `campaign-sync/docs/ERRORS.md#${String(code)}`;
    const message = cut(options?.message || meaningOf(code) || `Refused (${String(code)}): see \`help\`.`, MESSAGE_MAX);
    super(message, options);
    this.code = code;
    this.help = help;
    // Applications may show the message to people. The link is for the console, where an engine shows the stack.
    if (this.stack?.includes(message)) this.stack = this.stack.replace(message, () => `${message} See ${help}`);
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

/** Cuts a text to so many characters. The last one of a longer text is an ellipsis. */
export function cut(text: string, characters: number): string {
  // The text may be any value, of a caller without types.
  const all = [...String(text)];
  return all.length > characters ? `${all.slice(0, characters - 1).join("")}…` : all.join("");
}

/** Turns a bare code, as the machine throws it, into a `CampaignSyncError`. Any other failure is `internal`. */
export function asCampaignSyncError(error: unknown): CampaignSyncError {
  if (error instanceof CampaignSyncError) return error;
  return isErrorCode(error) ? new CampaignSyncError(error) : new CampaignSyncError("internal", { cause: error });
}
