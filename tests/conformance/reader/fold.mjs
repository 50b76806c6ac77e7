// Chapter 10: the record, the rows, and the effect of each event.

import { Refused, finite, integer, member, optional, text } from "./json.mjs";
import { digestOf } from "./digest.mjs";

export const PHASES = [
  "setup", "domain_generation", "dns_validation", "http_keyword_validation", "extraction", "enrichment", "analysis",
  "cleanup",
];
export const STATUSES = [
  "not_started", "ready", "configured", "in_progress", "paused", "completed", "failed", "skipped",
];
const COUNTERS = ["totalItems", "processedItems", "successfulItems", "failedItems"];
const MOST_ROWS = 1_000;
const MOST_TEXT = 65_535;

const invalid = (what) => {
  throw new Refused("invalid_content", what);
};

function word(node, words) {
  const value = text(node);
  return words.includes(value) ? value : invalid(`${value} is no such word`);
}

function object(node, what) {
  return node?.kind === "object" ? node : invalid(`${what} is no object`);
}

function list(node, what, most = Infinity) {
  if (node?.kind !== "array") invalid(`${what} is no list`);
  return node.items.length > most ? invalid(`${what} is too long`) : node.items;
}

function boolean(node, what) {
  return node?.kind === "boolean" ? node.value : invalid(`${what} is no boolean`);
}

/** Reads a member that may be absent, but not `null`. */
const present = (node, name, read, otherwise) => (member(node, name) === undefined ? otherwise : read(member(node, name)));
const count = (node) => integer(node, 0);
const digest = (node) => (/^[0-9a-f]{16}$/.test(text(node)) ? node.value : invalid("no digest"));
const given = (node, name, read) => (optional(node, name) === undefined ? undefined : read(optional(node, name)));

/** Reads a record. An absent counter is 0, and an absent text is empty. */
export function readRecord(node) {
  object(node, "campaign");
  const record = {
    name: present(node, "name", text, ""),
    currentPhase: word(member(node, "currentPhase"), PHASES),
    phaseStatus: word(member(node, "phaseStatus"), STATUSES),
  };
  for (const counter of COUNTERS) record[counter] = present(node, counter, count, 0);
  record.progressPercentage = present(node, "progressPercentage", finite, 0);
  record.totalDomainCount = present(node, "totalDomainCount", count, 0);
  record.createdAt = given(node, "createdAt", text) ?? "";
  record.updatedAt = given(node, "updatedAt", text) ?? "";
  record.errorMessage = given(node, "errorMessage", text) ?? null;
  return record;
}

function name(node, what) {
  const value = text(node);
  const length = Buffer.byteLength(value);
  return length >= 1 && length <= MOST_TEXT ? value : invalid(`${what} has ${length} bytes`);
}

function statusCode(node) {
  const value = integer(node);
  return Math.abs(value) < 2 ** 31 ? value : invalid("httpStatusCode is out of its range");
}

const COLUMN_READERS = {
  offset: (node) => integer(node),
  dnsStatus: text,
  httpStatus: text,
  httpStatusCode: statusCode,
  leadStatus: text,
  leadScore: finite,
};

/** Reads a row patch. An absent column stays as it is, and `null` clears it. */
export function readPatch(node) {
  object(node, "row");
  const patch = { domainId: name(member(node, "domainId"), "domainId") };
  const domain = member(node, "domain");
  if (domain !== undefined) patch.domain = name(domain, "domain");
  for (const [column, read] of Object.entries(COLUMN_READERS)) {
    const value = member(node, column);
    if (value !== undefined) patch[column] = value.kind === "null" ? null : read(value);
  }
  return patch;
}

function patchOf(node, columns) {
  const patch = { domainId: name(member(node, "domainId"), "domainId") };
  for (const [from, to] of Object.entries(columns)) {
    const value = member(node, from);
    if (value === undefined) continue;
    if (to === "domain") patch.domain = name(value, "domain");
    else patch[to] = value.kind === "null" ? null : COLUMN_READERS[to](value);
  }
  return patch;
}

