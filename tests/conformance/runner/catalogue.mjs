// Watches the list of campaigns that a server sends on one connection (docs/PROTOCOL.md, chapter 20).

import { PHASES, STATUSES } from "../reader/fold.mjs";

const PART_BYTES = 262_144;
const TOTAL_MAX = 100_000;
/**
 * The least time between a change and what was sent of its campaigns before, by the timestamps of the server. It is a
 * little less than the second of the rule, because a server may measure the second by another clock.
 */
const CHANGE_MS = 900;

const isCount = (value) => Number.isSafeInteger(value) && value >= 0;
const isSummary = ({ campaignId, epoch, sequenceNumber, campaign }) =>
  typeof campaignId === "string" && typeof epoch === "string" && sequenceNumber >= 1 &&
  PHASES.includes(campaign?.currentPhase) && STATUSES.includes(campaign?.phaseStatus);

/** The list of one connection. */
export class CatalogueWatcher {
  /** The campaigns by id, once an answer has arrived whole. */
  list = null;
  epoch = null;
  number = null;
  /** The request ids that wait for an answer, with the position that they name. */
  requests = new Map();
  isSubscribed = false;
  /**
   * Whether the server has shown by a pong that it has read every message of the client. Until then, what arrives may
   * have been written while the client was still subscribed.
   */
  #isSettled = true;
  /** The ping whose pong will show that. */
  #ping = null;
  #staged = [];
  /** When the server wrote each campaign last, by its timestamps. */
  #sent = new Map();
  #breach;

  constructor(breach) {
    this.#breach = (expected, seen, source) => breach("list", expected, seen, source);
  }

  subscribe({ requestId, epoch, lastSequenceNumber }) {
    this.isSubscribed = true;
    this.#isSettled = true;
    this.requests.set(requestId, { epoch, number: lastSequenceNumber });
  }

  unsubscribe() {
    Object.assign(this, { isSubscribed: false, list: null, number: null });
    this.#isSettled = false;
    this.#ping = null;
    this.requests.clear();
    this.#staged = [];
    this.#sent.clear();
  }

  refused(requestId) {
    this.requests.delete(requestId);
  }

  pinged(timestamp) {
    this.#ping ??= timestamp;
  }

  pong(head, echo, source) {
    if (echo !== undefined && echo === this.#ping) this.#isSettled = true;
    if (!this.#isSettled) return;
    if (head === undefined || head === null) {
      if (this.list !== null && this.requests.size === 0 && this.#staged.length === 0) {
        this.#breach("the catalogue in the pong of a connection that has the list", "none", source);
      }
      return;
    }
    if (this.list === null || this.#staged.length > 0) return void this.#breach("no catalogue in the pong yet", JSON.stringify(head), source);
    const here = `${this.epoch}/${this.number}`;
    const there = `${head.epoch}/${head.lastSequenceNumber}`;
    if (here !== there && this.requests.size === 0) this.#breach(`the number ${here}, which was written last`, there, source);
    if (!isCount(head.lagMs ?? 0)) this.#breach("lagMs as a count", head.lagMs, source);
  }

  part(data, timestamp, source) {
    const { requestId, part, parts, total, campaigns, removed = [], previousSequenceNumber: base = null } = data;
    if (!this.#isSettled) return undefined;
    if (!this.isSubscribed) return void this.#breach("no part without a subscription", `part ${part}`, source);
    const size = JSON.stringify(data).length;
    if (size > PART_BYTES + 4_096) this.#breach(`a part of at most ${PART_BYTES} bytes`, `${size}`, source);
    if (part === 1) this.#staged = [];
    this.#staged.push(data);
    const [first] = this.#staged;
    const fits = part === this.#staged.length && part <= parts && isCount(total) && total <= TOTAL_MAX &&
      Array.isArray(campaigns) && Array.isArray(removed) &&
      ["requestId", "epoch", "sequenceNumber", "previousSequenceNumber", "parts", "total"].every((name) => first[name] === data[name]);
    if (!fits) return void this.#breach("the next part, which agrees with the first", JSON.stringify({ part, parts, total }), source);
    for (const { campaignId } of campaigns) this.#pace(campaignId, Date.parse(timestamp), requestId, source);
    const broken = campaigns.find((summary) => !isSummary(summary));
    if (broken) this.#breach("a summary with its record and position", JSON.stringify(broken), source);
    if (part < parts) return undefined;
    const request = this.requests.get(requestId);
    if (requestId !== undefined && request === undefined) this.#breach("an answer to an open request", requestId, source);
    this.#place(data, base, request, source);
    this.#apply(base, total, source);
    [this.epoch, this.number] = [data.epoch, data.sequenceNumber];
    if (requestId !== undefined) this.requests.clear();
    return undefined;
  }

  #place({ epoch, sequenceNumber: number }, base, request, source) {
    if (base === null) return;
    const from = request === undefined ? { epoch: this.epoch, number: this.number } : request;
    if (epoch !== from.epoch || base !== from.number || number < base) {
      this.#breach(`a change from ${from.epoch}/${from.number}`, `one from ${epoch}/${base} to ${number}`, source);
    }
  }

  #pace(id, at, requestId, source) {
    const age = at - (this.#sent.get(id) ?? -Infinity);
    if (requestId === undefined && age < CHANGE_MS) this.#breach("a campaign in one change per second", `${id} after ${age} ms`, source);
    this.#sent.set(id, at);
  }

  #apply(base, total, source) {
    const upserts = this.#staged.flatMap(({ campaigns }) => campaigns);
    const gone = this.#staged.flatMap(({ removed = [] }) => removed);
    this.#staged = [];
    for (const ids of [upserts.map(({ campaignId }) => campaignId), gone]) {
      if (ids.some((id, at) => at > 0 && ids[at - 1] >= id)) this.#breach("ids in ascending order, none twice", ids.join(" "), source);
    }
    const list = base === null ? new Map() : new Map(this.list);
    for (const id of gone) {
      list.delete(id);
      this.#sent.delete(id);
    }
    for (const summary of upserts) list.set(summary.campaignId, summary);
    if (list.size !== total) this.#breach(`a total of ${list.size} campaigns`, total, source);
    this.list = list;
  }
}
