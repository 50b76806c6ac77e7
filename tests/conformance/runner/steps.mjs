// The verbs of the steps of a case. The README describes each verb.

import { COLUMNS } from "../reader/digest.mjs";
import { readRecord, stateDigest } from "../reader/fold.mjs";
import { member, parse } from "../reader/json.mjs";
import { CODES } from "./checks.mjs";
import { Connection } from "./connection.mjs";
import { Failure } from "./failure.mjs";
import { filled } from "./operations.mjs";
import { matches, matchInOrder } from "./pattern.mjs";
import { described } from "./watch.mjs";

/** Default wait for an answer, in milliseconds. */
export const ANSWER_MS = 8_000;
/** Default wait for a campaign that moves on, in milliseconds. */
export const MOVE_MS = 60_000;
const ALL_BUCKETS = Array.from({ length: 256 }, (_, bucket) => bucket);

export const STEPS = {
  /** Creates a campaign with the operation of the server file. */
  async create(run, { count = 40, rate = 20_000, batch = null, as = "campaign" }) {
    run.values[as] = await run.operations.create({ count, rate, batch });
  },

  async do(run, name) {
    const answer = await run.operations.done(name, run.values);
    const position = answer.headers.get("campaign-position");
    if (position !== null) run.values.position = position;
  },

  /** Opens a connection and, unless `greet` is false, sends `connection_init`. */
  async open(run, { as = "a", ack = {}, init = {}, greet = true }) {
    const connection = new Connection(run.url, run.memory);
    run.connections.set(as, connection);
    await connection.open();
    if (greet) await STEPS.greet(run, { on: as, ack, init });
  },

  /** Sends `connection_init` and waits for the acknowledgement. */
  async greet(run, { on = "a", ack = {}, init = {} }) {
    const connection = run.connection(on);
    const token = run.token === undefined ? {} : { token: run.token };
    connection.send({ type: "connection_init", protocols: ["campaign-sync.v1"], ...token, ...init });
    const isAck = (document) => document.type === "connection_ack";
    const found = await connection.until((inbox) => inbox.find(isAck), "connection_ack", run.answerMs);
    wants({ protocol: "campaign-sync.v1", ...ack }, found.data, run);
    if (run.profile !== undefined && !found.data.profiles?.includes(run.profile)) throw new Absent(run.profile);
  },

  /** Subscribes and requests recovery without waiting, and then waits until everything has arrived. */
  async follow(run, { on = "a", after, prefer, campaign = "$campaign", epoch, outcome, resume, history = false }) {
    const connection = run.connection(on);
    const campaignId = filled(campaign, run.values);
    const from = after === undefined ? undefined : run.connection(after).watcher.cursor(campaignId);
    connection.send({ type: "subscribe_campaign", campaignId });
    const asked = from === undefined ? 0 : from.next - 1;
    const cursor = connection.watcher.cursor(campaignId);
    if (from?.state) cursor.base = { next: from.next, lastId: from.lastId, state: copied(from.state) };
    if (history) cursor.history = new Map();
    const request = { campaignId, asked, epoch: epoch ?? from?.epoch, prefer, outcome };
    await seek(run, connection, { ...request, resume: filled(resume, run.values) });
  },

  /** Downloads the first part of a snapshot, which `$download` names from then on. */
  async download(run, { on = "a" }) {
    const connection = run.connection(on);
    const { campaign: campaignId } = run.values;
    const requestId = `q${(run.unique += 1)}`;
    connection.send({ type: "subscribe_campaign", campaignId });
    const payload = { campaignId, lastSequenceNumber: 0, requestId, reason: "connect", prefer: "snapshot" };
    connection.send({ type: "request_event_recovery", payload });
    const isPart = ({ type, data }) => type === "campaign.snapshot" && data.requestId === requestId;
    const { data } = await connection.until((inbox) => inbox.find(isPart), "a part of the snapshot", run.answerMs);
    if (!(data.parts > 1)) throw new Unjudged("the snapshot has one part only, which cannot be interrupted");
    run.values.download = { epoch: data.epoch, at: data.sequenceNumber, afterPart: 1 };
  },

  /** Sends another recovery request, or `by` another request, on a connection that follows the campaign already. */
  async ask(run, { on = "a", campaign = "$campaign", asked = "$head", epoch, prefer, outcome, resume, by, within }) {
    const connection = run.connection(on);
    const campaignId = filled(campaign, run.values);
    const cursor = connection.watcher.cursor(campaignId);
    const values = { ...run.values, head: cursor.next - 1, beyond: cursor.next + 999, epoch: cursor.epoch };
    const request = { campaignId, asked: filled(asked, values), epoch: filled(epoch, values), prefer, outcome, by, within };
    await seek(run, connection, { ...request, resume: filled(resume, values) });
  },

  async send(run, { on = "a", message, text }) {
    const connection = run.connection(on);
    run.values.unique = `q${(run.unique += 1)}`;
    connection.send(text ?? filled(message, run.valuesOn(connection)));
  },

  /** Waits for a matching document, or for several in this order. */
  async expect(run, { on = "a", message, messages = [message], within = run.answerMs }) {
    const connection = run.connection(on);
    const expected = filled(messages, run.valuesOn(connection));
    await connection.until((inbox) => matchInOrder(expected, inbox), JSON.stringify(expected), within);
  },

  /** Expects that no matching document arrives within the given time after the last message sent. */
  async never(run, { on = "a", message, within = 1_000 }) {
    const connection = run.connection(on);
    const unwanted = filled(message, run.valuesOn(connection));
    await new Promise((resolve) => setTimeout(resolve, within));
    const found = connection.inbox.slice(connection.mark).find((document) => matches(unwanted, document));
    if (found) throw new Failure(`nothing like ${JSON.stringify(unwanted)}`, JSON.stringify(found));
  },

  /** Waits until the followed campaign is in a phase and status, or until `orClosed`, a close code. */
  async reaches(run, { on = "a", phase, status, orClosed, within = run.moveMs }) {
    const connection = run.connection(on);
    const cursor = connection.watcher.cursor(run.values.campaign);
    const there = () => {
      if (orClosed !== undefined && connection.closeCode === orClosed) return true;
      const record = cursor.state?.record;
      if (cursor.state === null) throw new Unjudged("the state is not known, see the breaches");
      return record?.currentPhase === phase && record.phaseStatus === status;
    };
    await connection.until(there, `${phase}/${status} in the stream`, within);
  },

  /**
   * Sends a ping and waits for its pong. The watcher checks the heads. `until: "head"` also waits until the stream is
   * there; with `until: "pong"`, later steps do not look at what the server wrote before the pong.
   */
  async ping(run, { on = "a", until }) {
    const connection = run.connection(on);
    const timestamp = (run.unique += 1);
    connection.send({ type: "ping", payload: { timestamp } });
    const isEcho = (document) => document.type === "pong" && document.data.timestamp === timestamp;
    const pong = await connection.until((inbox) => inbox.find(isEcho), `a pong that echoes ${timestamp}`, run.answerMs);
    if (until === "head") await caughtUp(run, connection, pong);
    if (until === "pong") connection.mark = connection.inbox.indexOf(pong) + 1;
  },

  /** Waits for an unsolicited pong within the heartbeat that the server announced, plus `slack` milliseconds. */
  async heartbeat(run, { on = "a", slack = 3_000 }) {
    const connection = run.connection(on);
    connection.mark = connection.inbox.length;
    const within = connection.watcher.heartbeatMs + slack;
    const isPong = ({ type, data }) => type === "pong" && (data.timestamp ?? null) === null;
    await connection.until((inbox) => inbox.find(isPong), "a pong unasked, after heartbeatMs of silence", within);
  },

  /** Requests the digests of all buckets, or the rows of the given buckets. */
  async digests(run, { on = "a", buckets: some }) {
    const connection = run.connection(on);
    const buckets = some === "all" ? ALL_BUCKETS : some;
    const { campaign: campaignId } = run.values;
    const requestId = `q${(run.unique += 1)}`;
    const payload = { campaignId, requestId, ...(buckets ? { buckets } : {}) };
    connection.send({ type: buckets ? "request_campaign_snapshot" : "request_campaign_digest", payload });
    const { requests } = connection.watcher.cursor(campaignId);
    await connection.until(() => !requests.has(requestId), `an answer to ${requestId}`, run.answerMs);
  },

  /** Checks that two connections at the same number have the same state. */
  async agree(run, { on: [first, second] }) {
    const [a, b] = [first, second].map((name) => run.connection(name).watcher.cursor(run.values.campaign));
    if (a.state === null || b.state === null) throw new Unjudged("a state is not known, see the breaches");
    if (a.next !== b.next) throw new Failure(`both at number ${a.next - 1}`, `the other at ${b.next - 1}`);
    compare(run, a, b);
  },

  /** Requests the list of campaigns, from nothing, from a position, or after that of another connection. */
  async list(run, { on = "a", after, from = {}, outcome }) {
    const connection = run.connection(on);
    const { catalogue } = connection.watcher;
    const other = after === undefined ? undefined : run.connection(after).watcher.catalogue;
    const requestId = `q${(run.unique += 1)}`;
    if (other) {
      from = { epoch: other.epoch, lastSequenceNumber: other.number };
      catalogue.list = new Map(other.list);
    }
    connection.send({ type: "subscribe_catalogue", payload: { requestId, ...from } });
    await connection.until(() => !catalogue.requests.has(requestId), `an answer to ${requestId}`, run.answerMs);
    const first = connection.inbox.find(({ type, data }) => type === "catalogue" && data.requestId === requestId);
    if (first === undefined) throw new Failure("the list", "an error");
    const isChange = typeof first.data.previousSequenceNumber === "number";
    if (outcome === "snapshot" && isChange) throw new Failure("a snapshot of the list", JSON.stringify(first.data));
  },

  /** Waits until the list has the campaign in that state, or has it no more. */
  async listed(run, { on = "a", campaign = "$campaign", phase, status, gone = false }) {
    const connection = run.connection(on);
    const id = filled(campaign, run.values);
    const there = () => {
      const record = connection.watcher.catalogue.list?.get(id)?.campaign;
      if (gone || record === undefined) return gone && record === undefined;
      return [undefined, record.currentPhase].includes(phase) && [undefined, record.phaseStatus].includes(status);
    };
    await connection.until(there, `${id} ${gone ? "gone from" : `as ${phase ?? "any"}/${status ?? "any"} in`} the list`, run.moveMs);
  },

  cut(run, on) {
    run.connection(on).close();
  },

  /** Reads nothing from a connection until the step `resume`. */
  pause(run, on) {
    run.connection(on).pause();
  },

  resume(run, on) {
    run.connection(on).resume();
  },

  /** Sends a request over HTTP and checks its answer. */
  async request(run, { operation, status, code, headers = {}, position }) {
    const values = { ...run.values, ...(position === undefined ? {} : { position: filled(position, run.values) }) };
    const answer = await run.operations.call(operation, values);
    if (answer.status !== status) throw new Failure(`operation ${operation} to answer ${status}`, `${answer.status} ${answer.text}`);
    if (code !== undefined && answer.body?.error?.code !== code) throw new Failure(`code ${code}`, answer.text);
    const { error } = answer.body ?? {};
    if (status >= 400 && !(CODES.has(error?.code) && typeof error.message === "string")) {
      throw new Failure("an error with a code of chapter 14 and a message", answer.text);
    }
    for (const [name, form] of Object.entries(headers)) {
      const value = answer.headers.get(name);
      if (value === null || !new RegExp(form).test(value)) throw new Failure(`header ${name} like ${form}`, value);
    }
    run.values.position = answer.headers.get("campaign-position") ?? run.values.position;
  },

  /** Fetches a snapshot over HTTP, and compares it with the state that the stream had at its number. */
  async fetched(run, { on = "a", operation }) {
    const connection = run.connection(on);
    const { text } = await run.operations.done(operation, run.values);
    const node = parse(text);
    const { epoch, sequenceNumber, domains, domainsCount, domainsDigest } = JSON.parse(text);
    const record = readRecord(member(node, "campaign"));
    const rows = new Map(domains.map((row) => [row.domainId, row]));
    const cursor = connection.watcher.cursor(run.values.campaign);
    const there = () => cursor.epoch === epoch && cursor.next > sequenceNumber;
    await connection.until(there, `the stream to reach ${epoch}/${sequenceNumber}`, run.moveMs);
    const expected = cursor.history.get(sequenceNumber);
    if (expected === undefined) throw new Unjudged(`the state at ${sequenceNumber} is not known`);
    const found = described({ rows, record });
    const stated = `${domainsCount} rows, ${domainsDigest}`;
    const computed = `${rows.size} rows, ${stateDigest({ rows })}`;
    if (stated !== computed) throw new Failure(`a fetched snapshot that states ${computed}`, stated);
    if (found !== expected) throw new Failure(`the state at ${sequenceNumber} as fetched: ${expected}`, found);
  },

  /** Waits until the stream reaches the position of the last answer over HTTP. */
  async positionReached(run, { on = "a" }) {
    const connection = run.connection(on);
    const [epoch, number] = String(run.values.position).split("/");
    const cursor = connection.watcher.cursor(run.values.campaign);
    const there = () => cursor.epoch === epoch && cursor.next > Number(number);
    await connection.until(there, `the stream to reach ${run.values.position}`, run.moveMs);
  },
};

