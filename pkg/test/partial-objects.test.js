// Objects of the application that have a part of an interface only, or whose members throw. A test for each interface
// tries the object without each of its members, and with each member throwing.
import assert from "node:assert/strict";
import { test } from "node:test";

import { RichCampaignCache } from "../dist/cache.js";
import { collectReports, makeSync, settle } from "./support/fixtures.js";
import { FakeSocket } from "./support/sockets.js";

const invalid = (name) => ({ name: "CampaignSyncError", code: "invalid_argument", message: new RegExp(`^${name} must be `) });
const boom = () => { throw new Error("thrown by the application"); };

/** The object without one member, and with a member that throws when it is read or called. */
function* partial(whole) {
  for (const name of Object.keys(whole)) {
    const { [name]: member, ...rest } = whole;
    yield [`without ${name}`, rest];
    yield [`with a getter ${name} that throws`, Object.defineProperty(rest, name, { get: boom, configurable: true })];
    if (typeof member === "function") yield [`with ${name} that throws`, { ...whole, [name]: boom }];
  }
}

test("option WebSocket that cannot be constructed is refused by the constructor", () => {
  for (const WebSocket of [() => ({}), async function socket() {}, Math.max, { method() {} }.method]) {
    assert.throws(() => makeSync({ url: "ws://host.test/", WebSocket }), invalid("WebSocket"));
  }
  for (const WebSocket of [function socket() {}, class {}, new Proxy(FakeSocket, {}), FakeSocket.bind(null)]) {
    makeSync({ url: "ws://host.test/", WebSocket }).sync.close();
  }
});

test("socket with a part of the interface does not stop the client", async () => {
  const whole = { binaryType: "", onopen: null, onmessage: null, onclose: null, onerror: null, send() {}, close() {} };
  for (const [what, socket] of partial(whole)) {
    await collectReports(() => {
      const { sync, machine } = makeSync({ url: "ws://host.test/", WebSocket: function () { return socket; } });
      machine.host.open(1);
      try { machine.host.send("frame"); } catch { /* The loader reports what an effect throws. */ }
      machine.host.closeSocket(1000);
      assert.equal(sync.metrics().applied, 0, what);
      sync.close();
      assert.equal(machine.calls.at(-1)[0], "close", what);
    });
  }
});

test("target with a part of the interface is refused by the constructor", () => {
  const whole = { addEventListener() {}, removeEventListener() {}, dispatchEvent: () => true };
  for (const [what, target] of partial(whole)) {
    if (/that throws$/.test(what) && !what.includes("getter")) continue; // The next test calls them.
    assert.throws(() => makeSync({ target }), invalid("target"), what);
  }
});

test("target whose methods throw neither stops the client nor keeps it from closing", async () => {
  const whole = { addEventListener() {}, removeEventListener() {}, dispatchEvent: () => true };
  for (const name of Object.keys(whole)) {
    const reports = await collectReports(() => {
      const { sync, machine } = makeSync({ url: "ws://host.test/", WebSocket: FakeSocket, target: { ...whole, [name]: boom } });
      try { sync.connect(); } catch (error) { assert.match(error.message, /thrown by the application/); }
      const heard = [];
      sync.addEventListener("duplicate", (event) => heard.push(event.type));
      machine.host.dispatch("duplicate", { campaignId: "c1" });
      assert.deepEqual(heard, ["duplicate"], name);
      sync.close();
      assert.equal(machine.calls.at(-1)[0], "close", name);
    });
    assert.ok(reports.length <= 1, name);
  }
});

