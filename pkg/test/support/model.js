// A client on the compiled module, and a server whose every state is known: the oracle of the tests of caches.
import { readFileSync } from "node:fs";

import { CampaignSync } from "../../dist/client.js";
import { CampaignSyncError } from "../../dist/errors.js";
import { Loader } from "../../dist/module.js";
import { CAMPAIGN, Stream } from "./stream.js";

export { CAMPAIGN };
export const EPOCH = "epoch-a";
const TIME = "2031-03-05T06:07:08Z";
const BYTES = readFileSync(new URL("../../wasm/campaign_sync_bg.wasm", import.meta.url));
// The query keeps the fake machine out.
const { glue } = await import("../../dist/main-glue.js?model");
new Loader(glue, () => BYTES, 1_000).loadSync(BYTES);

/** Random numbers of a seed. */
export class Random {
  #state;

  constructor(seed) {
    this.#state = seed * 2_654_435_769 + 1;
  }

  /** A whole number from 0 to `limit` - 1. */
  below(limit) {
    this.#state = (Math.imul(this.#state ^ (this.#state >>> 15), 2_246_822_519) + 374_761_393) >>> 0;
    return ((this.#state ^ (this.#state >>> 13)) >>> 0) % limit;
  }

  pick(list) {
    return list[this.below(list.length)];
  }
}

/** A server of one campaign. It remembers its state at each number. */
export class Server {
  stream = new Stream();
  record = { name: "n", currentPhase: "domain_generation", phaseStatus: "in_progress", totalItems: 0, processedItems: 0,
    successfulItems: 0, failedItems: 0, progressPercentage: 0, createdAt: TIME, updatedAt: TIME };
  rows = new Map();
  #states = [null];

  constructor() {
    this.#remember();
  }

  get head() {
    return this.stream.head;
  }

  /** The state at a number: the texts of the record and of the rows. */
  at(number) {
    const { record, rows } = this.#states[number];
    return { record: textOf(record), rows: rowsText(rows) };
  }

  /** Appends one event of this kind, and returns its text. */
  append(kind, random = new Random(1)) {
    const text = this.#events[kind](random);
    this.#remember();
    return text;
  }

  /** Appends an event with these rows, and returns its text. */
  update(rows) {
    const text = this.#rows(rows);
    this.#remember();
    return text;
  }

  /** Appends an event that removes a row, and returns its text. */
  remove(domainId) {
    const text = this.#removed(domainId);
    this.#remember();
    return text;
  }

  /** The data that a fetch gets while the server's copy is at this number. */
  data(number) {
    const state = this.at(number);
    const position = { epoch: EPOCH, sequenceNumber: number };
    const domains = JSON.parse(state.rows);
    return { campaignId: CAMPAIGN, campaign: JSON.parse(state.record), position, partial: false, domains, dnsValidatedDomains: [], httpKeywordResults: [], leads: [] };
  }

  #events = {
    added: () => {
      const row = { domainId: `d-${this.head}`, domain: `d-${this.head}.example`, offset: this.head };
      return this.#rows([row]);
    },
    changed: (random) => {
      const ids = [...this.rows.keys()];
      return ids.length === 0 ? this.#events.added() : this.#rows([{ domainId: random.pick(ids), dnsStatus: random.pick(["resolved", "timeout"]), leadScore: this.head }]);
    },
    removed: (random) => {
      const ids = [...this.rows.keys()];
      if (ids.length === 0) return this.#events.added();
      return this.#removed(random.pick(ids));
    },
    progress: () => {
      const counters = { totalItems: 1_000, processedItems: this.head, successfulItems: this.head, failedItems: 0 };
      this.record = { ...this.record, ...counters, progressPercentage: this.head / 10 };
      const { currentPhase, phaseStatus } = this.record;
      return this.stream.append("campaign.progress", { campaignId: CAMPAIGN, ...counters, progressPercent: this.head / 10, currentPhase, phaseStatus });
    },
    status: () => {
      this.record = { ...this.record, phaseStatus: this.record.phaseStatus === "paused" ? "in_progress" : "paused" };
      return this.stream.append("campaign.status", { campaignId: CAMPAIGN, phaseStatus: this.record.phaseStatus });
    },
    transition: () => {
      const previousPhase = this.record.currentPhase;
      const newPhase = previousPhase === "domain_generation" ? "dns_validation" : "domain_generation";
      this.record = { ...this.record, currentPhase: newPhase, phaseStatus: "configured", processedItems: 0, successfulItems: 0, progressPercentage: 0 };
      return this.stream.append("campaign.phase.transition", { campaignId: CAMPAIGN, previousPhase, newPhase, newStatus: "configured",
        transitionType: "manual", prerequisitesMet: true, dataIntegrityCheck: true, domainsCount: this.rows.size, processedCount: 0,
        successfulCount: 0, failedItems: 0, campaign: this.record });
    },
    message: () => this.stream.append("system.notification", { campaignId: CAMPAIGN, level: "info", message: "m" }),
  };

  #rows(rows) {
    for (const row of rows) this.rows.set(row.domainId, { ...this.rows.get(row.domainId), ...row });
    return this.stream.append("domains.updated", { campaignId: CAMPAIGN, domains: rows });
  }

  #removed(domainId) {
    this.rows.delete(domainId);
    return this.stream.append("domains.removed", { campaignId: CAMPAIGN, domainIds: [domainId] });
  }

  #remember() {
    // A change replaces the record and the row, so the list keeps the state of now.
    this.#states[this.head] = { record: this.record, rows: [...this.rows.values()] };
  }
}

/** A client of the server, on the compiled module. It is live. */
export async function follow(server, options = {}) {
  const sync = new CampaignSync({ target: null, lingerMs: 0, ...options });
  let closed = false;
  sync.addEventListener("connectionchange", ({ detail }) => (closed = detail.state === "closed"));
  sync.onsend = (frame) => {
    const answers = server.stream.answer(frame);
    setImmediate(() => { if (!closed) answers.forEach((answer) => sync.receive(answer)); });
  };
  sync.connect();
  return { sync, campaign: await enter(sync) };
}

/** Takes a handle, and waits until the campaign is live. */
export async function enter(sync) {
  const campaign = sync.campaign(CAMPAIGN);
  while (campaign.view().status !== "live") await new Promise((resolve) => setTimeout(resolve, 1));
  return campaign;
}

/** A fetch that the test answers by hand. */
export function manualFetch() {
  const calls = [];
  const fetch = (campaignId, { minPosition }) =>
    new Promise((resolve, reject) => calls.push({ minPosition, resolve, reject, behind: () => reject(new CampaignSyncError("behind")) }));
  return { calls, fetch };
}

const RECORD = ["name", "currentPhase", "phaseStatus", "totalItems", "processedItems", "successfulItems", "failedItems", "progressPercentage", "createdAt", "updatedAt"];
const ROW = ["domainId", "domain", "offset", "dnsStatus", "leadScore"];
const select = (object, names) => Object.fromEntries(names.map((name) => [name, object[name] ?? null]));

/** The text of a record, by which records are compared. */
export function textOf(record) {
  return JSON.stringify(select(record, RECORD));
}

/** The text of rows, by which rows are compared. */
export function rowsText(rows) {
  return JSON.stringify(rows.map((row) => select(row, ROW)).sort((a, b) => (a.domainId < b.domainId ? -1 : 1)));
}
