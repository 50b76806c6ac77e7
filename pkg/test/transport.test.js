import assert from "node:assert/strict";
import { test } from "node:test";
import { createContext, runInContext } from "node:vm";

import { collectReports, makeSync, settle } from "./support/fixtures.js";
import { FakeSocket } from "./support/sockets.js";

/** A client that opens fake sockets, and its machine. */
function makeWired(options = {}) {
  FakeSocket.all.length = 0;
  return makeSync({ url: "ws://host.test/", WebSocket: FakeSocket, ...options });
}

test("socket reports opening, frames and closing with its connection", () => {
  const { machine } = makeWired();
  machine.host.open(7);
  const [socket] = FakeSocket.all;
  assert.deepEqual([socket.url, socket.binaryType], ["ws://host.test/", "arraybuffer"]);
  socket.accept();
  machine.host.send("hello");
  socket.deliver("text");
  socket.deliver(new Uint8Array([1, 2]).buffer);
  socket.die(4408);
  assert.deepEqual(socket.sent, ["hello"]);
  assert.deepEqual(machine.calls, [
    ["opened", 7],
    ["receive", 7, "text"],
    ["receive", 7, new Uint8Array([1, 2])],
    ["closed", 7, 4408],
  ]);
});

test("data of a socket that is not a frame is refused as an empty frame", () => {
  const { machine } = makeWired();
  machine.host.open(1);
  for (const strange of [null, undefined, 5, {}, new Blob(["x"])]) FakeSocket.all[0].deliver(strange);
  assert.deepEqual(machine.calls, Array(5).fill(["receive", 1, ""]));
});

test("sockets are closed with codes that browsers allow, and call nobody afterwards", async () => {
  const { sync, machine } = makeWired();
  for (const [code, sent] of [[1000, 1000], [4000, 4000], [1011, 1000], [5000, 1000]]) {
    machine.host.open(1);
    const socket = FakeSocket.all.at(-1);
    machine.host.closeSocket(code);
    assert.deepEqual(socket.closes, [sent]);
    assert.deepEqual([socket.onopen, socket.onmessage, socket.onclose], [null, null, null]);
    socket.onerror({}); // An error without a listener may end the process outside browsers.
  }
  machine.host.closeSocket(1000); // There is no socket any more.
  assert.equal(FakeSocket.all.length, 4);
  machine.host.open(2);
  sync.close();
  assert.deepEqual(FakeSocket.all.at(-1).closes, [1000]);
});

test("socket that cannot be made is a failed attempt, and the reason is reported", async () => {
  class Broken { constructor() { throw new Error("blocked"); } }
  const { machine } = makeWired({ WebSocket: Broken });
  const reports = await collectReports(() => machine.host.open(3));
  assert.deepEqual(reports.map(({ message }) => message), ["blocked"]);
  assert.deepEqual(machine.calls, [["closed", 3, 1006]]);
});

test("constructor of sockets may close the client, and no socket stays behind", async () => {
  let sync;
  class Closing extends FakeSocket { constructor(url) { super(url); sync.close(); } }
  const made = makeWired({ WebSocket: Closing });
  sync = made.sync;
  made.machine.host.open(1);
  assert.deepEqual(FakeSocket.all[0].closes, [1000]);
  await settle();
});

test("application's transport counts as open until the application reports otherwise", () => {
  const { sync, machine } = makeSync();
  machine.host.open(1);
  assert.deepEqual(machine.calls.splice(0), [["opened", 1]], "nothing said: it is open");
  sync.closed(4401);
  machine.host.open(2);
  sync.closed();
  assert.deepEqual(machine.calls.splice(0), [["closed", 1, 4401], ["closed", 2, 1006]], "each opening is awaited");
  sync.opened();
  assert.deepEqual(machine.calls.splice(0), [["opened", 2], ["online"]]);
  machine.host.closeSocket(4000);
  machine.host.open(3);
  assert.deepEqual(machine.calls.splice(0), [], "the dead transport is not used again");
  sync.opened();
  assert.deepEqual(machine.calls.splice(0), [["opened", 3], ["online"]]);
});

test("transport `manual` sends nothing before opened()", () => {
  const { sync, machine } = makeSync({ transport: "manual", url: "ws://host.test/" });
  machine.host.open(1);
  assert.deepEqual(machine.calls.splice(0), []);
  sync.opened();
  assert.deepEqual(machine.calls, [["opened", 1], ["online"]]);
});

