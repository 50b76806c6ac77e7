// What a step of a case does. The README describes each verb.

import { COLUMNS } from "../reader/digest.mjs";
import { stateDigest } from "../reader/fold.mjs";
import { Connection } from "./connection.mjs";
import { Failure } from "./failure.mjs";
import { filled } from "./operations.mjs";
import { matches } from "./pattern.mjs";

/** How long a case waits for an answer, unless the settings say otherwise. */
export const ANSWER_MS = 8_000;
const MOVE_MS = 60_000;

export const STEPS = {
  /** Creates a campaign by the server file's operation. */
  async create(run, { count = 40, rate = 20_000, as = "campaign" }) {
    run.values[as] = await run.operations.create({ count, rate });
  },

  async do(run, name) {
    const answer = await run.operations.done(name, run.values);
    const position = answer.headers.get("campaign-position");
    if (position !== null) run.values.position = position;
  },

  async open(run, { as = "a", ack = {}, init = {} }) {
    const connection = new Connection(run.url, run.memory);
    run.connections.set(as, connection);
    await connection.open();
    const token = run.token === undefined ? {} : { token: run.token };
    connection.send({ type: "connection_init", protocols: ["campaign-sync.v1"], ...token, ...init });
    const isAck = (document) => document.type === "connection_ack";
    const found = await connection.until((inbox) => inbox.find(isAck), "connection_ack", run.answerMs);
    wants({ protocol: "campaign-sync.v1", ...ack }, found.data, run);
  },

  /** Subscribes and asks for recovery in one go, and waits until all of it is there. */
  async follow(run, { on = "a", after, prefer, campaign = "$campaign", epoch, outcome }) {
    const connection = run.connection(on);
    const campaignId = filled(campaign, run.values);
    const from = after === undefined ? undefined : run.connection(after).watcher.cursor(campaignId);
    connection.send({ type: "subscribe_campaign", campaignId });
    const asked = from === undefined ? 0 : from.next - 1;
    const cursor = connection.watcher.cursor(campaignId);
    if (from?.state) cursor.base = { next: from.next, lastId: from.lastId, state: copied(from.state) };
    await seek(run, connection, { campaignId, asked, epoch: epoch ?? from?.epoch, prefer, outcome });
  },

  /** Another request on a connection that follows already. */
  async ask(run, { on = "a", campaign = "$campaign", asked = "$head", epoch, prefer, outcome, resume }) {
    const connection = run.connection(on);
    const campaignId = filled(campaign, run.values);
    const cursor = connection.watcher.cursor(campaignId);
    const values = { ...run.values, head: cursor.next - 1, beyond: cursor.next + 999, epoch: cursor.epoch };
    const request = { campaignId, asked: filled(asked, values), epoch: filled(epoch, values), prefer, outcome };
    await seek(run, connection, { ...request, resume: filled(resume, values) });
  },

  async send(run, { on = "a", message, text }) {
    const connection = run.connection(on);
    run.values.unique = `q${(run.unique += 1)}`;
    connection.send(text ?? filled(message, run.valuesOn(connection)));
  },

  /** Waits for a message that matches. */
  async expect(run, { on = "a", message, within = run.answerMs }) {
    const connection = run.connection(on);
    const wanted = filled(message, run.valuesOn(connection));
    const found = (inbox) => inbox.find((document) => matches(wanted, document));
    await connection.until(found, JSON.stringify(wanted), within);
  },

  /** Nothing that matches may come for that long after the last message sent. */
  async never(run, { on = "a", message, within = 1_000 }) {
    const connection = run.connection(on);
    const unwanted = filled(message, run.valuesOn(connection));
    await new Promise((resolve) => setTimeout(resolve, within));
    const found = connection.inbox.slice(connection.mark).find((document) => matches(unwanted, document));
    if (found) throw new Failure(`nothing like ${JSON.stringify(unwanted)}`, JSON.stringify(found));
  },

  /** Waits until the followed campaign is in a phase and status. */
  async reaches(run, { on = "a", phase, status, within = MOVE_MS }) {
    const connection = run.connection(on);
    const cursor = connection.watcher.cursor(run.values.campaign);
    const there = () => {
      const record = cursor.state?.record;
      if (cursor.state === null) throw new Unjudged("the state is not known, see the breaches");
      return record?.currentPhase === phase && record.phaseStatus === status;
    };
    await connection.until(there, `${phase}/${status} in the stream`, within);
  },

  /** Pings, and has the heads watched. */
  async ping(run, { on = "a", until }) {
    const connection = run.connection(on);
    const timestamp = (run.unique += 1);
    connection.send({ type: "ping", payload: { timestamp } });
    const isEcho = (document) => document.type === "pong" && document.data.timestamp === timestamp;
    const pong = await connection.until((inbox) => inbox.find(isEcho), `a pong that echoes ${timestamp}`, run.answerMs);
    if (until === "head") await caughtUp(run, connection, pong);
  },

  /** A pong comes unasked after the heartbeat that the server announced. */
  async heartbeat(run, { on = "a", slack = 3_000 }) {
    const connection = run.connection(on);
    connection.mark = connection.inbox.length;
    const within = connection.watcher.heartbeatMs + slack;
    const isPong = ({ type, data }) => type === "pong" && (data.timestamp ?? null) === null;
    await connection.until((inbox) => inbox.find(isPong), "a pong unasked, after heartbeatMs of silence", within);
  },

  /** The digests of all buckets, and then the rows of some. */
  async digests(run, { on = "a", buckets }) {
    const connection = run.connection(on);
    const { campaign: campaignId } = run.values;
    const requestId = `q${(run.unique += 1)}`;
    const payload = { campaignId, requestId, ...(buckets ? { buckets } : {}) };
    connection.send({ type: buckets ? "request_campaign_snapshot" : "request_campaign_digest", payload });
    const { requests } = connection.watcher.cursor(campaignId);
    await connection.until(() => !requests.has(requestId), `an answer to ${requestId}`, run.answerMs);
  },

  /** Two connections that stand at one number show one state. */
  async agree(run, { on: [first, second] }) {
    const [a, b] = [first, second].map((name) => run.connection(name).watcher.cursor(run.values.campaign));
    if (a.state === null || b.state === null) throw new Unjudged("a state is not known, see the breaches");
    if (a.next !== b.next) throw new Failure(`both at number ${a.next - 1}`, `the other at ${b.next - 1}`);
    compare(run, a, b);
  },

  cut(run, on) {
    run.connection(on).close();
  },

  /** A request over HTTP and what its answer must be. */
  async request(run, { operation, status, code, headers = {}, position }) {
    const values = { ...run.values, ...(position === undefined ? {} : { position: filled(position, run.values) }) };
    const answer = await run.operations.call(operation, values);
    if (answer.status !== status) throw new Failure(`operation ${operation} to answer ${status}`, `${answer.status} ${answer.text}`);
    if (code !== undefined && answer.body?.error?.code !== code) throw new Failure(`code ${code}`, answer.text);
    for (const [name, form] of Object.entries(headers)) {
      const value = answer.headers.get(name);
      if (value === null || !new RegExp(form).test(value)) throw new Failure(`header ${name} like ${form}`, value);
    }
    run.values.position = answer.headers.get("campaign-position") ?? run.values.position;
  },

  /** The position of the last answer over HTTP is reached in the stream. */
  async positionReached(run, { on = "a" }) {
    const connection = run.connection(on);
    const [epoch, number] = String(run.values.position).split("/");
    const cursor = connection.watcher.cursor(run.values.campaign);
    const there = () => cursor.epoch === epoch && cursor.next > Number(number);
    await connection.until(there, `the stream to reach ${run.values.position}`, MOVE_MS);
  },
};

