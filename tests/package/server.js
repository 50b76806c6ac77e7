/** A fake server: it makes frames of protocol v1 with correct hashes. */
import { createHash } from "node:crypto";

export const EPOCH = "log-1";
export const CAMPAIGN = "demo";
const TIMESTAMP = "2026-01-02T03:04:05.678Z";

/** Returns a control message as text. */
export function control(type, data) {
  return JSON.stringify({ type, timestamp: TIMESTAMP, data });
}

/** The log of one campaign. It chains and hashes the events. */
export class EventLog {
  #number = 0;
  #previous = null;

  /** Appends an event and returns its text on the wire. */
  append(type, data, checkpointData = false) {
    this.#number += 1;
    const eventId = `event-${this.#number}`;
    const raw = {
      type: JSON.stringify(type),
      timestamp: JSON.stringify(TIMESTAMP),
      data: JSON.stringify(data),
      at: [CAMPAIGN, EPOCH, this.#number, eventId, this.#previous, checkpointData].map((member) => JSON.stringify(member)),
    };
    const hashed = `{"type":${raw.type},"timestamp":${raw.timestamp},"data":${raw.data},"at":[${raw.at.join(",")}]}`;
    const sequence = {
      campaignId: CAMPAIGN,
      epoch: EPOCH,
      sequenceNumber: this.#number,
      eventId,
      previousEventId: this.#previous,
      checkpointData,
      eventHash: createHash("sha256").update(hashed).digest("hex"),
    };
    this.#previous = eventId;
    return `{"type":${raw.type},"timestamp":${raw.timestamp},"data":${raw.data},"sequence":${JSON.stringify(sequence)}}`;
  }
}

/** Returns the record of the campaign. */
export function record(members = {}) {
  return {
    campaignId: CAMPAIGN,
    name: "From the tarball",
    currentPhase: "domain_generation",
    phaseStatus: "in_progress",
    totalItems: 2,
    processedItems: 0,
    successfulItems: 0,
    failedItems: 0,
    progressPercentage: 0,
    totalDomainCount: 0,
    createdAt: TIMESTAMP,
    updatedAt: TIMESTAMP,
    ...members,
  };
}

/** Returns the data of the first event of a log. */
export const created = () => ({ action: "create", campaignId: CAMPAIGN, campaign: record() });

/** Returns the data of a transition to DNS validation without rows. The digest of no rows is zero. */
export function transition() {
  return {
    campaignId: CAMPAIGN,
    previousPhase: "domain_generation",
    newPhase: "dns_validation",
    newStatus: "configured",
    transitionType: "manual",
    triggerReason: "requested",
    prerequisitesMet: true,
    dataIntegrityCheck: true,
    domainsCount: 0,
    processedCount: 0,
    successfulCount: 0,
    failedItems: 0,
    estimatedDuration: 5,
    transitionMetadata: {},
    rollbackData: {},
    campaign: record({ currentPhase: "dns_validation", phaseStatus: "configured" }),
    domainsDigest: "0000000000000000",
  };
}

/** Returns the data of an event that creates a row. */
export function generated(offset, domain) {
  const domainId = `00000000-0000-4000-8000-00000000000${offset}`;
  return { campaignId: CAMPAIGN, domainId, domain, offset, batchSize: 1, totalGenerated: offset + 1 };
}
