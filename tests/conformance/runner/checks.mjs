// Checks of single documents that need no state: member names, codes, and the fields of a transition.

import { PHASES, STATUSES } from "../reader/fold.mjs";

/** The codes of chapter 14. */
export const CODES = new Set([
  "frame_too_large", "empty_frame", "too_many_documents", "invalid_utf8", "invalid_json", "too_deep", "lone_surrogate",
  "integer_out_of_range", "invalid_envelope", "ambiguous_envelope", "invalid_campaign_id", "invalid_content",
  "missing_sequence", "divergence", "integrity_check_failed", "prerequisites_not_met", "large_discrepancy",
  "invalid_snapshot", "unknown_campaign", "unauthorized", "forbidden", "rate_limited", "too_many", "invalid_message",
  "unknown_type", "illegal_transition", "expected_state_mismatch", "behind", "position_ahead", "invalid_body",
  "method_not_allowed", "not_found", "internal", "unsupported_protocol", "ack_timeout", "unexpected_document",
  "open_timeout", "invalid_token", "token_failed", "token_timeout", "signed_out", "closed", "fetch_failed", "not_sealed",
  "seal_broken", "unknown_key",
]);

/** Returns a member name, at any depth, that is repeated in its object or written with escapes (R2.8). */
export function ambiguousName({ members = [], items = [] }) {
  const names = new Set();
  for (const { name, escaped } of members) {
    if (escaped || names.has(name)) return name;
    names.add(name);
  }
  for (const node of [...members.map((member) => member.node), ...items]) {
    const name = ambiguousName(node);
    if (name !== undefined) return name;
  }
  return undefined;
}

const isText = (value) => typeof value === "string";
const isBoolean = (value) => typeof value === "boolean";
const isCount = (value) => Number.isSafeInteger(value) && value >= 0;
const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const isPhase = (value) => PHASES.includes(value);
const isStatus = (value) => STATUSES.includes(value);

/** Whether `value` has each of these fields, and each passes its test. */
const hasFields = (value, fields) => isObject(value) && Object.entries(fields).every(([name, test]) => test(value[name]));

const ROLLBACK = { phase: isPhase, status: isStatus, counters: isObject, totalDomainCount: isCount };
const TRANSITION = {
  campaignId: isText,
  previousPhase: isPhase,
  newPhase: isPhase,
  newStatus: isStatus,
  transitionType: (value) => ["manual", "automatic", "error_recovery"].includes(value),
  triggerReason: isText,
  prerequisitesMet: isBoolean,
  dataIntegrityCheck: isBoolean,
  domainsCount: isCount,
  processedCount: isCount,
  successfulCount: isCount,
  failedItems: isCount,
  estimatedDuration: Number.isFinite,
  transitionMetadata: isObject,
  rollbackData: (value) => isObject(value) && (Object.keys(value).length === 0 || hasFields(value, ROLLBACK)),
  campaign: (value) => hasFields(value, { currentPhase: isPhase, phaseStatus: isStatus }),
  domainsDigest: (value) => isText(value) && /^[0-9a-f]{16}$/.test(value),
};

/** Returns the first field that a `campaign.phase.transition` lacks or writes with another type (R10.10). */
export function missingTransitionField(data) {
  return Object.keys(TRANSITION).find((name) => !TRANSITION[name](data[name]));
}
