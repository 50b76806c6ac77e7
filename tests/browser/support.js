// Replacements for parts of the page: a host that records its calls, a clock that moves only when a test moves
// it, and sockets that the tests drive.

/** The effects that the browser layer requests, each with the values that are recorded. Any other name is a notice. */
const EFFECTS = {
  changed: () => [],
  requestToken: ({ ticket }) => [ticket],
  fetchSnapshot: ({ ticket, campaignId }) => [ticket, campaignId],
  send: (frame) => [frame],
  settle: ({ ticket, code }) => [ticket, code],
  log: (record) => [record],
};

/** A host that records every call, and then runs the hook of the test. */
export class Recorder {
  #calls = [];
  #hooks = new Map();
  #depth = 0;
  #deepest = 0;

  perform(effect, detail) {
    const values = EFFECTS[effect];
    if (values === undefined) this.#call("dispatch", [effect, detail]);
    else this.#call(effect, values(detail));
  }

  openSocket(url) {
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    return socket;
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
  const send = (command, members) => client.command(JSON.stringify({ command, ...members }));
  const read = (what, members) => client.read(JSON.stringify({ read: what, ...members }));
  send("connect");
  send("retain", { campaignId });
  client.receive(new TextEncoder().encode(REFUSAL));
  read("changes");
  read("view", { campaignId });
  read("status", { campaignId });
  read("domains", { campaignId, search: "name" });
  send("reached", { campaignId, epoch: "epoch-a", sequenceNumber: 1, ticket: 7 });
  send("discardUnconfirmed", { campaignId });
  send("refresh", { campaignId });
  send("token", { ticket: 999, token: "nobody asked" });
  client.provideSnapshot(999, "{}");
  read("metrics");
  read("diagnostics");
  send("release", { campaignId });
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
    FakeSockets.installed?.restore();
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

/** Stands in for the browser's `WebSocket`. */
export class FakeSockets {
  static installed;
  #genuine;
  #all = [];
  /** The callback that a socket runs inside `send`. */
  onsend = null;

  install() {
    const sockets = this;
    const all = this.#all;
    FakeSockets.installed = this;
    this.#genuine = globalThis.WebSocket;
    globalThis.WebSocket = class WebSocket {
      readyState = 0;
      onopen = null;
      onmessage = null;
      onclose = null;
      onerror = null;
      sent = [];
      closes = [];

      constructor(url) {
        this.url = url;
        all.push(this);
      }

      addEventListener(type, listener) {
        this[`on${type}`] = listener;
      }

      removeEventListener(type, listener) {
        if (this[`on${type}`] === listener) this[`on${type}`] = null;
      }

      send(frame) {
        if (this.readyState === 0) throw new DOMException("still connecting", "InvalidStateError");
        this.sent.push(frame);
        sockets.onsend?.(this, frame);
      }

      close(code) {
        const legal = code === undefined || code === 1000 || (code >= 3000 && code <= 4999);
        if (!legal) throw new DOMException("code", "InvalidAccessError");
        if (this.readyState >= 2) return;
        this.closes.push(code ?? null);
        this.readyState = 2;
      }
    };
  }

  restore() {
    if (FakeSockets.installed !== this) return;
    FakeSockets.installed = undefined;
    globalThis.WebSocket = this.#genuine;
  }

  count() {
    return this.#all.length;
  }

  /** A socket by its index. */
  at(index) {
    return this.#all[index];
  }

  accept(index) {
    const socket = this.#all[index];
    socket.readyState = 1;
    socket.onopen?.({});
  }

  deliver(index, data) {
    this.#all[index].onmessage?.({ data });
  }

  die(index, code) {
    const socket = this.#all[index];
    socket.readyState = 3;
    socket.onerror?.({});
    socket.onclose?.({ code });
  }

  /** Whether a socket has any callback left. */
  listens(index) {
    const { onopen, onmessage, onclose, onerror } = this.#all[index];
    // The browser's setters turn `undefined` into `null`.
    return [onopen, onmessage, onclose, onerror].some((callback) => (callback ?? null) !== null);
  }

  /** The members of a socket that JSON can represent. */
  describe(index) {
    const { url, binaryType, sent, closes } = this.#all[index];
    return JSON.stringify({ url, binaryType, sent, closes });
  }

  /** A function that runs the current callbacks of this socket later, and returns how many of them threw. */
  callbacks(index) {
    const { onopen, onmessage, onclose } = this.#all[index];
    return (frame) => {
      let thrown = 0;
      for (const call of [() => onopen({}), () => onmessage({ data: frame }), () => onclose({ code: 4403 })]) {
        try {
          call();
        } catch {
          thrown += 1;
        }
      }
      return thrown;
    };
  }
}

/** Runs `work` and returns how many listeners it added and how many of them are left: `[added, left]`. */
export function countListeners(work) {
  const prototype = EventTarget.prototype;
  const { addEventListener, removeEventListener } = prototype;
  let added = 0;
  let removed = 0;
  prototype.addEventListener = function (...values) {
    added += 1;
    addEventListener.apply(this, values);
  };
  prototype.removeEventListener = function (...values) {
    removed += 1;
    removeEventListener.apply(this, values);
  };
  try {
    work();
  } finally {
    Object.assign(prototype, { addEventListener, removeEventListener });
  }
  return [added, added - removed];
}

/** Runs `work` while `document.hidden` is true. */
export function whileHidden(work) {
  Object.defineProperty(document, "hidden", { value: true, configurable: true });
  try {
    work();
  } finally {
    delete document.hidden;
  }
}

/** Resolves with the detail, as JSON, of the first dispatched `type` with that `state`. */
export function dispatched(recorder, type, state) {
  return new Promise((resolve) => {
    recorder.hook("dispatch", ([kind, detail]) => {
      if (kind === type && detail.state === state) resolve(JSON.stringify(detail));
    });
  });
}
