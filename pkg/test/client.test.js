import assert from "node:assert/strict";
import { test } from "node:test";

import { CampaignSync, formatPosition, parsePosition } from "../dist/index.js";
import { collectReports, deferred, makeSync, nextFrame, settle } from "./support/fixtures.js";
import { machines } from "./support/machine.js";
import { FakeSocket } from "./support/sockets.js";

test("application's transport is used without a url, or if set before the first use", () => {
  const { sync } = makeSync({ url: "http://host.test/api/v2/ws", WebSocket: FakeSocket });
  assert.equal(sync.diagnostics().transport, "socket");
  assert.throws(() => (sync.onsend = () => {}), { code: "transport_in_use" });

  const chosen = new CampaignSync({ url: "ws://host.test/", WebSocket: FakeSocket, target: null });
  const sent = [];
  chosen.onsend = (frame) => sent.push(frame);
  chosen.connect();
  assert.equal(chosen.diagnostics().transport, "manual");
  machines.at(-1).host.send("hello");
  assert.deepEqual(sent, ["hello"]);
  assert.equal(makeSync().sync.diagnostics().transport, "manual");
});

test("event caused by a listener reaches all listeners after the first event", () => {
  const { sync, machine } = makeSync();
  const received = [];
  sync.addEventListener("gap", () => {
    received.push("first hears gap");
    machine.host.dispatch("recovered", { campaignId: "c" });
  });
  sync.addEventListener("gap", () => received.push("second hears gap"));
  sync.addEventListener("recovered", () => received.push("recovered"));
  machine.host.dispatch("gap", { campaignId: "c", expected: 1, received: 3 });
  assert.deepEqual(received, ["first hears gap", "second hears gap", "recovered"]);
});

test("errors of a sender or a log function are reported and affect nothing else", async () => {
  const { sync, machine } = makeSync({ log: () => { throw new Error("log"); } });
  sync.onsend = () => { throw new Error("send"); };
  const reports = await collectReports(() => {
    machine.host.send("frame");
    machine.host.log({ level: "info", code: "checkpoint" });
  });
  assert.deepEqual(reports.map((error) => error.message), ["send", "log"]);
});

test("window receives transitions and invalidations and can request a refresh", () => {
  const target = new EventTarget();
  const { sync, machine } = makeSync({ target });
  const received = [];
  sync.addEventListener("phasetransition", () => received.push("phasetransition"));
  target.addEventListener("phase_transition", (event) => received.push(["phase_transition", event.detail.newPhase]));
  target.addEventListener("campaign_cache_invalidated", (event) => received.push(["invalidated", event.detail.sequenceNumber]));
  machine.invalidate("c", 7);
  machine.host.dispatch("phasetransition", { campaignId: "c", newPhase: "dns_validation" });
  assert.deepEqual(received, [["invalidated", 7], "phasetransition", ["phase_transition", "dns_validation"]]);

  sync.connect();
  machine.calls.length = 0;
  const ask = (type, detail) => target.dispatchEvent(new CustomEvent(type, { detail }));
  ask("force_campaign_refresh", { campaignId: "a" });
  ask("bulk_cache_invalidate", { campaignIds: ["b", "c", "b", 4, null] });
  for (const nothing of [null, {}, { campaignId: undefined }, { campaignIds: "all" }, { campaignIds: [] }]) {
    ask("force_campaign_refresh", nothing);
    ask("bulk_cache_invalidate", nothing);
  }
  assert.deepEqual(machine.calls, [["refresh", "a"], ["refresh", "b"], ["refresh", "c"]]);
  sync.close();
  ask("force_campaign_refresh", { campaignId: "a" });
  assert.equal(machine.calls.length, 4, "only the close came after");
});

test("client requests tokens and snapshots and passes a failure to the machine", async () => {
  const records = [];
  const { machine } = makeSync({
    token: async () => "secret",
    fetchSnapshot: async (id) => { if (id === "bad") throw new Error("offline"); return id === "text" ? "{}" : { id }; },
    log: (record) => records.push(record),
  });
  machine.host.requestToken(1);
  machine.host.fetchSnapshot(2, "object");
  machine.host.fetchSnapshot(3, "text");
  machine.host.fetchSnapshot(4, "bad");
  await settle();
  assert.deepEqual(new Map(machine.calls.map(([name, ticket, value]) => [`${name} ${ticket}`, value])), new Map([
    ["provideToken 1", "secret"],
    ["provideSnapshot 2", '{"id":"object"}'],
    ["provideSnapshot 3", "{}"],
    ["provideSnapshot 4", undefined],
  ]));
  assert.deepEqual(records, [{ level: "warn", code: "fetch_failed", message: "offline", campaignId: "bad" }]);
});

