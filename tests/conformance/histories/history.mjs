// One random history: a model server, an unreliable line, the machine and the reader. The reader receives both
// directions of the conversation. Machine and reader must show the same state.

import { COLUMNS } from "../reader/digest.mjs";
import { Reader } from "../reader/client.mjs";
import { Random } from "./random.mjs";
import { ModelServer } from "./server.mjs";

const CAMPAIGNS = ["spring-1", "autumn_2"];
const STEPS = 60;
const HEALING_STEPS = 400;
const STEP_MS = 3_000;
/** The metrics of chapter 13 that the reader counts as well; it has no clock. */
const COUNTED = ["applied", "corrupt", "outOfOrder", "retiredEpoch", "foreignEpoch", "unknownTypes", "unsubscribed"];

/** Draws the rates of the faults. Most histories have few kinds of faults, and some have all. */
function drawFaults(random) {
  const often = (most) => (random.chance(0.4) ? random.next() * most : 0);
  return {
    loses: often(0.3), duplicates: often(0.3), repeats: often(0.2), corrupts: often(0.2), swaps: often(0.2),
    cuts: often(0.1), truncates: often(0.1), restores: often(0.05), breaks: often(0.3), tampers: often(0.05),
  };
}

const NO_FAULTS = { loses: 0, duplicates: 0, repeats: 0, corrupts: 0, swaps: 0, cuts: 0, truncates: 0, restores: 0, tampers: 0 };

export class Disagreement extends Error {}

export class History {
  #line = [];
  #past = [];
  journal = [];

  constructor(machine, seed, { compares = 0.05, reader = new Reader() }) {
    Object.assign(this, { machine, seed, compares, reader, random: new Random(seed) });
    this.campaigns = CAMPAIGNS.slice(0, this.random.between(1, 2));
    this.faults = drawFaults(this.random);
    const style = { spaces: this.random.chance(0.5), escapes: this.random.chance(0.5), shuffles: this.random.chance(0.5) };
    style.unknown = this.random.chance(0.5);
    this.server = new ModelServer(this.random, style, this.faults, this.campaigns, (source) => this.#line.push(source));
  }

  /** Runs a command of the machine, and passes its output to the reader and the server. */
  async #let(command, ...needs) {
    const did = await this.machine.ask(command, this.seed, ...needs);
    for (const [verb, source] of did) {
      this.journal.push([verb, source]);
      if (verb === "send") {
        this.reader.sent(source);
        this.server.receive(source);
      } else {
        this.reader.disconnected();
        this.#line.length = 0;
        this.server.connected();
      }
    }
    return did.length > 0;
  }

