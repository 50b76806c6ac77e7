// The server's side of a socket, for tests of the compiled module: one campaign, its events with correct hashes, and the
// answers to the client's messages.
import { createHash } from "node:crypto";

import { digestOf } from "../../../tests/conformance/reader/digest.mjs";

export const CAMPAIGN = "campaign-1";
const EPOCH = "epoch-a";
const TIME = "2031-03-05T06:07:08Z";
const RECORD = { name: "n", currentPhase: "domain_generation", phaseStatus: "in_progress", totalItems: 0, processedItems: 0,
  successfulItems: 0, failedItems: 0, progressPercentage: 0, createdAt: TIME, updatedAt: TIME };

const message = (type, data) => JSON.stringify({ type, timestamp: TIME, data });

/** The log of one campaign, and the answers of a server that has it. */
export class Stream {
  events = [];
  rows = [];

  constructor() {
    this.append("campaign.list.update", { action: "create", campaignId: CAMPAIGN, campaign: RECORD });
  }

  /** The number of the last event. */
  get head() {
    return this.events.length;
  }

  /** Appends an event and returns its text. */
  append(type, data) {
    const number = this.head + 1;
    const previousEventId = number === 1 ? null : `ev-${number - 1}`;
    const at = [CAMPAIGN, EPOCH, number, `ev-${number}`, previousEventId, false];
    const body = `"type":${JSON.stringify(type)},"timestamp":"${TIME}","data":${JSON.stringify(data)}`;
    const eventHash = createHash("sha256").update(`{${body},"at":${JSON.stringify(at)}}`).digest("hex");
    const sequence = { campaignId: CAMPAIGN, epoch: EPOCH, eventId: at[3], sequenceNumber: number, eventHash, previousEventId, checkpointData: false };
    this.events.push(`{${body},"sequence":${JSON.stringify(sequence)}}`);
    return this.events.at(-1);
  }

  /** Appends an event that adds a row. */
  appendRow(name = `d-${this.head}.example`) {
    const offset = this.head;
    const domainId = `d-${offset}`;
    const row = { domainId, domain: name, offset, leadScore: 1.5 };
    this.rows.push(row);
    return this.append("domains.updated", { campaignId: CAMPAIGN, domains: [row] });
  }

  /** Answers a message of the client with frames. */
  answer(frame) {
    const { type, payload } = JSON.parse(frame);
    switch (type) {
      case "connection_init":
        return [message("connection_ack", { connectionId: "c", protocol: "campaign-sync.v1", heartbeatMs: 10_000, maxFrameBytes: 1_048_576 })];
      case "subscribe_campaign":
        return [message("subscription_confirmed", { campaignId: CAMPAIGN, epoch: EPOCH, lastSequenceNumber: this.head, oldestSequenceNumber: 1 })];
      case "request_event_recovery": {
        if (payload.prefer === "snapshot") return this.#snapshot(payload.requestId);
        const from = payload.lastSequenceNumber + 1;
        const outcome = from > this.head ? "current" : "replay";
        const data = { campaignId: CAMPAIGN, requestId: payload.requestId, epoch: EPOCH, outcome, fromSequenceNumber: from, toSequenceNumber: this.head };
        return [message("event_recovery", data), ...this.events.slice(payload.lastSequenceNumber)];
      }
      case "ping": {
        const heads = [{ campaignId: CAMPAIGN, epoch: EPOCH, lastSequenceNumber: this.head, logHead: this.head }];
        return [message("pong", { timestamp: payload.timestamp, heads })];
      }
      default:
        return [];
    }
  }

  #snapshot(requestId) {
    const [campaignId, epoch, sequenceNumber] = [CAMPAIGN, EPOCH, this.head];
    const recovery = { campaignId, requestId, epoch, outcome: "snapshot", fromSequenceNumber: sequenceNumber + 1, toSequenceNumber: sequenceNumber };
    const part = { campaignId, requestId, epoch, sequenceNumber, eventId: `ev-${sequenceNumber}`, part: 1, parts: 1, campaign: RECORD,
      domains: this.rows, domainsCount: this.rows.length, domainsDigest: digestOf(this.rows) };
    return [message("event_recovery", recovery), message("campaign.snapshot", part)];
  }
}
