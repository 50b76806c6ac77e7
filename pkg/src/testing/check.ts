/** Checks what tests pass to `campaign-sync/testing`. */
import { checked, checkedMembers, COUNT, oneOf, orNull, TEXT, type Rule, type Rules } from "../check.js";
import { CampaignSyncError, isErrorCode } from "../errors.js";
import { byteLength, type WireRow } from "./hash.js";
import type { RowPatch } from "./log.js";
import type { CampaignRecord } from "../types.js";
import type { ErrorCode, Phase, PhaseStatus } from "../words.js";

const PHASES: readonly Phase[] = ["setup", "domain_generation", "dns_validation", "http_keyword_validation", "extraction", "enrichment", "analysis", "cleanup"];
const STATUSES: readonly PhaseStatus[] = ["not_started", "ready", "configured", "in_progress", "paused", "completed", "failed", "skipped"];
const TEXT_BYTES_MAX = 65_535;

export const LONG_TEXT: Rule = [(it) => TEXT[0](it) && byteLength(it as string) <= TEXT_BYTES_MAX, "a well-formed text of at most 65,535 bytes"];
const NAME: Rule = [(it) => LONG_TEXT[0](it) && it !== "", "a well-formed text of 1 to 65,535 bytes"];
export const USER: Rule = orNull([(it) => typeof it === "string" && /^[-A-Za-z0-9_.@]{1,64}$/.test(it), "1 to 64 of A-Z, a-z, 0-9, _, ., @ and -"]);
export const ID: Rule = [(it) => typeof it === "string" && /^[A-Za-z0-9_-]{1,64}$/.test(it), "1 to 64 of A-Z, a-z, 0-9, _ and -"];
export const COUNT_FROM_1: Rule = [(it) => COUNT[0](it) && (it as number) > 0, "a whole number from 1"];
export const CODE: Rule = [isErrorCode, "a code of ERROR_CODES"];
const FINITE: Rule = [Number.isFinite, "a finite number"];
const HTTP_CODE: Rule = [(it) => Number.isInteger(it) && Math.abs(it as number) < 2 ** 31, "a whole number of 32 bits"];

export const TIMESTAMP: Rule = [(it) => typeof it === "string" && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,9}Z$/.test(it), "a time as Date.toISOString() writes it"];
/** Most rows that a number stands for. */
const NEW_ROWS_MAX = 1_000_000;
const NUMBER_OF_ROWS: Rule = [(it) => COUNT[0](it) && (it as number) <= NEW_ROWS_MAX, "a list of rows, or a number of at most 1,000,000"];

/** The members of a record. */
export const RECORD: Rules<CampaignRecord> = {
  name: [(it) => TEXT[0](it) && (it as string).length >= 1 && (it as string).length <= 200, "a well-formed text of 1 to 200 characters"],
  currentPhase: oneOf(...PHASES),
  phaseStatus: oneOf(...STATUSES),
  totalItems: COUNT,
  processedItems: COUNT,
  successfulItems: COUNT,
  failedItems: COUNT,
  progressPercentage: [(it) => FINITE[0](it) && (it as number) >= 0 && (it as number) <= 100, "a number from 0 to 100"],
  createdAt: TIMESTAMP,
  updatedAt: TIMESTAMP,
  errorMessage: LONG_TEXT,
};

/** The columns of a row. */
const ROW: Rules<WireRow> = {
  domainId: NAME,
  domain: NAME,
  offset: orNull([Number.isSafeInteger, "a whole number"]),
  dnsStatus: orNull(LONG_TEXT),
  httpStatus: orNull(LONG_TEXT),
  httpStatusCode: orNull(HTTP_CODE),
  leadStatus: orNull(LONG_TEXT),
  leadScore: orNull(FINITE),
};

/** Returns an id. Throws `invalid_campaign_id` for an invalid one. */
export function checkedId(campaignId: string): string {
  if (!ID[0](checked("campaignId", campaignId, TEXT))) throw new CampaignSyncError("invalid_campaign_id");
  return campaignId;
}

/** Returns a code. Throws `invalid_argument` for any other text. */
export function checkedCode(name: string, code: ErrorCode): ErrorCode {
  return checked(name, code, CODE);
}

/** Checks the rows of a change. A new row needs its name; a number stands for as many new rows. */
export function checkedRows(rows: readonly RowPatch[] | number, present: ReadonlyMap<string, unknown>): RowPatch[] {
  if (typeof rows === "number") return newRows(checked("rows", rows, NUMBER_OF_ROWS), present);
  checked("rows", rows, [Array.isArray, "a list of rows, or their number"]);
  const added = new Set<unknown>();
  return rows.map((row) => {
    const copy = checkedMembers("a row", row as WireRow, ROW);
    checked("domainId", copy.domainId, NAME);
    const isNew = !present.has(copy.domainId as string) && !added.has(copy.domainId);
    if (isNew) checked("domain", copy.domain, NAME);
    added.add(copy.domainId);
    return copy;
  });
}

function newRows(count: number, present: ReadonlyMap<string, unknown>): RowPatch[] {
  const rows: RowPatch[] = [];
  for (let offset = present.size; rows.length < count; offset++) {
    const domainId = `domain-${offset + 1}`;
    if (!present.has(domainId)) rows.push({ domainId, domain: `name-${offset + 1}.example`, offset });
  }
  return rows;
}