test("receive takes text, buffers of any realm and any view, and refuses anything else", () => {
  const { sync, machine } = makeSync();
  const other = createContext({});
  machine.onReceive = () => 3;
  assert.equal(sync.receive("{}"), 3);
  const bytes = new Uint8Array([9, 1, 2, 9]);
  const shared = new SharedArrayBuffer(2);
  new Uint8Array(shared).set([1, 2]);
  const frames = [
    bytes.subarray(1, 3),
    bytes.slice(1, 3).buffer,
    new DataView(bytes.buffer, 1, 2),
    new Uint16Array(bytes.slice(1, 3).buffer),
    Buffer.from([1, 2]),
    shared,
    new Uint8Array(shared),
    runInContext("new Uint8Array([1, 2])", other),
    runInContext("new Uint8Array([1, 2]).buffer", other),
    runInContext("new DataView(new Uint8Array([1, 2]).buffer)", other),
  ];
  for (const frame of frames) assert.equal(sync.receive(frame), 3);
  assert.deepEqual(machine.calls, [["receive", 0, "{}"], ...frames.map(() => ["receive", 0, new Uint8Array([1, 2])])]);

  const detached = new ArrayBuffer(4);
  const view = new Uint8Array(detached);
  structuredClone(detached, { transfer: [detached] });
  for (const frame of [undefined, null, 5, 5n, Symbol("x"), {}, [1, 2], new Blob(["{}"]), detached, view]) {
    assert.throws(() => sync.receive(frame), { code: "invalid_argument", message: /^frame must be a text, a buffer or a view/ });
  }
});

test("client that opens sockets refuses the calls of a manual transport", () => {
  const { sync, machine } = makeWired();
  for (const call of [() => sync.opened(), () => sync.closed(), () => sync.receive("{}")]) {
    assert.throws(call, { code: "transport_in_use" });
  }
  assert.throws(() => (sync.onsend = () => {}), { code: "transport_in_use" });
  assert.deepEqual(machine.calls, []);
});

test("connection carries a hint that says what to look at", () => {
  const { sync, machine } = makeWired();
  const change = (status) => machine.host.dispatch("connectionchange", status);
  change({ state: "waiting", attempt: 1, retryInMs: 5, lastCloseCode: 1006 });
  assert.match(sync.connection.hint, /^The server is away, or refused the page/);
  change({ state: "waiting", attempt: 1, retryInMs: 5, code: "ack_timeout" });
  assert.match(sync.connection.hint, /did not answer the handshake/);
  change({ state: "open", attempt: 0, lastCloseCode: 1006 });
  assert.equal(sync.connection.hint, undefined);
  change({ state: "connecting", attempt: 0 });
  assert.equal(sync.connection.hint, undefined);
});

test("address that the page's policy refuses is named in the hint", () => {
  const listeners = new Map();
  globalThis.addEventListener = (type, listener) => listeners.set(type, listener);
  globalThis.removeEventListener = (type) => listeners.delete(type);
  try {
    const { sync, machine } = makeWired();
    assert.equal(listeners.size, 0, "nothing listens before the first connection");
    machine.host.open(1);
    machine.host.dispatch("connectionchange", { state: "waiting", attempt: 1, retryInMs: 5, lastCloseCode: 1006 });
    const before = sync.connection;
    const refuse = (effectiveDirective, blockedURI) => listeners.get("securitypolicyviolation")({ effectiveDirective, blockedURI });
    refuse("img-src", "ws://host.test/");
    refuse("connect-src", "https://elsewhere.test/");
    assert.equal(sync.connection, before);
    refuse("connect-src", "ws://host.test");
    assert.match(sync.connection.hint, /Content-Security-Policy/);
    sync.close();
    assert.equal(listeners.has("securitypolicyviolation"), false);
  } finally {
    delete globalThis.addEventListener;
    delete globalThis.removeEventListener;
  }
});

test("socket of the application that misbehaves does not keep the client from working", async () => {
  const closed = [];
  class Odd extends FakeSocket {
    constructor(url) { super(url); Object.defineProperty(this, "binaryType", { set() { throw new Error("type"); } }); }
    close() { closed.push(this); throw new Error("close"); }
  }
  const { sync, machine } = makeWired({ WebSocket: Odd });
  const reports = await collectReports(() => machine.host.open(1));
  assert.deepEqual([closed.length, reports.map(({ message }) => message)], [1, ["type", "close"]]);
  assert.deepEqual(machine.calls, [["closed", 1, 1006]]);
  sync.close();

  const other = makeWired();
  for (const [number, event] of [undefined, {}, { code: 70_000 }, { code: "1006" }, { code: NaN }].entries()) {
    other.machine.host.open(number);
    FakeSocket.all.at(-1).onclose(event);
    assert.deepEqual(other.machine.calls.at(-1), ["closed", number, 1006]);
  }
});