test("every answer of a token provider is passed on as a token or as a kind of failure", async () => {
  const fail = (error) => () => Promise.reject(error);
  const answers = [
    [() => "secret", { text: "secret" }],
    [async () => "", { text: "" }],
    [() => null, { text: "" }],
    [() => 42, { failure: "invalid" }],
    [() => ({ token: "secret" }), { failure: "invalid" }],
    [fail(new Error("offline")), { failure: "failed" }],
    [fail(undefined), { failure: "failed" }],
    [fail(Object.assign(new Error("signed out"), { final: true })), { failure: "final" }],
    [() => { throw new Error("synchronous"); }, { failure: "failed" }],
    [() => "abc\ud800", { failure: "invalid" }],
    [() => { throw Object.create(null); }, { failure: "failed" }],
    [() => { throw { get final() { throw new Error("getter"); } }; }, { failure: "failed" }],
  ];
  for (const [token, expected] of answers) {
    const { machine } = makeSync({ token });
    machine.host.requestToken(7);
    await settle();
    assert.deepEqual(machine.commands.at(-1), { command: "token", id: 7, ...expected });
  }
});

test("connection is the last connectionchange, frozen, until the next one", () => {
  const fresh = new CampaignSync({ target: null });
  assert.deepEqual(fresh.connection, { state: "idle", attempt: 0 });
  const { sync, machine } = makeSync();
  let detail;
  sync.addEventListener("connectionchange", (event) => (detail = event.detail));
  const waiting = { state: "waiting", code: "ack_timeout", attempt: 2, retryInMs: 700, lastCloseCode: 1006 };
  machine.host.dispatch("connectionchange", { ...waiting });
  const { hint, ...rest } = sync.connection;
  assert.deepEqual(rest, waiting);
  assert.equal(typeof hint, "string");
  assert.equal(sync.connection, detail);
  assert.equal(sync.connection, sync.connection);
  assert.ok(Object.isFrozen(sync.connection));
  machine.host.dispatch("connectionchange", { state: "open", attempt: 0, code: undefined });
  assert.deepEqual(sync.connection, { state: "open", attempt: 0 });
});

test("reconnect, pause and resume are commands of the machine", () => {
  const { sync, machine } = makeSync();
  sync.reconnect();
  sync.pause();
  sync.resume();
  const commands = machine.commands.map(({ command }) => command);
  assert.deepEqual(commands, ["pause", "connect", "pause", "connect"]);
});

test("token that arrives after close is dropped", async () => {
  const token = deferred();
  const { sync, machine } = makeSync({ token: () => token.promise });
  machine.host.requestToken(1);
  sync.close();
  token.resolve("late");
  await settle();
  assert.deepEqual(machine.calls, [["close"]]);
});

test("close is final, even inside a listener, and later calls throw a code", async () => {
  const { sync, machine } = makeSync();
  const campaign = sync.campaign("c");
  machine.change("c", { status: "live", totalDomainCount: 5 });
  const waiting = assert.rejects(campaign.reached("e1/9"), { code: "closed" });
  sync.addEventListener("gap", () => {
    sync.close();
    assert.equal(machine.freed, false, "the machine is still on the stack");
  });
  machine.host.dispatch("gap", { campaignId: "c", expected: 1, received: 3 });
  await waiting;
  assert.throws(() => sync.connect(), { name: "CampaignSyncError", code: "closed" });
  assert.throws(() => campaign.domains(), { code: "closed" });
  assert.equal(campaign.view().totalDomainCount, 5);
  assert.equal(campaign.view().status, "idle", "nobody proves anything any more");
  campaign.release();
  sync.close();
  await nextFrame();
  assert.equal(machine.freed, true);
});

test("parsePosition and formatPosition use the header's form and refuse any other", () => {
  assert.deepEqual(parsePosition("log-1/42"), { epoch: "log-1", sequenceNumber: 42 });
  assert.equal(formatPosition({ epoch: "log-1", sequenceNumber: 42 }), "log-1/42");
  for (const text of [null, undefined, "", "42", "/42", "a/", "a/-1", "a/1.5", "a/9007199254740992", "a/1/2", 'a"/1', "\u0000/1", "é/1", `${"a".repeat(129)}/1`]) {
    assert.equal(parsePosition(text), null, String(text));
  }
});
