import assert from "node:assert/strict";
import { test } from "node:test";

import { configureCache } from "../dist/cache.js";
import { CampaignSync, init, initSync, sealedRestFetcher } from "../dist/encrypted.js";
import { CampaignSync as PlainCampaignSync, initSync as initPlain } from "../dist/index.js";
import { MODULE } from "./support/fixtures.js";
import { machines } from "./support/machine.js?encrypted";
import { FakeSocket } from "./support/sockets.js";

const KEY = new Uint8Array(32).fill(7);

// The tests depend on their order, because the module is loaded once per process.
test("client of sealed content needs its own module", async () => {
  assert.throws(() => new CampaignSync({ keys: {} }), { code: "not_initialized" });
  initPlain(MODULE);
  assert.throws(() => new CampaignSync({ keys: {} }), { code: "not_initialized" }, "the main module opens nothing");
  await init(MODULE);
  initSync(MODULE);
  assert.ok(new CampaignSync({ target: null, keys: {} }) instanceof PlainCampaignSync);
});

test("machine receives the seal command and the keys before any other command", () => {
  const sync = new CampaignSync({ target: null, url: "http://host.test/api/v2/ws", WebSocket: FakeSocket, keys: { "2031-a": KEY, "2031-b": KEY } });
  sync.connect();
  const machine = machines.at(-1);
  assert.deepEqual(machine.calls, [["seal"], ["addKey", "2031-a", KEY], ["addKey", "2031-b", KEY], ["connect"]]);
  assert.doesNotMatch(JSON.stringify(machine.options), /keys|7,7/);
  sync.addKey("2031-c", KEY);
  assert.deepEqual(machine.calls.at(-1), ["addKey", "2031-c", KEY]);
  sync.close();
  // The memory of the machine is freed after `close()`, and the generated code then knows no code.
  machine.addKey = machine.openAnswer = () => { throw new Error("null pointer passed to rust"); };
  assert.throws(() => sync.addKey("2031-d", KEY), { name: "CampaignSyncError", code: "closed" });
  assert.throws(() => sync.open("c", "campaign", {}), { name: "CampaignSyncError", code: "closed" });
});

test("client without keys still accepts sealed content only", () => {
  new CampaignSync({ target: null });
  assert.deepEqual(machines.at(-1).calls, [["seal"]]);
});

test("invalid key throws invalid_argument, and the message does not show the key", () => {
  const sync = new CampaignSync({ target: null });
  const before = machines.length;
  const wrong = [["a", new Uint8Array(31)], ["a", new Uint8Array(33)], ["a", "7".repeat(32)], ["a", Array(32).fill(7)], ["a b", KEY], ["", KEY], ["a".repeat(65), KEY]];
  for (const [kid, key] of wrong) {
    const expected = (error) => {
      assert.equal(error.name, "CampaignSyncError");
      assert.equal(error.code, "invalid_argument");
      assert.doesNotMatch(error.message, /7,7|777/);
      return true;
    };
    assert.throws(() => new CampaignSync({ target: null, keys: { [kid]: key } }), expected);
    assert.throws(() => sync.addKey(kid, key), expected);
  }
  assert.equal(machines.length, before, "nothing was made");
});

test("open opens an answer for its campaign and route", () => {
  const sync = new CampaignSync({ target: null });
  const machine = machines.at(-1);
  assert.throws(() => sync.open("c", "campaign", {}), { name: "CampaignSyncError", code: "not_sealed", message: /seal/ });
  const opened = { position: { epoch: "e", sequenceNumber: 4, eventId: "x" }, body: { name: "Spring" } };
  machine.onOpen = () => opened;
  assert.deepEqual(sync.open("c", "campaign", { kid: "a" }), opened);
  assert.deepEqual(machine.calls.at(-1), ["openAnswer", "c", "rest.campaign", '{"kid":"a"}']);
  sync.open("c", "domains", "text");
  assert.deepEqual(machine.calls.at(-1), ["openAnswer", "c", "rest.domains", "text"]);
});

// R19.8
test("cache fetches sealed answers and uses the position of the seal", async (t) => {
  const sync = new CampaignSync({ target: null });
  const machine = machines.at(-1);
  const requests = [];
  const fetch = async (address) => {
    requests.push(String(address));
    return new Response("sealed", { headers: { "campaign-position": "e/99" } });
  };
  const cache = configureCache({ sync, fetch: sealedRestFetcher(sync, { baseUrl: "/api/v2", fetch }) });
  t.after(() => cache.dispose());
  const campaign = { campaignId: "c", name: "Spring" };
  machine.onOpen = (campaignId, route, text) => {
    assert.deepEqual([campaignId, route, text], ["c", "rest.snapshot", "sealed"]);
    return { position: { epoch: "e", sequenceNumber: 4, eventId: "x" }, body: { campaign, domains: [{ domainId: "d", domain: "a.example" }] } };
  };
  const rich = await cache.get("c");
  assert.deepEqual([rich.position, rich.domains[0].domain, requests.length], [{ epoch: "e", sequenceNumber: 4 }, "a.example", 1]);
  machine.onOpen = () => { throw "seal_broken"; };
  await assert.rejects(cache.get("c"), { name: "CampaignSyncError", code: "seal_broken" });
});
