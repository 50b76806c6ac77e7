// Handles and clients in the hands of frameworks: methods that need no `this`, pages that stay the same object, `using`.
import assert from "node:assert/strict";
import { test } from "node:test";

import { transform } from "esbuild";

import { CampaignSync } from "../dist/index.js";
import * as sealed from "../dist/encrypted.js";
import { makeSync, MODULE, nextFrame } from "./support/fixtures.js";

const row = (name, members) => ({ domainId: name, domain: `${name}.example`, offset: 0, dnsStatus: null, httpStatus: null,
  httpStatusCode: null, leadStatus: null, leadScore: null, unconfirmed: false, ...members });

/** A client whose machine has these rows, and a function that replaces them. */
function withRows(...rows) {
  const { sync, machine } = makeSync();
  const campaign = sync.campaign("c");
  let reads = 0;
  const set = (...next) => {
    machine.domains = (_, { offset = 0, limit = 100 }) => (reads++, { total: next.length, rows: next.slice(offset, offset + limit).map((it) => ({ ...it })) });
    machine.change("c", {});
  };
  set(...rows);
  return { sync, machine, campaign, set, reads: () => reads };
}

test("methods of a handle work without it", async () => {
  const { machine, campaign, sync } = withRows(row("a"));
  const { campaignId, view, subscribe, domains, reached, discardUnconfirmed, release } = campaign;
  let calls = 0;
  const stop = subscribe(() => (calls += 1));
  machine.change("c", {});
  await nextFrame();
  stop();
  assert.deepEqual([campaignId, view().campaignId, calls, domains().total], ["c", "c", 1, 1]);
  discardUnconfirmed();
  const wait = reached("e1/1");
  release();
  await assert.rejects(wait, { code: "released" });
  assert.equal(sync.view("c"), undefined);
  assert.equal(view().status, "idle");
});

test("methods of a handle of the list work without it", async () => {
  const { sync, machine } = makeSync();
  const { view, subscribe, release } = sync.campaigns();
  let calls = 0;
  const stop = subscribe(() => (calls += 1));
  machine.change("", {});
  await nextFrame();
  stop();
  assert.deepEqual([view().campaigns, calls], [[], 1]);
  release();
  assert.equal(view().status, "idle");
  assert.throws(() => subscribe(() => {}), { code: "released" });
});

test("methods of a client work without it", () => {
  const { machine, sync } = withRows(row("a"));
  const { addEventListener, removeEventListener, connect, pause, resume, reconnect, view, status, domains, metrics, diagnostics, campaign, close } = sync;
  const received = [];
  const listener = ({ type }) => received.push(type);
  addEventListener("gap", listener);
  machine.host.dispatch("gap", {});
  removeEventListener("gap", listener);
  machine.host.dispatch("gap", {});
  for (const call of [connect, pause, resume, reconnect, metrics, diagnostics]) call();
  assert.deepEqual([received, view("c").campaignId, status("c"), domains("c").total], [["gap"], "c", "idle", 1]);
  campaign("d").release();
  close();
  assert.throws(metrics, { code: "closed" });

  class Own extends CampaignSync {
    connect() { super.connect(); this.connected = true; }
  }
  const own = new Own({ target: null });
  const { connect: ownConnect } = own;
  ownConnect();
  assert.equal(own.connected, true, "a subclass may replace a method");
  assert.equal(own.constructor, Own);
  own.close();
});

test("methods of handles and clients are not enumerable and can be replaced", () => {
  const { sync, campaign } = withRows();
  assert.deepEqual(Object.keys(campaign), ["campaignId"]);
  assert.deepEqual(Object.keys(sync), []);
  campaign.view = () => "mine";
  assert.equal(campaign.view(), "mine");
});

test("domains returns the same frozen page until its rows changed", () => {
  const { machine, campaign, set, reads } = withRows(row("a"), row("b"));
  const [all, first] = [campaign.domains(), campaign.domains({ limit: 1 })];
  assert.ok(Object.isFrozen(all) && Object.isFrozen(all.rows) && Object.isFrozen(all.rows[0]));
  assert.deepEqual([all.pending, first.rows.length], [false, 1]);
  const before = reads();
  assert.equal(campaign.domains(), all);
  assert.equal(campaign.domains({ limit: 1 }), first);
  assert.equal(reads(), before, "nothing changed, so the module is not asked");
  machine.change("c", { status: "live" });
  assert.equal(campaign.domains(), all, "the record changed, and no row");
  set(row("a"), row("b", { dnsStatus: "resolved" }));
  assert.equal(campaign.domains({ limit: 1 }), first, "a row of another page changed");
  const next = campaign.domains();
  assert.notEqual(next, all);
  assert.equal(next.rows[1].dnsStatus, "resolved");
  set(row("a"), row("b", { dnsStatus: "resolved" }), row("d"));
  assert.notEqual(campaign.domains({ limit: 1 }), first, "the total changed");
});

test("equal queries share a page, and other queries do not", () => {
  const { campaign } = withRows(row("a"), row("b"));
  assert.equal(campaign.domains({ limit: 1, offset: 0 }), campaign.domains({ offset: 0, limit: 1, search: undefined }));
  assert.notEqual(campaign.domains({ limit: 1, offset: 0 }), campaign.domains({ limit: 1, offset: 1 }));
});

test("kept pages are bounded, and the page in use stays", () => {
  const { campaign, reads } = withRows(row("a"));
  const page = campaign.domains();
  const first = campaign.domains({ offset: 1 });
  for (let offset = 2; offset < 100; offset++) {
    campaign.domains({ offset });
    assert.equal(campaign.domains(), page);
  }
  const before = reads();
  assert.notEqual(campaign.domains({ offset: 1 }), first, "it was dropped");
  assert.equal(reads(), before + 1);
});

test("pages of a former session are dropped", () => {
  const { machine, campaign } = withRows(row("a"));
  const page = campaign.domains();
  machine.host.signedOut(null);
  assert.notEqual(campaign.domains(), page, "an equal page of the next session is another object");
});

test("client reads the rows of a campaign that has a handle", () => {
  const { sync, campaign } = withRows(row("a"));
  assert.equal(sync.domains("c", { limit: 5 }), campaign.domains({ limit: 5 }));
  assert.equal(sync.domains("other"), undefined);
  assert.throws(() => sync.domains("other", { limit: -1 }), { code: "invalid_argument" });
  campaign.release();
  assert.equal(sync.domains("c"), undefined);
  sync.close();
  assert.equal(sync.domains("c"), undefined);
  assert.equal(new CampaignSync({ target: null }).domains("c"), undefined, "a client that was never used");
});

test("using closes a client", { skip: typeof Symbol.dispose !== "symbol" }, async () => {
  const { sync, machine } = makeSync();
  // Node 20 cannot read the keyword.
  const { code } = await transform("(make) => { using held = make(); }", { target: "es2022" });
  (0, eval)(code)(() => sync);
  assert.throws(() => sync.connect(), { code: "closed" });
  assert.deepEqual(machine.calls.map(([name]) => name), ["close"]);
});

// The last test, because the module for sealed content makes all clients from then on.
test("methods of a client of sealed content work without it", () => {
  sealed.initSync(MODULE);
  const { addKey, view } = new sealed.CampaignSync({ target: null });
  addKey("k", new Uint8Array(32));
  assert.equal(view("c"), undefined);
});