  async run() {
    await this.#let("new", this.seed, this.campaigns);
    for (let step = 0; step < STEPS; step += 1) await this.#step();
    Object.assign(this.faults, NO_FAULTS);
    if (this.random.chance(0.1)) this.server.end(this.random.pick(this.campaigns));
    for (let step = 0; step < HEALING_STEPS && !(await this.#isHealed()); step += 1) {
      await this.#deliverAll();
      await this.#let("advance", STEP_MS);
    }
    await this.#compare();
    await this.#compareWithServer();
    await this.machine.ask("end", this.seed);
  }

  async #step() {
    const { random, faults, server } = this;
    const campaignId = random.pick(this.campaigns);
    if (random.chance(faults.truncates)) server.truncate(campaignId);
    if (random.chance(faults.restores)) server.restore(campaignId);
    if (random.chance(faults.tampers)) server.tamper(campaignId);
    if (random.chance(faults.cuts)) {
      this.journal.push(["cut"]);
      this.reader.disconnected();
      this.#line.length = 0;
      server.connected();
      await this.#let("close", 1006);
    }
    if (random.chance(0.7)) server.move(campaignId);
    if (random.chance(0.6)) await this.#deliverAll();
    if (random.chance(0.3) || this.#line.length === 0) await this.#let("advance", STEP_MS);
  }

  async #deliverAll() {
    for (let frames = 0; this.#line.length > 0 && frames < 1_000; frames += 1) {
      const taken = this.#line.splice(0, this.random.chance(0.2) ? this.random.between(2, 4) : 1);
      const frame = taken.flatMap((source) => this.#damage(source)).join("\n");
      if (frame === "") continue;
      this.journal.push(["receive", frame]);
      this.reader.received(frame);
      await this.#let("frame", frame);
      const isWanted = this.random.chance(this.compares);
      if (isWanted || this.reader.isUncertain) await this.#compare();
    }
  }

  /**
   * Returns the documents that arrive in place of one. A control message is delivered or lost, but never reordered,
   * because a transport keeps the order.
   */
  #damage(source) {
    const { random, faults } = this;
    if (source.startsWith('{"type":"connection_ack"')) return [source];
    if (random.chance(faults.loses)) return [];
    if (!source.includes('"sequence"')) return [source];
    this.#past.push(source);
    const arrives = random.chance(faults.corrupts) ? corrupted(random, source) : source;
    if (random.chance(faults.swaps) && this.#line.length > 0) {
      this.#line.splice(1, 0, arrives);
      return [];
    }
    const again = random.chance(faults.duplicates) ? [arrives] : [];
    const old = random.chance(faults.repeats) ? [random.pick(this.#past)] : [];
    return [arrives, ...again, ...old];
  }

  async #isHealed() {
    if (this.#line.length > 0) return false;
    for (const campaignId of this.campaigns) {
      const { view } = await this.machine.ask("shown", this.seed, campaignId);
      const { epoch, head } = this.server.logs.get(campaignId);
      const { position } = view;
      const isThere = view.status === "live" && position.epoch === epoch && position.sequenceNumber === head;
      if (!isThere && view.status !== "ended") return false;
    }
    return true;
  }

  async #compare() {
    for (const campaignId of this.campaigns) {
      const { view, rows, metrics } = await this.machine.ask("shown", this.seed, campaignId);
      if (view.position !== null) this.reader.catchUp(campaignId, view.position.sequenceNumber);
      const shown = this.reader.shown(campaignId);
      this.#same(campaignId, "position", view.position, asPosition(shown.position));
      this.#same(campaignId, "record", view.campaign && { ...view.campaign, totalDomainCount: view.totalDomainCount },
        asRecord(shown.record));
      this.#same(campaignId, "digest", view.domainsDigest, shown.digest);
      this.#same(campaignId, "rows", sorted(rows.filter(({ unconfirmed }) => !unconfirmed).map(asRow)),
        sorted([...shown.rows.values()].map(asRow)));
      this.#same(campaignId, "end", view.status === "ended", shown.ended);
      this.lastMetrics = metrics;
    }
    if (!this.reader.isUncertain) for (const word of COUNTED) this.#same("", word, this.lastMetrics[word], this.reader.counts[word] ?? 0);
    this.compared = (this.compared ?? 0) + 1;
  }

  async #compareWithServer() {
    for (const campaignId of this.campaigns) {
      const log = this.server.logs.get(campaignId);
      const { view } = await this.machine.ask("shown", this.seed, campaignId);
      if (view.status !== "ended") {
        this.#same(campaignId, "head", view.position, { epoch: log.epoch, sequenceNumber: log.head, eventId: log.lastId });
      }
    }
  }

  #same(campaignId, what, machine, reader) {
    const [ours, theirs] = [JSON.stringify(ordered(machine)), JSON.stringify(ordered(reader))];
    if (ours === theirs) return;
    throw new Disagreement(`seed ${this.seed}, ${campaignId} ${what}:\n machine ${ours}\n reader  ${theirs}`);
  }
}

/** Returns the value with its members sorted by name. */
function ordered(value) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

const asPosition = (position) =>
  position && { epoch: position.epoch, sequenceNumber: position.number, eventId: position.eventId };
const asRow = (row) => COLUMNS.map((column) => row[column] ?? null);
const sorted = (rows) => rows.sort((a, b) => (a[0] < b[0] ? -1 : 1));

function asRecord(record) {
  if (record === null) return null;
  const { campaignId, errorMessage, totalDomainCount, ...shown } = record;
  return { ...shown, totalDomainCount, ...(errorMessage === null ? {} : { errorMessage }) };
}

/** Returns the document with one character changed. */
function corrupted(random, source) {
  const at = random.between(1, source.length - 2);
  return source.slice(0, at) + random.pick(["0", "a", "~", '"', "}", " "]) + source.slice(at + 1);
}
