/** The sentences with which the test server refuses, as people read them. They are those of docs/ERRORS.md. */
import { meaningOf } from "../errors.js";
import type { ErrorCode } from "../words.js";

/** Sentences that only a server writes, so pages do not download them. */
const SENTENCES: Partial<Record<ErrorCode, string>> = {
  invalid_json: "A document is not JSON: check the server and the transport.",
  ambiguous_envelope: "A member of an envelope is repeated or its name is escaped: the server must not do so.",
  integrity_check_failed: "A transition failed its data integrity check: the phase did not change.",
  prerequisites_not_met: "A transition lacks its prerequisites: complete the present phase first.",
  rate_limited: "The server limits the rate of requests: try again after the pause that it names.",
  invalid_message: "A message is not understood: client and server have different versions.",
  unknown_type: "The server does not know this request: do without it.",
  illegal_transition: "The phase machine does not allow this action now: offer those of `allowedActions`.",
  expected_state_mismatch: "The campaign has moved on: look at the new state, then decide again.",
  behind: "The server's answers stay older than the page: try again later.",
  invalid_body: "The server refused the body or the query: compare it with the types of `campaign-sync/rest`.",
  method_not_allowed: "The route does not take this method: use another one.",
  not_found: "The server has no such route: check the address.",
};

/** The sentence of a code. */
export function sentenceOf(code: ErrorCode): string {
  return meaningOf(code) || (SENTENCES[code] ?? `The server refused this (${code}).`);
}