/** A step that cannot be judged, because something else is broken that another case reports. */
export class Unjudged extends Error {}

async function seek(run, connection, { campaignId, asked, epoch, prefer, outcome, resume }) {
  const requestId = `q${(run.unique += 1)}`;
  const reason = asked === 0 ? "connect" : "reconnect";
  const payload = { campaignId, lastSequenceNumber: asked, epoch, requestId, reason, prefer, resume };
  connection.send({ type: "request_event_recovery", payload });
  const cursor = connection.watcher.cursor(campaignId);
  const isAnswer = ({ type, data }) => type === "event_recovery" && data.requestId === requestId;
  const answer = await connection.until((inbox) => inbox.find(isAnswer), `event_recovery for ${requestId}`, run.answerMs);
  if (outcome !== undefined && answer.data.outcome !== outcome) {
    throw new Failure(`outcome ${outcome}`, JSON.stringify(answer.data));
  }
  run.values.answered = answer.data.toSequenceNumber;
  if (answer.data.outcome === "unknown_campaign") return;
  const isThere = () => cursor.staging === null && cursor.next > cursor.replayTo;
  await connection.until(isThere, `everything up to ${answer.data.toSequenceNumber}`, MOVE_MS);
}

/** Waits until the watcher stands at the head of the log that a pong told. */
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
