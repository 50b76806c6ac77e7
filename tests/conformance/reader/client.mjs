// Computes the state of a client after a conversation: the rules of chapters 5, 8, 9 and 13 that decide position,
// record and rows. The reader receives both directions and sends nothing, so it can check any client.

import { Refused, integer, member, optional, plain, text } from "./json.mjs";
import { bucketOf, digestOf } from "./digest.mjs";
import { CONTROL_TYPES, documents, isGenuine, readDocument } from "./frame.mjs";
import { apply, effectOf, emptyState, isKnown, stateDigest } from "./fold.mjs";
import { Staging, readPart } from "./snapshot.mjs";

const REMEMBERED = 1_024;
const RETIRED = 8;
const MOST_HELD = 1_024;
const MOST_HELD_BYTES = 1_048_576;

class Following {
  state = emptyState();
  position = null;
  hashes = new Map();
  held = new Map();
  heldBytes = 0;
  retired = [];
  request = null;
  replay = null;
  staging = null;
  repair = null;
}

export class Reader {
  #followed = new Map();
  counts = {};
  /** Whether the held events depend on the client's clock; see `catchUp`. */
  isUncertain = false;

  #count(word) {
    this.counts[word] = (this.counts[word] ?? 0) + 1;
  }

  /** Takes a document that the client sent. */
  sent(source) {
    const { type, payload, ...rest } = JSON.parse(source);
    const fields = { ...rest, ...payload };
    if (type === "subscribe_campaign" && !this.#followed.has(fields.campaignId)) {
      this.#followed.set(fields.campaignId, new Following());
    }
    if (type === "unsubscribe_campaign") this.#followed.delete(fields.campaignId);
    const following = this.#followed.get(fields.campaignId);
    if (type === "request_event_recovery") following.request = fields;
    if (type === "request_campaign_snapshot") following.repair = { ...fields, staging: null };
  }

  /** The socket closed. Documents in flight are lost, but the received parts of a snapshot can be resumed. */
  disconnected() {
    for (const following of this.#followed.values()) Object.assign(following, { request: null, replay: null, repair: null });
  }

  /** Takes a frame that the client received. */
  received(frame) {
    let sources;
    try {
      sources = documents(frame);
    } catch (error) {
      return this.#refuse(error);
    }
    for (const source of sources) {
      try {
        this.#document(readDocument(source));
      } catch (error) {
        this.#refuse(error);
      }
    }
  }

  #refuse(error) {
    if (!(error instanceof Refused)) throw error;
    this.#count(`refused.${error.code}`);
  }

  #document(document) {
    if (document.isEvent) return this.#event(document);
    if (document.type === "event_recovery") return this.#answer(document.data);
    if (document.type === "campaign.snapshot") return this.#part(readPart(document.data));
    if (!CONTROL_TYPES.has(document.type)) this.#count("unknownTypes");
  }

  #event(event) {
    const following = this.#followed.get(event.campaignId);
    if (following === undefined) return this.#count("unsubscribed");
    const { position } = following;
    const isOurs = position !== null && event.epoch === position.epoch;
    const isPast = isOurs && event.number <= position.number;
    if (isPast) {
      const remembered = following.hashes.get(event.number);
      if (remembered === undefined) return this.#count("outOfOrder");
      if (remembered === event.hash) return this.#count(isReplayed(following, event) ? "redelivered" : "duplicates");
    }
    if (!isGenuine(event)) {
      // The snapshot did not arrive whole. The client requests it again, and ignores the rest of this answer.
      if (isArriving(following, following.staging?.epoch)) following.request = null;
      return this.#count("corrupt");
    }
    if (following.retired.includes(event.epoch)) return this.#count("retiredEpoch");
    if (position === null) return this.#hold(following, event);
    if (!isOurs) {
      this.#count("foreignEpoch");
      if (isArriving(following, event.epoch)) {
        this.#hold(following, Object.assign(event, { isForeign: true }));
        this.isUncertain = true;
      } else wantsSnapshot(following);
      return undefined;
    }
    if (isPast) return this.#count("divergences");
    if (event.number > position.number + 1) {
      if (this.#hold(following, event)) this.#count("gaps");
      // An event beyond the snapshot arrived before its last part, so the remaining parts are lost.
      if (isArriving(following, event.epoch) && event.number > following.staging.number) following.request = null;
      return undefined;
    }
    this.#next(following, event);
    return this.#drain(following);
  }

  /** Applies rows 10 to 14 of chapter 13. Returns whether the position moved. */
  #next(following, event) {
    if ((event.previousEventId ?? "") !== following.position.eventId) return this.#diverges();
    if (isKnown(event.type)) {
      let effect;
      try {
        effect = effectOf(following.state, event);
      } catch (error) {
        this.#refuse(error);
        return false;
      }
      if (effect.divergence) return this.#diverges();
      apply(following.state, effect);
      if (effect.ended) Object.assign(following, { request: null, repair: null, staging: null });
    } else {
      this.#count("unknownTypes");
    }
    this.#count("applied");
    following.position = { epoch: event.epoch, number: event.number, eventId: event.eventId };
    following.hashes.set(event.number, event.hash);
    following.hashes.delete(event.number - REMEMBERED);
    return true;
  }

  #diverges() {
    this.#count("divergences");
    return false;
  }

  #hold(following, event) {
    const { held } = following;
    if ([...held.values()].some(({ epoch }) => epoch !== event.epoch)) {
      held.clear();
      following.heldBytes = 0;
    }
    const other = held.get(event.number);
    if (other !== undefined) {
      this.#count(other.hash === event.hash ? "duplicates" : "divergences");
      return false;
    }
    this.#count("held");
    held.set(event.number, event);
    following.heldBytes += event.source.length;
    while (held.size > MOST_HELD || following.heldBytes > MOST_HELD_BYTES) {
      const farthest = Math.max(...held.keys());
      following.heldBytes -= held.get(farthest).source.length;
      held.delete(farthest);
    }
    return true;
  }

  /** Applies held events that have become next, up to number `most`. */
  #drain(following, most = Infinity) {
    while (following.position.number < most) {
      const { position, held } = following;
      for (const [number, event] of held) {
        if (event.epoch === position.epoch ? number > position.number : isArriving(following, event.epoch)) continue;
        following.heldBytes -= event.source.length;
        held.delete(number);
      }
      const next = held.get(position.number + 1);
      if (next?.epoch !== position.epoch || (next.isForeign && most === Infinity)) return;
      held.delete(next.number);
      following.heldBytes -= next.source.length;
      if (!this.#next(following, next)) return;
    }
  }

  #answer(data) {
    const answer = plain(data);
    const following = this.#followed.get(answer.campaignId);
    const request = following?.request;
    if (!request || answer.requestId !== request.requestId || answer.outcome === "unknown_campaign") return;
    const from = integer(member(data, "fromSequenceNumber"), 1);
    const to = integer(member(data, "toSequenceNumber"), 0);
    const epoch = text(optional(data, "epoch"));
    if (following.retired.includes(epoch)) return;
    if (answer.outcome !== "replay" && answer.outcome !== "current") {
      const { staging } = following;
      // Two downloads of one state have the same parts, so the client continues with the parts that it has.
      if (staging?.number === to && staging.epoch === epoch) staging.requestId = answer.requestId;
      else following.staging = new Staging({ requestId: answer.requestId, epoch, number: to });
      following.replay = null;
      return;
    }
    if (request.prefer === "snapshot") return;
    const { position } = following;
    if (position === null ? from !== 1 : epoch !== position.epoch || from > position.number + 1) return;
    following.position ??= { epoch, number: 0, eventId: "" };
    following.replay = { from, to };
    this.#drain(following);
  }

  #part(part) {
    const following = this.#followed.get(part.campaignId);
    if (following?.repair && part.requestId === following.repair.requestId) return this.#repairPart(following, part);
    const staging = following?.staging;
    if (!staging || part.requestId !== staging.requestId || part.requestId !== following.request?.requestId) return;
    let isLast;
    if (!staging.expects(part)) return;
    try {
      isLast = staging.take(part);
    } catch (error) {
      following.staging = null;
      throw error;
    }
    if (!isLast) return;
    following.staging = null;
    if (!staging.addsUp()) throw new Refused("invalid_snapshot", "does not add up");
    this.#swap(following, staging);
  }

  #swap(following, { epoch, number, eventId, record, rows }) {
    const { position } = following;
    if (position?.epoch === epoch && number < position.number) return;
    if (position !== null && position.epoch !== epoch) {
      following.retired = [...following.retired, position.epoch].slice(-RETIRED);
    }
    following.hashes.clear();
    following.position = { epoch, number, eventId };
    following.state = { record, rows, ended: false };
    this.#drain(following);
  }

  /** Replaces the local buckets if the result has the server's count and digest (chapter 11). */
  #repairPart(following, part) {
    const { repair, position } = following;
    repair.staging ??= new Staging(part);
    if (!repair.staging.take(part)) return;
    following.repair = null;
    const { epoch, number, rows: received, record, count, digest } = repair.staging;
    if (epoch !== position?.epoch || number !== position.number) return;
    const rows = new Map(received);
    for (const [domainId, row] of following.state.rows) {
      if (!repair.buckets.includes(bucketOf(domainId))) rows.set(domainId, row);
    }
    if (rows.size === count && digestOf(rows.values()) === digest) Object.assign(following.state, { rows, record });
  }

  /**
   * Applies held events up to the number that the client shows. A client may hold an event of another epoch or drop it
   * (row 7 of chapter 13), because its clock decides whether a snapshot of that log is still arriving. A client that
   * held it may be ahead of this reader.
   */
  catchUp(campaignId, number) {
    const following = this.#followed.get(campaignId);
    if (following.position !== null && following.position.number < number) this.#drain(following, number);
  }

  /** Returns position, record, rows and digest of a campaign, and whether it has ended. */
  shown(campaignId) {
    const { position, state } = this.#followed.get(campaignId);
    return { position, record: state.record, rows: state.rows, digest: stateDigest(state), ended: state.ended };
  }
}

/** Whether a snapshot of that epoch is arriving as the answer to the last request. */
function isArriving({ staging, request }, epoch) {
  return staging !== null && staging.epoch === epoch && staging.requestId === request?.requestId;
}

/** Drops a request that is not for a snapshot, because only a snapshot helps now. Its answer is ignored. */
function wantsSnapshot(following) {
  const { request, staging } = following;
  const isAnswered = staging !== null && staging.requestId === request?.requestId;
  if (request !== null && request.prefer !== "snapshot" && !isAnswered) following.request = null;
}

function isReplayed({ replay }, event) {
  return replay !== null && event.number >= replay.from && event.number <= replay.to;
}
