// Watches everything that a server sends on one connection, and records each breach of the contract under the name of
// the duty that it breaks. After a breach it continues, and judges later documents as far as possible.

import { Refused, plain } from "../reader/json.mjs";
import { documents, isGenuine, readDocument } from "../reader/frame.mjs";
import { apply, effectOf, emptyState, isKnown, readTransition, stateDigest } from "../reader/fold.mjs";
import { bucketOf, bucketsOf, digestOf } from "../reader/digest.mjs";
import { Staging, readPart } from "../reader/snapshot.mjs";
import { CatalogueWatcher } from "./catalogue.mjs";
import { CODES, ambiguousName, missingTransitionField } from "./checks.mjs";
import { shortened } from "./failure.mjs";

const OUTCOMES = ["current", "replay", "snapshot", "unknown_campaign"];
const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,}Z$/;
const PART_BYTES = 262_144;
/** The types that a server may send before the acknowledgement, and the acknowledgement itself. */
const OPENING = ["connection_ack", "error", "session_expired", "server_draining"];

/** One campaign on one connection. */
class Cursor {
  epoch = null;
  next = null;
  lastId = null;
  /** The state that the watcher has folded; `null` while it is unknown. */
  state = null;
  staging = null;
  /** The state of another connection of the case, for a request that starts at its position. */
  base = null;
  replayTo = 0;
  requests = new Map();
  refusedTransitions = 0;
  /** Count, digest and record after each event, by number, if the case needs them. */
  history = null;

  /** The recovery requests that wait for their answer, the oldest first. */
  recoveries() {
    return [...this.requests].filter(([, { type, buckets }]) => type !== "request_campaign_digest" && buckets === undefined);
  }
}

/** Everything that the connections of one case have received: the bytes of each event, the number of each id, the parts. */
export class Memory {
  bytes = new Map();
  numbers = new Map();
  parts = new Map();
}

export class Watcher {
  cursors = new Map();
  breaches = [];
  maxFrameBytes = 1_048_576;
  pings = new Set();
  isAcknowledged = false;
  catalogue = new CatalogueWatcher((...breach) => this.breach(...breach));

  constructor(memory) {
    this.memory = memory;
  }

  breach(duty, expected, seen, source) {
    this.breaches.push({ duty, expected, seen: String(seen), source: source && shortened(source) });
  }

  cursor(campaignId) {
    return this.cursors.get(campaignId);
  }

  /** Takes a message that the runner sent. */
  sent(message) {
    const { campaignId, requestId, ...fields } = { ...message, ...message.payload };
    if (message.type === "subscribe_campaign" && !this.cursors.has(campaignId)) this.cursors.set(campaignId, new Cursor());
    if (message.type === "unsubscribe_campaign") this.cursors.delete(campaignId);
    if (message.type === "subscribe_catalogue") this.catalogue.subscribe({ requestId, ...fields });
    if (message.type === "unsubscribe_catalogue") this.catalogue.unsubscribe();
    if (message.type === "ping") {
      this.pings.add(fields.timestamp);
      this.catalogue.pinged(fields.timestamp);
    }
    if (message.type === "request_campaign_snapshot" && fields.buckets === undefined) fields.prefer = "snapshot";
    const cursor = this.cursors.get(campaignId);
    if (cursor !== undefined && requestId !== undefined) cursor.requests.set(requestId, { ...fields, type: message.type });
  }

  /** Takes a frame and returns its documents as plain values. */
  received(bytes) {
    if (bytes.length > this.maxFrameBytes) {
      this.breach("limits", `frames of at most ${this.maxFrameBytes} bytes, as announced`, `${bytes.length} bytes`);
    }
    let sources;
    try {
      sources = documents(bytes);
    } catch (error) {
      this.breach("frames", "a frame that can be read", error.message);
      return [];
    }
    return sources.flatMap((source) => this.#document(source));
  }

  #document(source) {
    let document;
    try {
      document = readDocument(source);
      this.#checkAlone(document);
      if (document.isEvent) this.#event(document);
      else this.#control(document);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.breach("documents", "a document by the rules of chapters 2 and 4", error.message, source);
      return [];
    }
    return [{ ...plain(document.node), isEvent: document.isEvent === true }];
  }

