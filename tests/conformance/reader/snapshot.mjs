// Chapter 9: stages a snapshot while it arrives, beside the state that is shown.

import { Refused, integer, member, optional, text } from "./json.mjs";
import { digestOf } from "./digest.mjs";
import { readPatch, readRecord } from "./fold.mjs";

const MOST_PARTS = 100_000;

/** Reads the `data` of one part. */
export function readPart(data) {
  if (data?.kind !== "object") throw new Refused("invalid_content", "data");
  const part = {
    campaignId: text(member(data, "campaignId")),
    requestId: optional(data, "requestId")?.value,
    epoch: text(member(data, "epoch")),
    number: integer(member(data, "sequenceNumber"), 0),
    eventId: text(member(data, "eventId")),
    part: integer(member(data, "part"), 1),
    parts: integer(member(data, "parts"), 1),
    domainsCount: integer(member(data, "domainsCount"), 0),
    domainsDigest: text(member(data, "domainsDigest")),
    rows: member(data, "domains")?.items?.map(readRow),
  };
  if (part.rows === undefined || part.part > part.parts || part.parts > MOST_PARTS) {
    throw new Refused("invalid_content", "part");
  }
  if (part.part === 1) part.record = readRecord(member(data, "campaign"));
  return part;
}

function readRow(node) {
  const row = readPatch(node);
  if (row.domain === undefined) throw new Refused("invalid_content", "a row without a domain");
  for (const column of Object.keys(row)) if (row[column] === null) delete row[column];
  return row;
}

export class Staging {
  /** Begins at the outcome `snapshot`, with the number of the snapshot. */
  constructor({ requestId, epoch, number }) {
    Object.assign(this, { requestId, epoch, number });
    this.restart();
  }

  restart() {
    Object.assign(this, { done: 0, rows: new Map(), record: null, parts: undefined, said: undefined });
  }

  /** Whether this part is the next one. A part with another number of parts restarts the staging. */
  expects(part) {
    if (this.parts !== undefined && part.parts !== this.parts) this.restart();
    return part.part === this.done + 1;
  }

  /** Takes the next part and returns whether it was the last. Throws if the parts do not belong together. */
  take(part) {
    if (part.epoch !== this.epoch || part.number !== this.number) throw new Refused("invalid_snapshot", "another state");
    if (part.part !== this.done + 1) throw new Refused("invalid_snapshot", `part ${part.part} after ${this.done}`);
    const said = [part.parts, part.domainsCount, part.domainsDigest, part.eventId].join();
    if (this.said !== undefined && this.said !== said) throw new Refused("invalid_snapshot", "parts contradict");
    Object.assign(this, { said, parts: part.parts });
    Object.assign(this, { eventId: part.eventId, count: part.domainsCount, digest: part.domainsDigest });
    if (part.record) this.record = part.record;
    for (const row of part.rows) {
      if (this.rows.has(row.domainId)) throw new Refused("invalid_snapshot", `row ${row.domainId} twice`);
      this.rows.set(row.domainId, row);
    }
    this.done = part.part;
    return part.part === part.parts;
  }

  /** Whether the rows match the announced count and digest. */
  addsUp() {
    return this.rows.size === this.count && digestOf(this.rows.values()) === this.digest;
  }
}