/** Returns the rows that these patches change. One invalid patch makes all of them invalid. */
function patched(rows, patches) {
  const changed = new Map();
  for (const patch of patches) {
    const old = changed.get(patch.domainId) ?? rows.get(patch.domainId);
    if (old === undefined && patch.domain === undefined) invalid(`unknown row ${patch.domainId} without a domain`);
    const row = { ...old, ...patch };
    for (const column of Object.keys(row)) if (row[column] === null) delete row[column];
    changed.set(patch.domainId, row);
  }
  return changed;
}

const progressOf = ({ totalItems, processedItems }) =>
  totalItems === 0 ? 0 : Math.min(100, (processedItems / totalItems) * 100);

function readRollback(node) {
  const rollback = optional(node, "rollbackData");
  if (rollback === undefined) return undefined;
  object(rollback, "rollbackData");
  if (rollback.members.length === 0) return undefined;
  const counters = optional(rollback, "counters");
  const read = {
    currentPhase: word(member(rollback, "phase"), PHASES),
    phaseStatus: word(member(rollback, "status"), STATUSES),
    totalDomainCount: integer(member(rollback, "totalDomainCount"), 0),
  };
  object(counters, "counters");
  for (const counter of COUNTERS) read[counter] = present(counters, counter, count, 0);
  return { ...read, progressPercentage: progressOf(read) };
}

/** Reads the data of a transition. */
export function readTransition(data) {
  const read = {
    previousPhase: given(data, "previousPhase", (node) => word(node, PHASES)),
    newPhase: word(member(data, "newPhase"), PHASES),
    newStatus: word(member(data, "newStatus"), STATUSES),
    transitionType: text(member(data, "transitionType")),
    prerequisitesMet: boolean(member(data, "prerequisitesMet"), "prerequisitesMet"),
    dataIntegrityCheck: boolean(member(data, "dataIntegrityCheck"), "dataIntegrityCheck"),
    domainsCount: integer(member(data, "domainsCount"), 0),
    domainsDigest: given(data, "domainsDigest", digest),
  };
  given(data, "triggerReason", text);
  given(data, "estimatedDuration", finite);
  given(data, "transitionMetadata", (node) => object(node, "transitionMetadata"));
  for (const field of ["processedCount", "successfulCount", "failedItems"]) read[field] = integer(member(data, field), 0);
  read.isRefused = !read.prerequisitesMet || !read.dataIntegrityCheck;
  read.rollback = readRollback(data);
  read.record = given(data, "campaign", readRecord);
  return read;
}

function transition(state, data) {
  const read = readTransition(data);
  if (read.isRefused) return { refusedTransition: true };
  if (read.previousPhase !== undefined && state.record !== null && read.previousPhase !== state.record.currentPhase) {
    return { divergence: true };
  }
  read.record ??= fromCounts(state.record, read);
  if (read.record.currentPhase !== read.newPhase || read.record.phaseStatus !== read.newStatus) {
    invalid("the record is not what the transition says");
  }
  const total = Math.max(state.record?.totalDomainCount ?? 0, read.record.totalDomainCount);
  const record = { ...read.record, totalDomainCount: total };
  if (read.transitionType === "error_recovery" && read.rollback !== undefined) Object.assign(record, read.rollback);
  return { record, claims: { domainsCount: read.domainsCount, domainsDigest: read.domainsDigest } };
}

/** Returns the record after a transition that does not carry a record. */
function fromCounts(before, { newPhase, newStatus, domainsCount, processedCount, successfulCount, failedItems }) {
  const counters = {
    totalItems: domainsCount, processedItems: processedCount, successfulItems: successfulCount, failedItems,
  };
  return {
    name: "", createdAt: "", updatedAt: "", ...before, currentPhase: newPhase, phaseStatus: newStatus, errorMessage: null,
    ...counters, progressPercentage: progressOf(counters), totalDomainCount: domainsCount,
  };
}