/** The server does not have the profile of the case. */
export class Absent extends Error {}

/** A step cannot be judged, because of a breach that another case reports. */
export class Unjudged extends Error {}

async function seek(run, connection, { campaignId, asked, epoch, prefer, outcome, resume, by, within = run.answerMs }) {
  const requestId = `q${(run.unique += 1)}`;
  const reason = asked === 0 ? "connect" : "reconnect";
  const payload = { campaignId, lastSequenceNumber: asked, epoch, requestId, reason, prefer, resume };
  if (by === undefined) connection.send({ type: "request_event_recovery", payload });
  else connection.send({ type: by, payload: { campaignId, requestId } });
  const cursor = connection.watcher.cursor(campaignId);
  const isAnswer = ({ type, data }) => type === "event_recovery" && data.requestId === requestId;
  const answer = await connection.until((inbox) => inbox.find(isAnswer), `event_recovery for ${requestId}`, within);
  if (outcome !== undefined && answer.data.outcome !== outcome) {
    throw new Failure(`outcome ${outcome}`, JSON.stringify(answer.data));
  }
  run.values.answered = answer.data.toSequenceNumber;
  if (answer.data.outcome === "unknown_campaign") return;
  const isThere = () => cursor.staging === null && cursor.next > cursor.replayTo;
  await connection.until(isThere, `everything up to ${answer.data.toSequenceNumber}`, run.moveMs);
}

