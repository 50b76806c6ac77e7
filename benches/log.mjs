/**
 * Builds the event log for the bench once, with correct hashes by Node's SHA-256.
 *
 * The log begins with the campaign and its rows, which are not measured. The measured events have exactly 600 bytes and
 * change these rows: alternately a DNS result and a `domains.updated`.
 */
import { createHash } from "node:crypto";

/** The size of a measured event, in bytes. */
export const EVENT_BYTES = 600;

const CAMPAIGN = "cmp_5f0c1f6e8a4b4a55";
const EPOCH = "ep_7f3a2c1b";
const ROWS = 10_000;
const ROWS_PER_EVENT = 1_000;
const START = Date.UTC(2031, 3, 5, 6, 7, 8);

/**
 * @param {number} count the number of measured events
 * @param {number} rowCount the number of rows
 * @returns the log in two parts, and the expected rows at the end
 */
export function buildLog(count, rowCount = ROWS) {
  const log = new Log();
  const rows = Array.from({ length: rowCount }, (_, index) => newRow(index));
  const preload = [log.append("campaign.list.update", { action: "create", campaignId: CAMPAIGN, campaign: record() })];
  for (let first = 0; first < rowCount; first += ROWS_PER_EVENT) {
    const domains = rows.slice(first, first + ROWS_PER_EVENT).map(({ domainId, domain, offset }) => ({ domainId, domain, offset }));
    preload.push(log.append("domains.updated", { campaignId: CAMPAIGN, domains }));
  }
  const measured = [];
  for (let index = 0; index < count; index += 1) {
    // With a prime step, neighbouring events change rows that are far apart, as parallel validators do.
    const row = rows[(index * 7_919) % rowCount];
    const next = rows[(index * 7_919 + 1) % rowCount];
    measured.push(index % 2 === 0 ? dnsResult(log, row, index) : rowsUpdate(log, row, next, index));
  }
  return { campaignId: CAMPAIGN, epoch: EPOCH, preload, measured, rows };
}

/** Numbers, chains and hashes the events of one campaign. */
class Log {
  #number = 0;
  #previousEventId = null;

  /** Appends an event and returns its text. `tail` lengthens its id. */
  append(type, data, tail = "") {
    const { document, eventId } = this.#next(type, data, tail);
    this.#number += 1;
    this.#previousEventId = eventId;
    return document;
  }

  /** Returns the bytes that the next event lacks to the measured size. Throws if it is too large. */
  missing(type, data) {
    const missing = EVENT_BYTES - Buffer.byteLength(this.#next(type, data, "").document);
    if (missing < 0) throw new RangeError(`${type} is ${-missing} bytes too large`);
    return missing;
  }

  #next(type, data, tail) {
    const number = this.#number + 1;
    const timestamp = new Date(START + number).toISOString();
    const eventId = `evt_${String(number).padStart(12, "0")}${tail}`;
    const at = [CAMPAIGN, EPOCH, number, eventId, this.#previousEventId, false];
    return { eventId, document: frame(type, timestamp, JSON.stringify(data), at.map((member) => JSON.stringify(member))) };
  }
}

/** Returns one document. Its hash covers the raw text of its members. */
function frame(type, timestamp, data, [campaignId, epoch, number, eventId, previousEventId, checkpoint]) {
  const body = `"type":"${type}","timestamp":"${timestamp}","data":${data}`;
  const at = [campaignId, epoch, number, eventId, previousEventId, checkpoint].join(",");
  const hash = createHash("sha256").update(`{${body},"at":[${at}]}`).digest("hex");
  const sequence =
    `{"campaignId":${campaignId},"epoch":${epoch},"eventId":${eventId},"sequenceNumber":${number},` +
    `"eventHash":"${hash}","previousEventId":${previousEventId},"checkpointData":${checkpoint}}`;
  return `{${body},"sequence":${sequence}}`;
}

function dnsResult(log, row, index) {
  row.dnsStatus = index % 5 === 0 ? "unresolved" : "resolved";
  const data = {
    campaignId: CAMPAIGN,
    domainId: row.domainId,
    domain: row.domain,
    validationStatus: row.dnsStatus,
    dnsRecords: { TXT: [""] },
    attempts: 1 + (index % 3),
    processingTime: 12 + (index % 80),
    totalValidated: index,
  };
  const type = "dns.validation.result";
  data.dnsRecords.TXT[0] = "v".repeat(log.missing(type, data));
  return log.append(type, data);
}

function rowsUpdate(log, row, next, index) {
  row.httpStatus = index % 7 === 0 ? "invalid" : "valid";
  row.httpStatusCode = index % 7 === 0 ? 404 : 200;
  row.leadStatus = index % 3 === 0 ? "match" : "no_match";
  row.leadScore = (index % 400) / 4;
  next.dnsStatus = "resolved";
  next.httpStatus = "pending";
  const { domainId, httpStatus, httpStatusCode, leadStatus, leadScore } = row;
  const domains = [
    { domainId, httpStatus, httpStatusCode, leadStatus, leadScore },
    { domainId: next.domainId, dnsStatus: next.dnsStatus, httpStatus: next.httpStatus },
  ];
  const data = { campaignId: CAMPAIGN, domains };
  const type = "domains.updated";
  return log.append(type, data, "x".repeat(log.missing(type, data)));
}

function newRow(offset) {
  const domainId = `dom_${createHash("sha256").update(`row ${offset}`).digest("hex").slice(0, 16)}`;
  return {
    domainId,
    domain: `shop-${String(offset).padStart(5, "0")}.example`,
    offset,
    dnsStatus: null,
    httpStatus: null,
    httpStatusCode: null,
    leadStatus: null,
    leadScore: null,
  };
}

function record() {
  return {
    campaignId: CAMPAIGN,
    name: "Bench",
    currentPhase: "dns_validation",
    phaseStatus: "in_progress",
    totalItems: ROWS,
    processedItems: 0,
    successfulItems: 0,
    failedItems: 0,
    progressPercentage: 0,
    totalDomainCount: 0,
    createdAt: new Date(START).toISOString(),
    updatedAt: new Date(START).toISOString(),
  };
}