function rowsChange(state, patches) {
  const changed = patched(state.rows, patches);
  let total = state.rows.size;
  for (const domainId of changed.keys()) if (!state.rows.has(domainId)) total += 1;
  return { changed, record: counted(state, total) };
}

const counted = (state, total) => (state.record === null ? null : { ...state.record, totalDomainCount: total });

function progress(state, data) {
  const counters = Object.fromEntries(COUNTERS.map((counter) => [counter, integer(member(data, counter), 0)]));
  const phase = word(member(data, "currentPhase"), PHASES);
  const phaseStatus = word(member(data, "phaseStatus"), STATUSES);
  const progressPercentage = finite(member(data, "progressPercent"));
  if (state.record?.currentPhase !== phase) return {};
  return { record: { ...state.record, ...counters, phaseStatus, progressPercentage } };
}

function statusChange(state, data) {
  const phase = given(data, "currentPhase", (node) => word(node, PHASES));
  const phaseStatus = word(member(data, "phaseStatus"), STATUSES);
  const message = given(data, "message", text);
  if (state.record === null || (phase !== undefined && phase !== state.record.currentPhase)) return {};
  const errorMessage = phaseStatus === "failed" ? (message ?? null) : null;
  return { record: { ...state.record, phaseStatus, errorMessage } };
}

function listUpdate(state, data) {
  const action = text(member(data, "action"));
  const record = given(data, "campaign", readRecord);
  if (action === "delete") return { ended: true };
  if (action !== "create" && action !== "update") return {};
  return { record: record ?? invalid("no record") };
}

function result(state, data, columns) {
  text(member(data, "validationStatus"));
  return rowsChange(state, [patchOf(data, columns)]);
}

const EFFECTS = {
  "campaign.list.update": listUpdate,
  "campaign.deleted": () => ({ ended: true }),
  "campaign.progress": progress,
  "campaign.status": statusChange,
  "campaign.phase.transition": transition,
  "domain.generated": (state, data) => rowsChange(state, [patchOf(data, { domain: "domain", offset: "offset" })]),
  "dns.validation.result": (state, data) => result(state, data, { domain: "domain", validationStatus: "dnsStatus" }),
  "http.validation.result": (state, data) =>
    result(state, data, { domain: "domain", validationStatus: "httpStatus", httpStatus: "httpStatusCode" }),
  "domains.updated": (state, data) =>
    rowsChange(state, list(member(data, "domains"), "domains", MOST_ROWS).map(readPatch)),
  "domains.removed": (state, data) => {
    const ids = list(member(data, "domainIds"), "domainIds", MOST_ROWS).map(text);
    const removed = new Set(ids.filter((id) => state.rows.has(id)));
    return { removed, record: counted(state, state.rows.size - removed.size) };
  },
  "system.notification": (state, data) => {
    text(member(data, "level"));
    text(member(data, "message"));
    return {};
  },
  "proxy.status": () => ({}),
  "phase.state.changed": () => ({}),
  "phase.configuration.required": () => ({}),
};

export const isKnown = (type) => Object.hasOwn(EFFECTS, type);
export const emptyState = () => ({ record: null, rows: new Map(), ended: false });

/**
 * Returns the effect of the event without applying it. Throws if the event cannot be applied. `divergence` in the
 * effect is row 13 of chapter 13.
 */
export function effectOf(state, event) {
  object(event.data, "data");
  const campaignId = member(event.data, "campaignId");
  if (campaignId !== undefined && text(campaignId) !== event.campaignId) invalid("data is of another campaign");
  return EFFECTS[event.type](state, event.data);
}

/** Applies an effect to the state. */
export function apply(state, { record, changed, removed, ended }) {
  if (record) state.record = record;
  for (const [domainId, row] of changed ?? []) state.rows.set(domainId, row);
  for (const domainId of removed ?? []) state.rows.delete(domainId);
  if (ended) state.ended = true;
}

export const stateDigest = (state) => digestOf(state.rows.values());