/** Waits until the watcher has reached the head of the log that a pong states. */
async function caughtUp(run, connection, pong) {
  const head = pong.data.heads?.find(({ campaignId }) => campaignId === run.values.campaign);
  const cursor = connection.watcher.cursor(run.values.campaign);
  if (head) await connection.until(() => cursor.next > head.logHead, `the events up to ${head.logHead}`, run.answerMs);
}

function wants(pattern, value, run) {
  if (!matches(filled(pattern, run.values), value)) throw new Failure(JSON.stringify(pattern), JSON.stringify(value));
}

const copied = (state) => ({ ...state, rows: new Map(state.rows) });

function compare(run, a, b) {
  const rowsOf = ({ state }) => new Map([...state.rows].map(([id, row]) => [id, JSON.stringify(COLUMNS.map((name) => row[name] ?? null))]));
  const [ours, theirs] = [rowsOf(a), rowsOf(b)];
  const duty = a.refusedTransitions + b.refusedTransitions > 0 ? "refusal" : "rows";
  const { watcher } = run.connections.values().next().value;
  for (const id of new Set([...ours.keys(), ...theirs.keys()])) {
    if (ours.get(id) === theirs.get(id)) continue;
    return watcher.breach(duty, `row ${id} to be ${ours.get(id)}, as the events made it`, theirs.get(id) ?? "no such row");
  }
  if (stateDigest(a.state) !== stateDigest(b.state)) throw new Error("equal rows with unequal digests");
  for (const [name, value] of Object.entries(a.state.record)) {
    const other = b.state.record[name];
    if (value !== other && name !== "campaignId") {
      watcher.breach(duty, `${name} of the record to be ${value}, as the events made it`, other);
    }
  }
  return undefined;
}
