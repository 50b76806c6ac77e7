// A fake machine with the interface of the generated module. It makes no decision: it emits the effects that a test
// requests, and records the calls that it receives.

import { CALLS } from "./calls.js";

/** The calls from here on return something. */
const QUERIES = CALLS.slice(CALLS.indexOf("view"));
/** The answers of the application, by the number of the call. */
const RENEWED = [undefined, "no", "yes"];
const FAILURES = [undefined, "failed", "invalid", "final"];
const ANSWERS = {
  token: (id, number, answer) => (number === 0 ? { id, ...answer } : { id, failure: FAILURES[number] }),
  renewed: (id, number) => (number === 0 ? { id } : { id, text: RENEWED[number] }),
};

/** All machines created so far. The last one belongs to the current test. */
export const machines = [];

/** Number of times the module was started. */
export let starts = 0;

/** The package's side of the machines, as it passes it. */
let hosts;

/** The generated JavaScript, as the package imports it. */
export const glue = (given) => {
  hosts = given;
  return { Client, __wbg_set_wasm };
};

export function __wbg_set_wasm(exports) {
  if (typeof exports.client_call !== "function") throw new Error("another module");
  starts += 1;
}

export class Client {
  calls = [];
  /** The commands, as they came. */
  commands = [];
  changes = new Map();
  views = new Map();
  rows = new Map();
  statuses = new Map();
  metricsNow = { applied: 0 };
  freed = false;
  #readers = new Map();
  #closed = false;
  #armed = true;

  constructor(lingerMs, hasToken, hasRenewal, hasFetchSnapshot, log, host) {
    this.options = { lingerMs, hasToken, hasRenewal, hasFetchSnapshot, log };
    this.host = callsOf({ perform: (effect, detail) => hosts.perform(host, effect, JSON.stringify(detail)) });
    machines.push(this);
  }

  /** Changes a campaign's view, as an event would. The content is 1 for the record, 2 for the rows, 3 for both. */
  change(campaignId, members = {}, content = 0) {
    const before = this.views.get(campaignId) ?? { position: null, campaign: null, counts: { dns: {}, http: {}, lead: {} } };
    this.views.set(campaignId, { ...before, ...members });
    if (members.status) this.statuses.set(campaignId, members.status);
    this.changes.set(campaignId, (this.changes.get(campaignId) ?? 0) | content);
    if (!this.#armed) return;
    this.#armed = false;
    this.host.changed();
  }

  /** Dispatches an invalidation, as a transition would. */
  invalidate(campaignId, sequenceNumber, epoch = "e1") {
    this.host.dispatch("cacheinvalidated", { campaignId, reason: "phase_transition", epoch, sequenceNumber });
  }

  #record(name, ...values) {
    if (this.#closed) throw "closed";
    this.calls.push([name, ...values]);
  }

  /** Replies as the module does: passes on the answer, or the code that `run` throws. */
  #reply(run) {
    try {
      const answer = run();
      if (answer !== undefined) this.host.answer(answer);
    } catch (code) {
      if (typeof code !== "string") throw code;
      this.host.refuse(code);
    }
  }

  call(...values) {
    this.#reply(() => this.#answer(...values));
  }

