// Replacements for parts of the page: a host that records its calls, and a clock that moves only when a test moves
// it.

/** The effects that the browser layer requests, each with the values that are recorded. Any other name is a notice. */
const EFFECTS = {
  changed: () => [],
  open: (connection) => [connection],
  closeSocket: (code) => [code],
  requestToken: ({ ticket }) => [ticket],
  fetchSnapshot: ({ ticket, campaignId }) => [ticket, campaignId],
  send: (frame) => [frame],
  settle: ({ ticket, code }) => [ticket, code],
  log: (record) => [record],
};

/** The calls by number, as in `pkg/src/calls.ts`. */
const CALLS =
  "connect pause reset close timer online visible pageShow opened closed retain release retainCatalogue releaseCatalogue refresh discardUnconfirmed reached cancelWait fold token renewed snapshot view status domains unfolded changes catalogue wholeCatalogue catalogueStatus metrics diagnostics".split(" ");

/** The number of the connection that was opened last. */
let latest = 0;

export function latestConnection() {
  return latest;
}

/** The hosts by their number, and those of the clients. */
const hosts = new Map();
const hostsOf = new WeakMap();

/** The module calls it as a global; the package passes it to the generated JavaScript instead. */
globalThis.hosts = { perform: (host, effect, detail) => hosts.get(host).perform(effect, JSON.parse(detail)) };

/** Calls a method of a client. Returns its answer, and throws the code with which it refuses the call. */
export function callClient(client, method, ...values) {
  return hostsOf.get(client).reply(() => client[method](...values));
}

/** A host that records every call, and then runs the hook of the test. */
export class Recorder {
  #number = hosts.size;
  #answer;
  #refused;
  #calls = [];
  #hooks = new Map();
  #depth = 0;
  #deepest = 0;
  #client;
  #timer;

  constructor() {
    hosts.set(this.#number, this);
  }

  number() {
    return this.#number;
  }

  /** The client that the timer wakes. */
  attach(client) {
    this.#client = client;
    hostsOf.set(client, this);
  }

  reply(run) {
    this.#answer = undefined;
    const value = run();
    const refused = this.#refused;
    this.#refused = undefined;
    if (refused !== undefined) throw refused;
    return value ?? this.#answer;
  }

  perform(effect, detail) {
    if (effect === "answer") this.#answer = detail;
    if (effect === "refuse") this.#refused = detail;
    if (effect === "answer" || effect === "refuse") return;
    if (effect === "open") latest = detail;
    if (effect === "wakeIn") return this.#arm(detail);
    const values = EFFECTS[effect];
    try {
      if (values === undefined) this.#call("dispatch", [effect, detail]);
      else this.#call(effect, values(detail));
    } catch {
      // The package reports an exception of an import, and the module never sees it.
    }
  }

  #arm(ms) {
    clearTimeout(this.#timer);
    if (ms !== null) this.#timer = setTimeout(() => callClient(this.#client, "call", CALLS.indexOf("timer"), "", "", 0, 0), ms);
  }

  /** Runs `hook(values)` inside every call of `name`, an effect or `dispatch` for all notices. */
  hook(name, hook) {
    this.#hooks.set(name, hook);
  }

  clear() {
    this.#calls.length = 0;
  }

  /** The calls so far, each `[name, ...values]`, as JSON. */
  calls() {
    return JSON.stringify(this.#calls);
  }

  /** The largest number of nested calls so far. */
  deepest() {
    return this.#deepest;
  }

  #call(name, values) {
    this.#calls.push(structuredClone([name, ...values]));
    this.#depth += 1;
    this.#deepest = Math.max(this.#deepest, this.#depth);
    try {
      this.#hooks.get(name)?.(values);
    } finally {
      this.#depth -= 1;
    }
  }
}

/** A frame that changes nothing, before and after the acknowledgement. */
const REFUSAL = '{"type":"error","timestamp":"","data":{"code":"rate_limited","message":""}}';

/** Calls every method but `close` and `free`. */
export function callEverything(client, campaignId) {
  const call = (name, id = "", text = "", ticket = 0, number = 0) => callClient(client, "call", CALLS.indexOf(name), id, text, ticket, number);
  call("connect");
  call("retain", campaignId);
  client.receive(latest, new TextEncoder().encode(REFUSAL));
  client.receiveText(latest, REFUSAL);
  call("changes");
  call("view", campaignId);
  call("status", campaignId);
  call("domains", campaignId, '{"search":"name"}');
  call("reached", campaignId, "epoch-a", 7, 1);
  call("discardUnconfirmed", campaignId);
  call("refresh", campaignId);
  call("token", "", "nobody asked", 999);
  call("snapshot", "", "{}", 999);
  call("metrics");
  call("diagnostics");
  call("release", campaignId);
}

/** Frees the client if it is not freed yet. */
export function freeQuietly(client) {
  try {
    client.free();
  } catch {
    // The client is already freed.
  }
}

/** A monotonic clock, a wall clock, and timers that fire when the clocks move. */
export class FakeTime {
  static #installed;
  #now = 5_000.75;
  #wall = 1_900_000_000_000;
  #timers = new Map();
  #armed = 0;
  #most = 0;
  #genuine;

  install() {
    // A failed test could not clean up.
    FakeTime.#installed?.restore();
    FakeTime.#installed = this;
    this.#genuine = { dateNow: Date.now, setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout };
    performance.now = () => this.#now;
    Date.now = () => this.#wall;
    globalThis.setTimeout = (run, ms) => {
      this.#armed += 1;
      this.#timers.set(this.#armed, { at: this.#now + ms, run });
      this.#most = Math.max(this.#most, this.#timers.size);
      return this.#armed;
    };
    globalThis.clearTimeout = (timer) => this.#timers.delete(timer);
  }

  restore() {
    if (FakeTime.#installed !== this) return;
    FakeTime.#installed = undefined;
    delete performance.now;
    Date.now = this.#genuine.dateNow;
    globalThis.setTimeout = this.#genuine.setTimeout;
    globalThis.clearTimeout = this.#genuine.clearTimeout;
  }

  /** Moves both clocks; timers fire when they are due. */
  advance(ms) {
    const end = this.#now + ms;
    for (let due = this.#next(end); due !== undefined; due = this.#next(end)) {
      const [timer, { at, run }] = due;
      this.#timers.delete(timer);
      this.pass(Math.max(0, at - this.#now));
      run();
    }
    this.pass(end - this.#now);
  }

  /** Moves both clocks; no timer fires. */
  pass(ms) {
    this.#now += ms;
    this.#wall += ms;
  }

  /** Simulates a laptop that sleeps: only the wall clock moves. */
  sleep(ms) {
    this.#wall += ms;
  }

  /** The number of armed timers. */
  pending() {
    return this.#timers.size;
  }

  /** The largest number of timers that were armed at once. */
  most() {
    return this.#most;
  }

  /** The number of timers armed so far. */
  armed() {
    return this.#armed;
  }

  #next(end) {
    const due = [...this.#timers].filter(([, { at }]) => at <= end);
    return due.sort(([, one], [, other]) => one.at - other.at)[0];
  }
}
