/**
 * The one list of error codes, and the error that carries them.
 *
 * The machine inside knows codes only; the words for people are here, so that they cost no bytes in
 * the wasm and can be read without it.
 */

/** What each code means, in words. The keys are the closed list. */
const MEANINGS = {
  frame_too_large: "The frame is larger than the limit.",
  empty_frame: "The frame is empty, or holds only line breaks.",
  too_many_documents: "The frame holds more documents than the limit.",
  invalid_utf8: "A binary frame is not valid UTF-8.",
  invalid_json: "The document is not JSON.",
  too_deep: "The document nests deeper than the limit.",
  lone_surrogate: "A string holds half of a surrogate pair.",
  integer_out_of_range: "An integer does not fit in 2^53 - 1.",
  invalid_envelope: "The envelope lacks a member, or one has the wrong type.",
  ambiguous_envelope: "A member of the envelope is repeated, or its name is written with escapes.",
  invalid_campaign_id: "A campaign id is 1 to 64 of A-Z, a-z, 0-9, _ and -.",
  invalid_content: "A message of a known type has content that breaks its schema.",
  missing_sequence: "An event that must carry a sequence does not.",
  hash_mismatch: "The event's own hash does not match its bytes.",
  divergence: "Two different events claim one number.",
  integrity_check_failed: "The server announced that a transition failed its data integrity check.",
  prerequisites_not_met: "The server announced that a transition lacks its prerequisites.",
  large_discrepancy: "Rows differ from the server's by more than the tolerance.",
  invalid_snapshot: "A snapshot does not add up to its own count or digest.",
  unknown_campaign: "There is no such campaign, or it is not visible to this session.",
  unauthorized: "The session or token is missing, wrong or expired.",
  forbidden: "The session may not do this.",
  rate_limited: "Too many requests.",
  too_many: "Too many subscriptions or connections.",
  invalid_message: "The server did not understand the message.",
  unknown_type: "The server does not know this type of request.",
  illegal_transition: "The phase machine does not allow this transition.",
  expected_state_mismatch: "The campaign is not in the state that the request expected.",
  behind: "The answer is older than the position asked for.",
  position_ahead: "The position asked for is beyond the server's log.",
  invalid_body: "The request's body is not what the route takes.",
  method_not_allowed: "The route does not have this method.",
  not_found: "There is no such route.",
  internal: "The server failed inside.",
  unsupported_dialect: "The server speaks the original dialect: take `init` from `campaign-sync/original`, which loads a module for both.",
  closed: "The client was closed; make a new one.",
  fetch_failed: "Fetching through the application failed.",
  // From here on: raised by this package's JavaScript only, never on the wire.
  not_initialized: "campaign-sync is used before it is ready: `await init()` first (or `initSync(bytes)`).",
  not_configured: "The cache is used before `configureCache({ sync })` was called.",
  load_failed:
    "The WebAssembly module could not be loaded. Check that the server delivers the .wasm file, and that a " +
    "Content-Security-Policy, if there is one, allows 'wasm-unsafe-eval' in script-src. Outside a browser, hand the bytes to init().",
  transport_in_use: "The client opens sockets itself; to bring a transport, set `onsend` before the first call that uses the connection.",
  released: "The campaign handle was released.",
  timed_out: "The position was not reached in the time given.",
} as const;

/** A code from the closed list. Compare with this, never with the message. */
export type ErrorCode = keyof typeof MEANINGS;

/** Every code, in the order of the list. */
export const ERROR_CODES = Object.freeze(Object.keys(MEANINGS)) as readonly ErrorCode[];

/** The only error this package throws. `code` says what happened, `message` says it in words. */
export class CampaignSyncError extends Error {
  /** What happened, from the closed list. */
  readonly code: ErrorCode;

  constructor(code: ErrorCode, options?: ErrorOptions & { message?: string }) {
    super(options?.message ?? MEANINGS[code], options);
    this.code = code;
  }

  static {
    // On the prototype, as the built-in errors have it: not an own property of every instance.
    Object.defineProperty(this.prototype, "name", { value: "CampaignSyncError", configurable: true, writable: true });
  }
}

/** Whether a word is a code of the list. */
export function isErrorCode(word: unknown): word is ErrorCode {
  return typeof word === "string" && Object.hasOwn(MEANINGS, word);
}

/** The machine throws bare codes; callers get the one class they can test for. */
export function asCampaignSyncError(error: unknown): unknown {
  return isErrorCode(error) ? new CampaignSyncError(error) : error;
}
