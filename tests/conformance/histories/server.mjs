// A model server for random histories: logs, cursors, recovery, snapshots and bucket repair, after chapters 8 to 12.
// It sends what a server may send. history.mjs simulates the faults of the transport.

import { readDocument } from "../reader/frame.mjs";
import { apply, effectOf, emptyState, isKnown } from "../reader/fold.mjs";
import { bucketOf, bucketsOf, digestOf } from "../reader/digest.mjs";
import { beginning, draw, ending } from "./content.mjs";
import { writeEvent } from "./writer.mjs";

const NOW = "2031-04-05T06:07:08.000Z";

class Log {
  state = emptyState();
  events = [];
  oldest = 1;
  head = 0;
  lastId = "";
  ended = false;
  cursor = null;

  event(number) {
    return this.events[number - 1];
  }
}

export class ModelServer {
  /** `out` receives each document that is written to the socket. */
  constructor(random, style, faults, campaigns, out) {
    Object.assign(this, { random, style, faults, out, epochs: 1, ids: 0 });
    this.logs = new Map(campaigns.map((campaignId) => [campaignId, new Log()]));
    this.snapshots = new Map();
    for (const [campaignId, log] of this.logs) {
      log.epoch = "log-1";
      this.append(campaignId, beginning(random, log.state));
    }
  }

  control(type, data) {
    this.out(JSON.stringify({ type, timestamp: NOW, data }));
  }

  /** Returns the campaign id for `data`. Sometimes it differs from the id in the envelope, or is invalid. */
  wrongId(campaignId) {
    return this.random.chance(this.faults.breaks / 20) ? this.random.pick(["other-1", "", null, 7, "a b"]) : campaignId;
  }

  append(campaignId, [type, data]) {
    const log = this.logs.get(campaignId);
    log.head += 1;
    this.ids += 1;
    const withId = type === "campaign.list.update" || this.random.chance(0.9) ? prepend(log.head > 1 ? this.wrongId(campaignId) : campaignId, data) : data;
    const eventId = `ev-${this.ids}`;
    const at = { campaignId, epoch: log.epoch, number: log.head };
    const previousEventId = log.lastId === "" ? null : log.lastId;
    const { source } = writeEvent(this.random, this.style, { type, timestamp: NOW, data: withId, at, previousEventId, eventId });
    log.lastId = eventId;
    log.events[log.head - 1] = source;
    const event = readDocument(source);
    try {
      const effect = isKnown(type) ? effectOf(log.state, event) : {};
      if (!effect.divergence) apply(log.state, effect);
    } catch {
      // The event cannot be applied. The log keeps it, and the state is the fold of the other events.
    }
    this.push(log);
  }

  /** Appends a random event, unless the campaign has ended. */
  move(campaignId) {
    const log = this.logs.get(campaignId);
    if (!log.ended) this.append(campaignId, draw(this.random, log.state, this.faults));
  }

  end(campaignId) {
    const log = this.logs.get(campaignId);
    if (log.ended) return;
    log.ended = true;
    this.append(campaignId, ending(this.random));
  }

  truncate(campaignId) {
    const log = this.logs.get(campaignId);
    log.oldest = this.random.between(log.oldest, log.head + 1);
  }

  /** Changes a row without an event, which duty 5 forbids. */
  tamper(campaignId) {
    const { state } = this.logs.get(campaignId);
    const row = this.random.pick([...state.rows.values()]);
    if (row !== undefined) state.rows.set(row.domainId, { ...row, dnsStatus: "tampered" });
  }

  /** Simulates a restore from a backup: a new epoch, without the former history. */
  restore(campaignId) {
    const log = this.logs.get(campaignId);
    this.epochs += 1;
    log.epoch = `log-${this.epochs}`;
    log.head = Math.max(1, log.head - this.random.between(0, 3));
    log.events.length = log.head;
    log.oldest = log.head + 1;
    this.ids += 1;
    log.lastId = `ev-${this.ids}`;
    // A server that detects the restore disconnects or notifies its clients. Here the cursor continues in the new log.
    if (log.cursor !== null) log.cursor = log.head + 1;
  }

  push(log) {
    if (log.cursor === null) return;
    for (; log.cursor <= log.head; log.cursor += 1) this.out(log.event(log.cursor));
  }

  connected() {
    for (const log of this.logs.values()) Object.assign(log, { cursor: null, subscribed: false });
  }