  /** Checks that need no cursor. */
  #checkAlone({ type, data, node, source }) {
    const name = ambiguousName(node);
    if (name !== undefined) this.breach("documents", "member names once and without escapes", name, source);
    if (!this.isAcknowledged && !OPENING.includes(type)) {
      this.breach("opening", "nothing but errors before connection_ack", type, source);
    }
    if (type !== "error" && type !== "campaign.phase.transition") return;
    const fields = data === undefined ? {} : plain(data);
    if (type === "error") {
      if (!CODES.has(fields.code)) this.breach("codes", "a code of chapter 14", fields.code, source);
      return;
    }
    const field = missingTransitionField(fields);
    if (field !== undefined) this.breach("documents", `the field ${field} in a transition`, fields[field], source);
  }

  #event(event) {
    const { source } = event;
    const cursor = this.cursor(event.campaignId);
    this.#envelope(event);
    if (cursor === undefined || cursor.next === null) {
      return this.breach("order", "no event before the first recovery request", `${event.campaignId} ${event.number}`, source);
    }
    const isInAnswer = [...cursor.requests.values()].some(({ staging }) => staging !== undefined);
    if (cursor.staging !== null || isInAnswer) {
      this.breach("whole", "no event between the parts of a snapshot", `event ${event.number}`, source);
      // The snapshot states the number after which the events continue.
      if (cursor.staging !== null) return undefined;
    }
    if (event.epoch !== cursor.epoch) {
      this.breach("epoch", `epoch ${cursor.epoch}`, `epoch ${event.epoch} at number ${event.number}`, source);
    }
    if (event.number !== cursor.next) {
      this.breach("order", `number ${cursor.next}`, `number ${event.number}`, source);
      if (event.number < cursor.next) return undefined;
      cursor.state = null;
    } else if (cursor.lastId !== null && (event.previousEventId ?? "") !== cursor.lastId) {
      this.breach("order", `previousEventId ${cursor.lastId}`, event.previousEventId, source);
    }
    cursor.next = event.number + 1;
    cursor.lastId = event.eventId;
    this.#fold(cursor, event);
    if (cursor.state !== null) cursor.history?.set(event.number, described(cursor.state));
    return undefined;
  }

  #envelope(event) {
    const { source, number } = event;
    const whole = plain(event.node);
    const key = `${event.campaignId} ${event.epoch} ${number}`;
    const before = this.memory.bytes.get(key);
    if (!isGenuine(event)) this.breach("bytes", "an event that is what its own hash says", `event ${number}`, source);
    else if (before !== undefined && before !== source) {
      this.breach("bytes", `event ${number} as it was first published: ${shortened(before)}`, "other bytes", source);
    }
    if (before === undefined) this.memory.bytes.set(key, source);
    this.#identity(event, `${event.epoch}/${number}`);
    if (!TIMESTAMP.test(whole.timestamp)) this.breach("documents", "a timestamp in UTC with milliseconds", whole.timestamp, source);
    if (event.checkpoint !== (event.type === "campaign.phase.transition")) {
      this.breach("documents", "checkpointData exactly on transitions", `${event.checkpoint} on ${event.type}`, source);
    }
    if (number < 1) this.breach("documents", "numbers from 1", number, source);
    if ((event.previousEventId === null) !== (number === 1)) {
      this.breach("order", "previousEventId null at number 1, and only there", `${event.previousEventId} at ${number}`, source);
    }
    const { type, data } = whole;
    const isCreation = type === "campaign.list.update" && data?.action === "create" && data.campaign?.currentPhase;
    if (number === 1 && !isCreation) this.breach("order", "the creation of the campaign at number 1", type, source);
  }

  /** An event id belongs to one event of its campaign. */
  #identity({ campaignId, eventId, source }, position) {
    const key = `${campaignId} ${eventId}`;
    const other = this.memory.numbers.get(key) ?? position;
    this.memory.numbers.set(key, other);
    if (other !== position) this.breach("order", `another eventId than that of ${other}`, `${eventId} at ${position}`, source);
  }

  #fold(cursor, event) {
    const { state } = cursor;
    if (!isGenuine(event)) cursor.state = null;
    if (cursor.state === null || !isKnown(event.type)) return;
    let effect;
    try {
      effect = effectOf(state, event);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      cursor.state = null;
      return this.breach("whole", "an event that can be applied to the state before it", error.message, event.source);
    }
    if (effect.divergence) this.breach("whole", `a transition from ${state.record?.currentPhase}`, "another phase", event.source);
    if (effect.refusedTransition) cursor.refusedTransitions += 1;
    apply(state, effect);
    if (event.type === "campaign.phase.transition" && !effect.refusedTransition) this.#claims(state, event);
  }

  #claims(state, event) {
    const { domainsCount, domainsDigest } = readTransition(event.data);
    const ours = `${state.rows.size} rows, ${stateDigest(state)}`;
    const theirs = `${domainsCount} rows, ${domainsDigest}`;
    if (ours !== theirs) this.breach("digest", `the transition at ${event.number} to say ${ours}`, theirs, event.source);
  }

  #control({ type, data, node, source }) {
    const value = data === undefined ? {} : plain(data);
    const { timestamp } = plain(node);
    if (!TIMESTAMP.test(timestamp)) this.breach("documents", "a timestamp in UTC with milliseconds", timestamp, source);
    if (type === "catalogue") return this.catalogue.part(value, timestamp, source);
    if (type === "pong") this.catalogue.pong(value.catalogue, value.timestamp ?? undefined, source);
    if (type === "error") this.catalogue.refused(value.requestId);
    const cursor = this.cursor(value.campaignId);
    if (type === "connection_ack") this.#acknowledged(value, source);
    if (type === "subscription_confirmed") this.#confirmed(cursor, value, source);
    if (type === "subscription_ended") this.cursors.delete(value.campaignId);
    if (type === "event_recovery" && cursor) this.#answer(cursor, value, source);
    if (type === "campaign.snapshot" && cursor) this.#part(cursor, readPart(data), source);
    if (type === "campaign.digest" && cursor) this.#digest(cursor, value, source);
    if (type === "pong") this.#pong(value, source);
  }

  #acknowledged({ maxFrameBytes, heartbeatMs, connectionId, subject }, source) {
    this.isAcknowledged = true;
    const isBound = Number.isInteger(maxFrameBytes) && maxFrameBytes >= 1 && maxFrameBytes <= 1_048_576;
    if (isBound) this.maxFrameBytes = maxFrameBytes;
    else this.breach("limits", "maxFrameBytes of at most 1048576", maxFrameBytes, source);
    if (!Number.isInteger(heartbeatMs) || heartbeatMs < 1) this.breach("heads", "heartbeatMs", heartbeatMs, source);
    if (typeof connectionId !== "string") this.breach("documents", "a connectionId", connectionId, source);
    this.heartbeatMs = heartbeatMs;
    this.#subject(subject ?? null, source);
  }

  /** All connections of the runner belong to one session. */
  #subject(subject, source) {
    const isSubject = subject === null || (typeof subject === "string" && Buffer.byteLength(subject) <= 128);
    if (!isSubject) this.breach("subject", "a subject of at most 128 bytes, or none", subject, source);
    const { memory } = this;
    if (memory.subject === undefined) memory.subject = subject;
    if (memory.subject !== subject) this.breach("subject", `the subject ${memory.subject}`, subject, source);
  }

  #confirmed(cursor, { epoch, lastSequenceNumber: head, oldestSequenceNumber: oldest }, source) {
    if (cursor === undefined) return this.breach("answers", "no confirmation without a subscription", "one", source);
    if (!(head >= 0 && oldest >= 1 && oldest <= head + 1)) {
      this.breach("answers", "oldest from 1 to head + 1", `oldest ${oldest}, head ${head}`, source);
    }
    this.#inEpoch(cursor, epoch, source);
    cursor.confirmed = { epoch, head, oldest };
  }

  #inEpoch(cursor, epoch, source) {
    cursor.epoch ??= epoch;
    if (epoch !== cursor.epoch) this.breach("epoch", `epoch ${cursor.epoch}`, `epoch ${epoch}`, source);
  }

  #answer(cursor, answer, source) {
    const { requestId, outcome, epoch, fromSequenceNumber: from, toSequenceNumber: to } = answer;
    const request = cursor.requests.get(requestId);
    if (request === undefined) return this.breach("answers", "the requestId of a request that is not answered", requestId, source);
    this.#answered(cursor, requestId);
    if (!OUTCOMES.includes(outcome)) this.breach("answers", `an outcome of chapter 8`, outcome, source);
    if (outcome === "unknown_campaign") {
      const numbers = [epoch, from, to].filter((value) => (value ?? null) !== null);
      if (numbers.length > 0) this.breach("answers", "no epoch and no numbers of an unknown campaign", numbers, source);
      return undefined;
    }
    this.#inEpoch(cursor, epoch, source);
    const asked = request.lastSequenceNumber;
    const isOurs = request.epoch === undefined || request.epoch === epoch;
    if (outcome === "snapshot") {
      if (from !== to + 1) this.breach("answers", "from = to + 1", `from ${from}, to ${to}`, source);
      if (asked > to && isOurs && request.prefer !== "snapshot" && answer.reason !== "position_ahead") {
        this.breach("recovery", `reason position_ahead for a position after ${to}`, answer.reason, source);
      }
      cursor.staging = new Staging({ requestId, epoch, number: to });
      cursor.staging.kept = this.#kept(answer, request.resume);
      cursor.next = from;
      cursor.state = null;
      return undefined;
    }
    const isWhole = from === asked + 1 && (outcome === "current" ? to === asked : to > asked);
    if (!isWhole) this.breach("recovery", `${outcome} from ${asked + 1} on, all or nothing`, `from ${from} to ${to}`, source);
    if (!isOurs) this.breach("epoch", `a snapshot for epoch ${request.epoch}`, outcome, source);
    if (request.prefer === "snapshot") this.breach("recovery", "a snapshot, as was asked for", outcome, source);
    const here = cursor.base ?? cursor;
    const goesOn = isWhole && here.next === from;
    const begins = isWhole && asked === 0;
    cursor.state = goesOn ? here.state : begins ? emptyState() : null;
    cursor.lastId = goesOn ? here.lastId : begins ? "" : null;
    cursor.base = null;
    Object.assign(cursor, { next: from, replayTo: to, staging: null });
    return undefined;
  }

  /** Removes an answered recovery request, and the earlier ones, which may stay unanswered. */
  #answered(cursor, requestId) {
    for (const [earlier] of cursor.recoveries()) {
      cursor.requests.delete(earlier);
      if (earlier === requestId) return;
    }
  }

  /** The parts that the request says it holds, if the answer continues that snapshot. */
  #kept({ campaignId, epoch, toSequenceNumber }, resume) {
    if (resume?.epoch !== epoch || resume.at !== toSequenceNumber) return [];
    const numbers = Array.from({ length: resume.afterPart }, (_, index) => index + 1);
    const kept = numbers.map((number) => this.memory.parts.get(`${campaignId} ${epoch} ${toSequenceNumber} ${number}`));
    return kept.filter((part) => part !== undefined);
  }

  #part(cursor, part, source) {
    const buckets = cursor.requests.get(part.requestId);
    if (buckets?.buckets !== undefined) return this.#bucketPart(cursor, buckets, part, source);
    const { staging } = cursor;
    if (staging === null || part.requestId !== staging.requestId) {
      return this.breach("whole", "a part that answers a request", `part ${part.part} for ${part.requestId}`, source);
    }
    const { campaignId, epoch, number } = part;
    this.memory.parts.set(`${campaignId} ${epoch} ${number} ${part.part}`, part);
    if (!this.#take(cursor, staging, part, source)) return undefined;
    Object.assign(cursor, { staging: null, lastId: staging.eventId, replayTo: staging.number });
    if (!staging.addsUp()) {
      return this.breach("digest", `${staging.count} rows, ${staging.digest}, as announced`, `${staging.rows.size} other rows`, source);
    }
    cursor.state = { record: staging.record, rows: staging.rows, ended: false };
    cursor.fromSnapshot = staging.number;
    return undefined;
  }

  /** Stages a part and returns whether the snapshot is complete. */
  #take(cursor, staging, part, source) {
    const bytes = Buffer.byteLength(source);
    if (bytes > PART_BYTES + 1_024) this.breach("limits", `parts of ${PART_BYTES} bytes of data`, `${bytes} bytes`, source);
    const isContinued = staging.done === 0 && part.part > 1 && staging.kept?.length > 0;
    try {
      if (isContinued) for (const kept of staging.kept) staging.take(kept);
      return staging.take(part);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (isContinued) this.breach("recovery", "the part after those that the request names", error.message, source);
      else this.breach("whole", "parts of one snapshot, in order from 1", error.message, source);
      cursor.staging = null;
      return false;
    }
  }

  #bucketPart(cursor, request, part, source) {
    request.staging ??= new Staging(part);
    const foreign = part.rows.find(({ domainId }) => !request.buckets.includes(bucketOf(domainId)));
    if (foreign) this.breach("digest", `rows of the buckets ${request.buckets}`, `${foreign.domainId}`, source);
    if (part.number !== cursor.next - 1) this.breach("digest", `the state at ${cursor.next - 1}`, `at ${part.number}`, source);
    if (!this.#take(cursor, request.staging, part, source)) return;
    cursor.requests.delete(part.requestId);
    if (cursor.state === null) return;
    const ours = bucketsOf(cursor.state.rows.values());
    const theirs = bucketsOf(request.staging.rows.values());
    const wrong = request.buckets.find((bucket) => String(ours[bucket]) !== String(theirs[bucket]));
    if (wrong !== undefined) this.breach("digest", `bucket ${wrong} to be ${ours[wrong]}`, theirs[wrong], source);
    const whole = `${cursor.state.rows.size} rows, ${stateDigest(cursor.state)}`;
    const stated = `${part.domainsCount} rows, ${part.domainsDigest}`;
    if (whole !== stated) this.breach("digest", `parts of buckets to say ${whole}, of the whole table`, stated, source);
  }

  #digest(cursor, { requestId, epoch, sequenceNumber, buckets }, source) {
    if (!cursor.requests.delete(requestId)) this.breach("answers", "the requestId of a request", requestId, source);
    this.#inEpoch(cursor, epoch, source);
    if (sequenceNumber !== cursor.next - 1) {
      return this.breach("digest", `digests at ${cursor.next - 1}, in stream order`, `at ${sequenceNumber}`, source);
    }
    if (buckets?.length !== 256) return this.breach("digest", "256 buckets", buckets?.length, source);
    if (cursor.state === null) return undefined;
    const ours = bucketsOf(cursor.state.rows.values());
    const wrong = ours.findIndex((bucket, at) => String(bucket) !== String(buckets[at]));
    if (wrong >= 0) this.breach("digest", `bucket ${wrong} to be ${ours[wrong]}`, buckets[wrong], source);
    return undefined;
  }

  #pong({ timestamp, heads }, source) {
    const isEcho = timestamp !== undefined && timestamp !== null;
    if (isEcho && !this.pings.delete(timestamp)) this.breach("heads", "the timestamp of a ping", timestamp, source);
    if (!Array.isArray(heads)) return this.breach("heads", "a list of heads", heads, source);
    const said = new Map(heads.map((head) => [head.campaignId, head]));
    for (const [campaignId, cursor] of this.cursors) {
      const head = said.get(campaignId);
      said.delete(campaignId);
      // A cursor whose request waits for its answer may stand nowhere.
      if (head === undefined && cursor.recoveries().length > 0) continue;
      if ((cursor.next === null || cursor.staging !== null) !== (head === undefined)) {
        this.breach("heads", head ? "no head without a cursor that stands" : `a head of ${campaignId}`, head ? "one" : "none", source);
      } else if (head) this.#head(cursor, head, source);
    }
    for (const campaignId of said.keys()) this.breach("heads", "no head of what is not followed", campaignId, source);
    return undefined;
  }

  #head(cursor, head, source) {
    const { epoch, lastSequenceNumber: last, logHead, domainsCount, domainsDigest } = head;
    if (epoch !== cursor.epoch) this.breach("epoch", `a head of epoch ${cursor.epoch}`, epoch, source);
    if (last !== cursor.next - 1) {
      return this.breach("heads", `head ${cursor.next - 1}, the last number written to this socket`, last, source);
    }
    if (!(logHead >= last)) this.breach("heads", `logHead of at least ${last}`, logHead, source);
    if (domainsCount === undefined || domainsCount === null) return undefined;
    if (logHead !== last) this.breach("heads", "a count only where the head of the log was written", domainsCount, source);
    if (cursor.state === null) return undefined;
    const ours = `${cursor.state.rows.size} rows, ${stateDigest(cursor.state)}`;
    if (ours !== `${domainsCount} rows, ${domainsDigest}`) {
      this.breach("digest", `the head at ${last} to say ${ours}`, `${domainsCount} rows, ${domainsDigest}`, source);
    }
    return undefined;
  }
}


/** A state as text, to compare it with another one. */
export function described({ rows, record }) {
  const fields = Object.entries(record ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify({ count: rows.size, digest: digestOf(rows.values()), record: Object.fromEntries(fields) });
}
