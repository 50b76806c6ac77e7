// Chapter 2 (frames) and chapter 4 (the envelope and its hash).

import { createHash } from "node:crypto";
import { Refused, integer, member, optional, parse } from "./json.mjs";

export const MOST_BYTES = 1_048_576;
export const MOST_DOCUMENTS = 10_000;
const CAMPAIGN_ID = /^[A-Za-z0-9_-]{1,64}$/;
/** The form of epochs and event ids: printable ASCII without `"`, `\` and `/`. */
const NAME = /^[!#-.0-[\]-~]{1,128}$/;
const HASH = /^[0-9a-f]{64}$/;

/** The event types of chapter 10. They must carry a sequence. */
export const EVENT_TYPES = new Set([
  "campaign.list.update", "campaign.deleted", "campaign.progress", "campaign.status",
  "campaign.phase.transition", "domain.generated", "dns.validation.result",
  "http.validation.result", "domains.updated", "domains.removed", "system.notification",
  "proxy.status", "phase.state.changed", "phase.configuration.required",
]);

export const CONTROL_TYPES = new Set([
  "connection_ack", "subscription_confirmed", "subscription_ended", "event_recovery",
  "campaign.snapshot", "campaign.digest", "pong", "error", "session_expired", "server_draining",
]);

/** Splits a frame into documents, as text. Throws if the frame is refused whole. */
export function documents(frame) {
  const bytes = typeof frame === "string" ? Buffer.from(frame) : frame;
  if (bytes.length > MOST_BYTES) throw new Refused("frame_too_large");
  let content;
  try {
    content = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Refused("invalid_utf8");
  }
  const found = content.split("\n").filter((line) => !/^[ \t\r]*$/.test(line));
  if (found.length === 0) throw new Refused("empty_frame");
  if (found.length > MOST_DOCUMENTS) throw new Refused("too_many_documents");
  return found;
}

function unambiguous(node) {
  const names = new Set();
  for (const { name, escaped } of node.members) {
    if (escaped || names.has(name)) throw new Refused("ambiguous_envelope", name);
    names.add(name);
  }
}

function bare(node, what, form = /^/) {
  if (node?.kind !== "string" || node.escaped || !form.test(node.value)) throw new Refused("invalid_envelope", what);
  return node.value;
}

/** Reads a document: an event if it has a `sequence`, else a control message. Throws the code that it breaks. */
export function readDocument(source) {
  const node = parse(source);
  if (node.kind !== "object") throw new Refused("invalid_envelope", "not an object");
  unambiguous(node);
  const type = bare(member(node, "type"), "type");
  const sequence = optional(node, "sequence");
  const data = member(node, "data");
  if (sequence === undefined) {
    if (EVENT_TYPES.has(type)) throw new Refused("missing_sequence", type);
    return { type, data, node, source };
  }
  return { type, data, node, source, ...event(source, node, type, sequence) };
}

function event(source, node, type, sequence) {
  if (sequence.kind !== "object") throw new Refused("invalid_envelope", "sequence");
  unambiguous(sequence);
  const timestamp = member(node, "timestamp");
  const data = member(node, "data");
  if (timestamp !== undefined && timestamp.kind !== "string") throw new Refused("invalid_envelope", "timestamp");
  const campaignNode = member(sequence, "campaignId");
  if (campaignNode?.kind !== "string" || campaignNode.escaped) throw new Refused("invalid_envelope", "campaignId");
  if (!CAMPAIGN_ID.test(campaignNode.value)) throw new Refused("invalid_campaign_id", campaignNode.value);
  const numberNode = member(sequence, "sequenceNumber");
  const epochNode = member(sequence, "epoch");
  const idNode = member(sequence, "eventId");
  const previousNode = member(sequence, "previousEventId");
  const checkpoint = member(sequence, "checkpointData");
  const number = envelopeInteger(numberNode);
  const hasPrevious = previousNode !== undefined && previousNode.kind !== "null";
  const read = {
    campaignId: campaignNode.value,
    epoch: bare(epochNode, "epoch", NAME),
    eventId: bare(idNode, "eventId", NAME),
    number,
    hash: bare(member(sequence, "eventHash"), "eventHash", HASH),
    previousEventId: hasPrevious ? bare(previousNode, "previousEventId", NAME) : null,
    checkpoint: checkpoint?.value,
  };
  if (checkpoint?.kind !== "boolean") throw new Refused("invalid_envelope", "checkpointData");
  const raw = (part) => (part === undefined ? "null" : source.slice(part.start, part.end));
  const at = [campaignNode, epochNode, numberNode, idNode, previousNode, checkpoint].map(raw);
  const hashed = `{"type":${raw(member(node, "type"))},"timestamp":${raw(timestamp)},"data":${raw(data)},"at":[${at}]}`;
  const isWhole = timestamp !== undefined && data !== undefined;
  return { ...read, isEvent: true, hashed: isWhole ? hashed : undefined };
}

/** Reads a sequence number. No event has number 0, but it is valid: it is at or below every position, so it is dropped. */
function envelopeInteger(node) {
  try {
    return integer(node, 0);
  } catch (error) {
    throw new Refused(error.code === "integer_out_of_range" ? error.code : "invalid_envelope", "sequenceNumber");
  }
}

/** Whether the event matches its hash. An event without `timestamp` or `data` never matches. */
export function isGenuine(event) {
  if (event.hashed === undefined) return false;
  return createHash("sha256").update(event.hashed).digest("hex") === event.hash;
}
