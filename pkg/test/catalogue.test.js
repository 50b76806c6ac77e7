// The list of campaigns, through the compiled module.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { CatalogueHandle } from "../dist/catalogue.js";
import { Core } from "../dist/core.js";
import { Loader, wasmClient } from "../dist/module.js";
import { SocketTransport } from "../dist/transport.js";
import { Call } from "./support/calls.js";
import { collectReports, nextFrame } from "./support/fixtures.js";

const BYTES = readFileSync(new URL("../wasm/campaign_sync_bg.wasm", import.meta.url));
let instances = 0;
const TIME = "2031-03-05T06:07:08Z";
const message = (type, data) => JSON.stringify({ type, timestamp: TIME, data });
const summary = (campaignId, sequenceNumber = 1) => ({
  campaignId, epoch: "log-a", sequenceNumber,
  campaign: { name: `${campaignId} at ${sequenceNumber}`, currentPhase: "dns_validation", phaseStatus: "in_progress", totalDomainCount: 7 },
});

/** A server with a list, and a client of it. */
async function listing(ids, { profiles = ["catalogue"], lingerMs = 0 } = {}) {
  // The query keeps the fake machine out.
  const { glue } = await import(`../dist/main-glue.js?catalogue-${(instances += 1)}`);
  new Loader(glue, () => BYTES, 1_000).loadSync(BYTES);
  const server = { number: 1, list: new Map(ids.map((id) => [id, summary(id)])), sent: [], deliver: () => {}, subject: "ada" };
  const part = (data) => message("catalogue", {
    epoch: "feed-a", sequenceNumber: server.number, part: 1, parts: 1, total: server.list.size, ...data,
  });
  const answers = {
    connection_init: () => message("connection_ack", { connectionId: "c", protocol: "campaign-sync.v1", heartbeatMs: 10_000, profiles, subject: server.subject }),
    subscribe_catalogue: ({ requestId }) => part({ requestId, campaigns: [...server.list.values()] }),
    ping: ({ timestamp }) => message("pong", {
      timestamp, heads: [], catalogue: { epoch: "feed-a", lastSequenceNumber: server.number, lagMs: 0 },
    }),
  };
  class Socket {
    constructor() {
      setImmediate(() => this.onopen({}));
      server.deliver = (data) => this.onmessage?.({ data });
    }
    send(frame) {
      const { type, payload } = JSON.parse(frame);
      server.sent.push(type);
      const answer = answers[type]?.(payload);
      if (answer !== undefined) setImmediate(() => this.onmessage?.({ data: answer }));
    }
    close() {}
  }
  server.change = (changed, removed = []) => {
    for (const it of changed) server.list.set(it.campaignId, it);
    for (const id of removed) server.list.delete(id);
    server.number += 1;
    server.deliver(part({ previousSequenceNumber: server.number - 1, campaigns: changed, removed }));
  };
  const released = [];
  const core = new Core(wasmClient(), { lingerMs }, {
    dispatch: () => {},
    onLastRelease: (id) => released.push(id),
    onSignedOut: () => {},
    transport: (reports) => new SocketTransport("ws://host.test/", Socket, reports),
  });
  const open = (options = {}) => new CatalogueHandle(core, options);
  core.command({ call: Call.connect });
  return { server, core, open, released };
}