  receive(source) {
    const { type, payload, ...rest } = JSON.parse(source);
    const fields = { ...rest, ...payload };
    if (type === "connection_init") {
      const data = { connectionId: "k", protocol: "campaign-sync.v1", heartbeatMs: 5_000, maxFrameBytes: 1_048_576 };
      return this.control("connection_ack", data);
    }
    if (type === "ping") return this.pong(fields.timestamp);
    const { campaignId, requestId } = fields;
    const log = this.logs.get(campaignId);
    if (type === "subscribe_campaign") {
      log.subscribed = true;
      const head = { epoch: log.epoch, lastSequenceNumber: log.head, oldestSequenceNumber: log.oldest };
      return this.control("subscription_confirmed", { campaignId, ...head });
    }
    if (!log.subscribed) {
      const data = { code: "invalid_message", message: "not subscribed", campaignId, requestId };
      return this.control("error", data);
    }
    if (type === "request_event_recovery") return this.recover(log, fields);
    this.push(log);
    if (type === "request_campaign_digest") {
      const buckets = bucketsOf(log.state.rows.values());
      const at = { epoch: log.epoch, sequenceNumber: log.head };
      return this.control("campaign.digest", { campaignId, requestId, ...at, buckets });
    }
    if (type === "request_campaign_snapshot") return this.buckets(log, fields);
  }

  pong(echo) {
    const heads = [];
    for (const [campaignId, log] of this.logs) {
      if (log.cursor === null) continue;
      const isHead = log.cursor === log.head + 1;
      const { rows } = log.state;
      const counts = isHead ? { domainsCount: rows.size, domainsDigest: digestOf(rows.values()) } : {};
      heads.push({ campaignId, epoch: log.epoch, lastSequenceNumber: log.cursor - 1, logHead: log.head, ...counts });
    }
    this.control("pong", { timestamp: echo, heads });
  }

  recover(log, { campaignId, requestId, lastSequenceNumber, epoch, prefer, resume }) {
    const answer = (outcome, from, to) => this.control("event_recovery", {
      campaignId, requestId, epoch: log.epoch, outcome, fromSequenceNumber: from, toSequenceNumber: to,
    });
    const isOurs = epoch === undefined || epoch === log.epoch;
    if (isOurs && prefer !== "snapshot" && lastSequenceNumber <= log.head && lastSequenceNumber + 1 >= log.oldest) {
      const isCurrent = lastSequenceNumber === log.head;
      answer(isCurrent ? "current" : "replay", lastSequenceNumber + 1, log.head);
      log.cursor = lastSequenceNumber + 1;
      return this.push(log);
    }
    const key = `${campaignId} ${resume?.epoch}/${resume?.at}`;
    const held = this.snapshots.get(key);
    const resumed = held && resume.epoch === log.epoch && log.oldest <= resume.at + 1 && lastSequenceNumber <= resume.at;
    const parts = resumed ? held : this.snapshot(log, campaignId);
    const at = parts[0].sequenceNumber;
    answer("snapshot", at + 1, at);
    for (const part of parts.slice(resumed ? resume.afterPart : 0)) {
      this.control("campaign.snapshot", { ...part, requestId });
    }
    log.cursor = at + 1;
    return this.push(log);
  }

  snapshot(log, campaignId) {
    const rows = [...log.state.rows.values()];
    const parts = this.cut(log, campaignId, rows, this.random.between(1, 4));
    this.snapshots.set(`${campaignId} ${log.epoch}/${log.head}`, parts);
    return parts;
  }

  buckets(log, { campaignId, requestId, buckets }) {
    const rows = [...log.state.rows.values()].filter(({ domainId }) => buckets.includes(bucketOf(domainId)));
    for (const part of this.cut(log, campaignId, rows, this.random.between(1, 2))) {
      this.control("campaign.snapshot", { ...part, requestId });
    }
  }

  cut(log, campaignId, rows, parts) {
    const whole = { domainsCount: log.state.rows.size, domainsDigest: digestOf(log.state.rows.values()) };
    const size = Math.ceil(rows.length / parts);
    return Array.from({ length: parts }, (_, index) => ({
      campaignId, epoch: log.epoch, sequenceNumber: log.head, eventId: log.lastId, part: index + 1, parts,
      ...(index === 0 ? { campaign: log.state.record } : {}),
      domains: rows.slice(index * size, (index + 1) * size), ...whole,
    }));
  }
}

function prepend(campaignId, data) {
  if (data.entries !== undefined && Array.isArray(data.entries)) {
    data.entries.push(["campaignId", campaignId]);
    return data;
  }
  const made = { campaignId, ...data };
  if (made.campaign?.campaignId === "") made.campaign = { ...made.campaign, campaignId };
  return made;
}