  /** Takes a call by number. Records a command under its name, with its arguments. */
  #answer(place, campaignId, text, id, number) {
    const name = CALLS[place];
    const answer = number === 0 ? { text } : {};
    if (name === "changes") return this.takeChanges();
    if (name === "domains") return id === 0 ? this.domains(campaignId, withoutCampaign(JSON.parse(text))) : this.slice(campaignId, id);
    if (QUERIES.includes(name)) return this[name](campaignId);
    this.commands.push({ command: name, ...ANSWERS[name]?.(id, number, answer) });
    switch (name) {
      case "reached": return this.reached(campaignId, text, number, id);
      case "token": return this.provideToken(id, answer.text);
      case "renewed": return this.renewed(id, RENEWED[number]);
      case "snapshot": return this.provideSnapshot(id, answer.text);
      case "closed": return this.closed(id, number);
      case "opened": return this.opened(id);
      case "cancelWait": return this.cancelWait(campaignId, id);
      case "fold": return this.fold(campaignId, text);
      default: return this[name](campaignId);
    }
  }

  connect() { this.#record("connect"); }
  pause() { this.#record("pause"); }
  reset() { this.#record("reset"); }
  renewed(...values) { this.#record("renewed", ...values); }
  close() { this.#record("close"); this.#closed = true; }
  retain(id) {
    if (!/^[\w-]{1,64}$/.test(id)) throw "invalid_campaign_id";
    this.#record("retain", id);
  }
  release(id) { this.#record("release", id); }
  receive(connection, frame) {
    return this.#take(connection, new Uint8Array(frame), new TextDecoder().decode(new Uint8Array(frame)));
  }
  receiveText(connection, frame) { return this.#take(connection, frame, frame); }
  #take(connection, frame, text) {
    let applied = 0;
    this.#reply(() => {
      this.#record("receive", connection, frame);
      applied = this.onReceive?.(text) ?? 0;
    });
    return applied;
  }
  opened(connection) { this.#record("opened", connection); }
  closed(connection, code) { this.#record("closed", connection, code); }
  online() { this.#record("online"); }
  takeChanges() {
    this.#armed = true;
    const taken = [...this.changes];
    this.changes.clear();
    return taken;
  }
  retainCatalogue() { this.#record("retainCatalogue"); }
  releaseCatalogue() { this.#record("releaseCatalogue"); }
  catalogueStatus() { return "idle"; }
  catalogue() { return { status: "idle", total: 0, changed: [], removed: [] }; }
  wholeCatalogue() { return this.catalogue(); }
  unfolded() { return this.names ?? []; }
  fold(id, names) { this.#record("fold", id, names); }
  view(id) { return this.views.has(id) ? { campaignId: id, ...this.views.get(id), status: this.status(id) } : undefined; }
  status(id) { return this.statuses.get(id) ?? "idle"; }
  domains(id, query) {
    this.#record("domains", id, query);
    const rows = this.rows.get(id) ?? [];
    const from = query.offset ?? 0;
    return { total: rows.length, rows: rows.slice(from, from + (query.limit ?? 100)) };
  }
  /** The next rows that the reader lacks, at most 1,000. */
  slice(id, reader) {
    this.#record("slice", id);
    const rows = this.rows.get(id) ?? [];
    const read = this.#readers.get(reader) ?? new Map();
    this.#readers.set(reader, read);
    const lacking = rows.filter((row) => read.get(row.domainId) !== JSON.stringify(row)).slice(0, 1_000);
    for (const row of lacking) read.set(row.domainId, JSON.stringify(row));
    return { total: rows.length, rows: lacking.map((row) => ({ ...row })) };
  }
  reached(...values) { this.#record("reached", ...values); this.onReached?.(...values); }
  cancelWait(...values) { this.#record("cancelWait", ...values); }
  discardUnconfirmed(id) { this.#record("discardUnconfirmed", id); }
  refresh(id) { this.#record("refresh", id); }
  provideToken(...values) { this.#record("provideToken", ...values); }
  provideSnapshot(...values) { this.#record("provideSnapshot", ...values); }
  metrics() { return this.metricsNow; }
  diagnostics() { return {}; }
  free() { this.freed = true; }
  // Only the module for sealed content has the following methods.
  seal() { this.#reply(() => this.#record("seal")); }
  addKey(kid, key) { this.#reply(() => this.#record("addKey", kid, key.slice())); }
  openAnswer(...values) {
    this.#reply(() => {
      this.#record("openAnswer", ...values);
      if (typeof this.onOpen !== "function") throw "not_sealed";
      return this.onOpen(...values);
    });
  }
}

if (!import.meta.url.endsWith("?encrypted")) for (const own of ["seal", "addKey", "openAnswer"]) delete Client.prototype[own];

/** Returns one function per effect that the machine can request of its host. */
function callsOf(host) {
  return {
    answer: (answer) => host.perform("answer", answer),
    refuse: (code) => host.perform("refuse", code),
    changed: () => host.perform("changed", null),
    dispatch: (kind, detail) => host.perform(kind, detail),
    open: (connection) => host.perform("open", connection),
    send: (frame) => host.perform("send", frame),
    closeSocket: (code) => host.perform("closeSocket", code),
    settle: (ticket, code) => host.perform("settle", { ticket, code }),
    log: (record) => host.perform("log", record),
    renewSession: (ticket, attempt) => host.perform("renewSession", { ticket, attempt }),
    signedOut: () => host.perform("signedOut", null),
    requestToken: (ticket) => host.perform("requestToken", { ticket }),
    fetchSnapshot: (ticket, campaignId) => host.perform("fetchSnapshot", { ticket, campaignId }),
  };
}

function withoutCampaign({ campaignId, ...query }) {
  return query;
}