async function until(condition) {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

const idsOf = (handle) => handle.view().campaigns.map(({ campaignId }) => campaignId);

test("list of campaigns is frozen, sorted, and the same object until it changes", async () => {
  const { server, core, open } = await listing(["a", "b", "c"]);
  const list = open();
  assert.equal(list.view().status, "connecting");
  await until(() => list.view().status === "live");
  const first = list.view();
  assert.equal(list.view(), first);
  assert.equal(open().view(), first, "handles share the view");
  assert.deepEqual([idsOf(list), first.total, typeof first.provenAt], [["a", "b", "c"], 3, "number"]);
  assert.ok(Object.isFrozen(first) && Object.isFrozen(first.campaigns) && Object.isFrozen(first.campaigns[0].campaign));
  assert.deepEqual(first.campaigns[0].position, { epoch: "log-a", sequenceNumber: 1 });
  assert.equal(first.campaigns[0].totalDomainCount, 7);
  server.change([summary("aa"), summary("c", 2)], ["b"]);
  assert.deepEqual(idsOf(list), ["a", "aa", "c"]);
  assert.equal(list.view().campaigns[0], first.campaigns[0], "an unchanged campaign is the same object");
  assert.equal(list.view().campaigns[2].campaign.name, "c at 2");
  assert.equal(first.campaigns.length, 3, "a view never changes");
  assert.equal(server.sent.filter((type) => type === "subscribe_catalogue").length, 1, "one subscription");
  core.close();
});

test("list with ids shows these only, and stays the same object otherwise", async () => {
  const { server, core, open } = await listing(["a", "b", "c"]);
  const list = open({ ids: ["c", "a", "x"] });
  await until(() => list.view().status === "live");
  const first = list.view();
  assert.deepEqual([idsOf(list), first.total], [["a", "c"], 3]);
  server.change([summary("b", 2)]);
  assert.equal(list.view(), first);
  server.change([summary("c", 2)]);
  assert.notEqual(list.view(), first);
  server.change([summary("x")]);
  assert.deepEqual([idsOf(list), list.view().total], [["a", "c", "x"], 4]);
  core.close();
});

test("subscribers of the list are called once per frame", async () => {
  const { server, core, open } = await listing(["a"]);
  const list = open();
  await until(() => list.view().status === "live");
  await nextFrame();
  let calls = 0;
  const end = list.subscribe(() => (calls += 1));
  list.subscribe(() => { throw new Error("a listener that fails"); });
  const reports = await collectReports(async () => {
    for (let n = 2; n < 20; n += 1) server.change([summary("a", n)]);
    assert.equal(calls, 0);
    await nextFrame();
  });
  assert.deepEqual([calls, reports.length], [1, 1]);
  end();
  server.change([summary("a", 30)]);
  await collectReports(nextFrame);
  assert.equal(calls, 1);
  core.close();
});

// R20.24
test("list says when it was proven last, and calls no listener for it", async () => {
  const { core, open } = await listing(["a"]);
  const list = open();
  await until(() => list.view().status === "live");
  await nextFrame();
  const first = list.view();
  let calls = 0;
  list.subscribe(() => (calls += 1));
  core.command({ call: Call.online });
  await until(() => list.view().provenAt > first.provenAt);
  await nextFrame();
  assert.equal(calls, 0);
  assert.equal(list.view().campaigns, first.campaigns);
  assert.equal(list.view(), list.view());
  core.close();
});

test("released list keeps its last view, and the next handle loads it again", async () => {
  const { server, core, open, released } = await listing(["a", "b"]);
  const list = open();
  await until(() => list.view().status === "live");
  list.release();
  list.release();
  assert.deepEqual([list.view().status, idsOf(list), released, core.hasHandles], ["idle", ["a", "b"], [""], false]);
  assert.equal(list.view(), list.view());
  assert.throws(() => list.subscribe(() => {}), { code: "released" });
  await until(() => server.sent.includes("unsubscribe_catalogue"));
  server.list.delete("a");
  const again = open();
  await until(() => again.view().status === "live");
  assert.deepEqual(idsOf(again), ["b"]);
  core.close();
  assert.equal(again.view().status, "idle");
});

test("handle that is opened while the list lingers has the whole list", async () => {
  const { core, open } = await listing(["a", "b"], { lingerMs: 5_000 });
  const [list, other] = [open(), open()];
  await until(() => list.view().status === "live");
  list.release();
  other.release();
  const again = open();
  assert.deepEqual([again.view().status, idsOf(again)], ["live", ["a", "b"]]);
  if (Symbol.dispose !== undefined) again[Symbol.dispose]();
  core.close();
});

// R20.2
test("list says with a code that the server lacks it", async () => {
  const { server, core, open } = await listing(["a"], { profiles: [] });
  const list = open();
  await until(() => list.view().status === "failed");
  assert.deepEqual([list.view().code, idsOf(list)], ["unknown_type", []]);
  assert.ok(!server.sent.includes("subscribe_catalogue"));
  core.close();
});

test("ten thousand campaigns are listed, and a change costs little", async () => {
  const ids = Array.from({ length: 10_000 }, (_, n) => `c-${String(n).padStart(5, "0")}`);
  const { server, core, open } = await listing([]);
  const list = open();
  await until(() => list.view().status === "live");
  // A frame has at most 1 MiB.
  for (let at = 0; at < ids.length; at += 1_000) server.change(ids.slice(at, at + 1_000).map((id) => summary(id)));
  assert.equal(list.view().campaigns.length, 10_000);
  const before = list.view().campaigns;
  server.change([summary("c-00500", 2)]);
  const { campaigns } = list.view();
  assert.deepEqual(campaigns.flatMap((it, at) => (it === before[at] ? [] : [at])), [500]);
  core.close();
});

// R20.26
test("another user sees nothing of the former one's list, before anybody is notified", async () => {
  const { server, core, open } = await listing(["a", "b"]);
  const [list, some, released] = [open(), open({ ids: ["a"] }), open()];
  await until(() => list.view().status === "live");
  assert.deepEqual([idsOf(some), idsOf(released)], [["a"], ["a", "b"]]);
  released.release();
  const seen = [];
  list.subscribe(() => seen.push(...idsOf(list)));
  core.command({ call: Call.pause });
  assert.deepEqual(idsOf(list), ["a", "b"], "the same user still sees it");
  Object.assign(server, { subject: "bob", list: new Map([["z", summary("z")]]) });
  core.command({ call: Call.connect });
  await until(() => list.view().status === "live");
  await nextFrame();
  assert.deepEqual([idsOf(list), idsOf(some), idsOf(released)], [["z"], [], []]);
  assert.deepEqual([...new Set(seen.slice(seen.lastIndexOf("b") + 1))], ["z"]);
  core.command({ call: Call.reset });
  assert.deepEqual([idsOf(list), list.view().campaigns.length], [[], 0]);
  core.close();
});
