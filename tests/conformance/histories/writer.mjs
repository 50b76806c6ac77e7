// Writes values as JSON in many equivalent forms, and events in the form that a server writes.

import { createHash } from "node:crypto";

/** Raw JSON text, which is written unchanged. */
export class Raw {
  constructor(text) {
    this.text = text;
  }
}

/** An object as a list of members, in which a member may occur twice. */
export class Members {
  constructor(entries) {
    this.entries = entries;
  }
}

const space = (random, style) => (style.spaces && random.chance(0.2) ? random.pick([" ", "\t", "  ", "\r"]) : "");

function escaped(random, text) {
  let written = "";
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    const pair = unit >= 0xd800 && unit <= 0xdfff;
    if (pair || !random.chance(0.1)) {
      written += JSON.stringify(text[at]).slice(1, -1);
      continue;
    }
    const digits = unit.toString(16).padStart(4, "0");
    written += `\\u${random.chance(0.5) ? digits : digits.toUpperCase()}`;
  }
  return `"${written}"`;
}

/** Returns the JSON text of a value. `style` selects random spaces, escapes and orders of members. */
export function write(random, style, value) {
  if (value instanceof Raw) return value.text;
  if (typeof value === "string") {
    const isWhole = JSON.stringify(value);
    return style.escapes && !/[\ud800-\udfff]/.test(value) ? escaped(random, value) : isWhole;
  }
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const gap = () => space(random, style);
  if (Array.isArray(value)) {
    return `[${value.map((item) => `${gap()}${write(random, style, item)}${gap()}`).join(",")}]`;
  }
  const all = value instanceof Members ? value.entries : Object.entries(value);
  const entries = style.shuffles && !(value instanceof Members) ? random.shuffled(all) : all;
  const members = entries
    .filter(([, item]) => item !== undefined)
    .map(([name, item]) => `${gap()}"${name}"${gap()}:${gap()}${write(random, style, item)}${gap()}`);
  return `{${members.join(",")}}`;
}

/** Returns the text of an event, and its hash. */
export function writeEvent(random, style, { type, timestamp, data, at, previousEventId, eventId }) {
  const bare = { spaces: false, escapes: false, shuffles: false };
  const raw = {
    type: write(random, bare, type),
    timestamp: write(random, bare, timestamp),
    data: write(random, style, data),
    campaignId: write(random, bare, at.campaignId),
    epoch: write(random, bare, at.epoch),
    number: String(at.number),
    eventId: write(random, bare, eventId),
    previous: write(random, bare, previousEventId),
    checkpoint: String(type === "campaign.phase.transition"),
  };
  const place = [raw.campaignId, raw.epoch, raw.number, raw.eventId, raw.previous, raw.checkpoint].join(",");
  const hashed = `{"type":${raw.type},"timestamp":${raw.timestamp},"data":${raw.data},"at":[${place}]}`;
  const hash = createHash("sha256").update(hashed).digest("hex");
  const sequence = {
    campaignId: new Raw(raw.campaignId),
    epoch: new Raw(raw.epoch),
    eventId: new Raw(raw.eventId),
    sequenceNumber: new Raw(raw.number),
    eventHash: hash,
    previousEventId: new Raw(raw.previous),
    checkpointData: new Raw(raw.checkpoint),
    ...(style.unknown && random.chance(0.1) ? { shard: 3 } : {}),
  };
  const plain = { ...style, escapes: false };
  const document = {
    type: new Raw(raw.type),
    timestamp: new Raw(raw.timestamp),
    data: new Raw(raw.data),
    sequence: new Raw(write(random, plain, sequence)),
    ...(style.unknown && random.chance(0.1) ? { trace: { id: "x" } } : {}),
  };
  return { source: write(random, plain, document), hash };
}