test("signal with a part of the interface is refused by the wait", async () => {
  const { sync, machine } = makeSync();
  const campaign = sync.campaign("c1");
  const whole = { aborted: false, addEventListener() {}, removeEventListener() {} };
  for (const [what, signal] of partial(whole)) {
    if (what === "with removeEventListener that throws") continue;
    await assert.rejects(campaign.reached("e1/1", { signal }), invalid("signal"), what);
  }
  const open = campaign.reached("e1/1", { signal: { ...whole, removeEventListener: boom } });
  const [, , , , ticket] = machine.calls.findLast(([name]) => name === "reached");
  const reports = await collectReports(() => machine.host.settle(ticket, null));
  await open;
  assert.equal(reports.length, 1);
  sync.close();
});

test("options of a listener that the platform refuses are invalid_argument", () => {
  const { sync } = makeSync();
  const withGetter = (name) => Object.defineProperty({}, name, { get: boom });
  for (const options of [{ signal: 42 }, { signal: {} }, withGetter("once"), withGetter("capture"), withGetter("signal")]) {
    assert.throws(() => sync.addEventListener("duplicate", () => {}, options), invalid("options"));
  }
  assert.throws(() => sync.removeEventListener("duplicate", () => {}, withGetter("capture")), invalid("options"));
  sync.close();
});

test("answer of fetch with a part of the interface is fetch_failed", async () => {
  const { restFetcher } = await import("../dist/cache.js");
  const headers = new Headers({ "campaign-position": "e1/1" });
  const whole = { ok: true, status: 200, headers, text: async () => '{"campaign":{},"domains":[]}' };
  assert.equal((await restFetcher({ fetch: async () => whole })("c1", { minPosition: null })).campaignId, "c1");
  for (const [what, answer] of partial(whole)) {
    if (what.endsWith("status") || what.includes("getter status")) continue; // Only a refusal has a status to read.
    await assert.rejects(restFetcher({ fetch: async () => answer })("c1", { minPosition: null }), { code: "fetch_failed" }, what);
  }
  for (const answer of [undefined, null, 5, "text", {}]) {
    await assert.rejects(restFetcher({ fetch: async () => answer })("c1", { minPosition: null }), { code: "fetch_failed" });
  }
});

test("client with a part of the interface is refused by the cache", () => {
  const whole = { addEventListener() {}, removeEventListener() {}, status: () => "live", view: () => undefined };
  for (const [what, sync] of partial(whole)) {
    if (/ (removeEventListener|\w+ that throws)$/.test(what) && !what.includes("getter")) continue;
    if (what.includes("removeEventListener")) continue;
    assert.throws(() => new RichCampaignCache({ sync }), invalid("sync"), what);
  }
});

test("machine that trapped is reported as failed, and the client is closed", async () => {
  const { sync, machine } = makeSync();
  const campaign = sync.campaign("c1");
  machine.change("c1", { status: "live" });
  assert.equal(campaign.view().status, "live");
  const changes = [];
  sync.addEventListener("connectionchange", ({ detail }) => changes.push([detail.state, detail.code]));
  let notified = 0;
  campaign.subscribe(() => (notified += 1));
  const wait = campaign.reached("e1/9");
  machine.receiveText = machine.call = () => { throw new WebAssembly.RuntimeError("unreachable"); };
  assert.throws(() => sync.receive("frame"), { code: "internal" });
  await assert.rejects(wait, { code: "closed" });
  await settle();
  assert.deepEqual(changes, [["failed", "internal"]]);
  assert.deepEqual([sync.connection.state, sync.connection.code], ["failed", "internal"]);
  assert.equal(notified, 1, "the listeners learn that the view is not live any more");
  assert.equal(campaign.view().status, "idle");
  assert.throws(() => sync.receive("frame"), { code: "closed" });
  sync.close(); // Does nothing more.
});

test("trap that leaves the machine able to answer does not end the client", () => {
  const { sync, machine } = makeSync();
  const { receive } = machine;
  machine.receive = () => { throw new WebAssembly.RuntimeError("memory"); };
  assert.throws(() => sync.receive(new Uint8Array(1)), { code: "internal" });
  machine.receive = receive;
  assert.equal(sync.receive(new Uint8Array(1)), 0);
  sync.close();
});
