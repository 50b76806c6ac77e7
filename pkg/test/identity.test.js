// Sessions: another user on one client, reset, empty tokens, and sessions that the application renews.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { RichCampaignCache } from "../dist/cache.js";
import { CampaignSyncError } from "../dist/index.js";
import { deferred, makeSync, settle } from "./support/fixtures.js";

const POSITION = { epoch: "e1", sequenceNumber: 7, eventId: "ev-7" };
const RECORD = { name: "secret", currentPhase: "analysis", phaseStatus: "ready" };
const RICH = { campaignId: "c", campaign: {}, position: { epoch: "e1", sequenceNumber: 7 }, partial: false, domains: [], dnsValidatedDomains: [],
  httpKeywordResults: [], leads: [] };

/** A client that shows a campaign of its first user. */
function shown(options) {
  const { sync, machine } = makeSync(options);
  const campaign = sync.campaign("c");
  machine.change("c", { status: "live", position: POSITION, campaign: RECORD });
  assert.equal(campaign.view().campaign.name, "secret");
  return { sync, machine, campaign };
}

/** The machine drops the data of the session, as for another subject. */
function signOut(machine) {
  machine.views.delete("c");
  machine.statuses.set("c", "loading");
  machine.host.signedOut();
}

test("another user sees no view of the former one", () => {
  const { machine, campaign } = shown();
  signOut(machine);
  assert.equal(campaign.view().campaign, null);
  assert.equal(campaign.view().position, null);
});

test("released handle shows nothing of the former user", () => {
  const { machine, campaign } = shown();
  campaign.release();
  assert.equal(campaign.view().campaign.name, "secret");
  signOut(machine);
  assert.equal(campaign.view().campaign, null);
  assert.equal(campaign.view().status, "idle");
});

test("caches are empty before any listener hears of another user", async () => {
  const { sync, machine } = shown();
  const cache = new RichCampaignCache({ sync, fetch: async () => RICH });
  await cache.get("c", { source: "fetch" });
  assert.equal(cache.size, 1);
  const sizes = [];
  sync.addEventListener("cacheinvalidated", () => sizes.push(cache.size));
  signOut(machine);
  machine.host.dispatch("cacheinvalidated", { campaignId: "c", reason: "signed_out", sequenceNumber: 0 });
  assert.deepEqual(sizes, [0]);
});

test("fetch of the former user reaches nobody", async () => {
  const { sync, machine } = shown();
  const answer = deferred();
  const cache = new RichCampaignCache({ sync, fetch: () => answer.promise });
  const data = cache.get("c", { source: "fetch" });
  await settle();
  signOut(machine);
  answer.resolve(RICH);
  await assert.rejects(data, { code: "signed_out" });
  assert.equal(cache.size, 0);
});

test("campaign without access is void in the cache, with its former position", async () => {
  const { sync, machine } = shown();
  const asked = [];
  const cache = new RichCampaignCache({ sync, fetch: async (_, { minPosition }) => (asked.push(minPosition), RICH) });
  await cache.get("c", { source: "fetch" });
  machine.change("c", { status: "failed", position: null, campaign: null });
  machine.host.dispatch("cacheinvalidated", { campaignId: "c", reason: "signed_out", sequenceNumber: 0 });
  assert.equal(cache.size, 0);
  await cache.get("c", { source: "fetch" });
  assert.deepEqual(asked, [{ epoch: "e1", sequenceNumber: 7 }, null]);
});

test("wait of the former user rejects with signed_out", async () => {
  const { machine, campaign } = shown();
  const wait = campaign.reached("e1/99");
  await settle();
  const [, , , , ticket] = machine.calls.find(([name]) => name === "reached");
  machine.host.settle(ticket, "signed_out");
  await assert.rejects(wait, (error) => error instanceof CampaignSyncError && error.code === "signed_out" && error.message !== "");
});

test("reset keeps listeners and handles", () => {
  const { sync, machine, campaign } = shown();
  let heard = 0;
  sync.addEventListener("statuschange", () => (heard += 1));
  sync.reset();
  assert.deepEqual(machine.commands.at(-1), { command: "reset" });
  signOut(machine);
  machine.host.dispatch("statuschange", { campaignId: "c", status: "loading" });
  assert.equal(heard, 1);
  assert.equal(campaign.view().status, "idle");
  machine.change("c", { status: "live", position: POSITION, campaign: { ...RECORD, name: "other" } });
  assert.equal(campaign.view().campaign.name, "other");
});

test("reset after close throws closed", () => {
  const { sync } = makeSync();
  sync.close();
  assert.throws(() => sync.reset(), { code: "closed" });
});

test("empty token leaves the socket to the cookie", async () => {
  for (const token of ["", null, undefined]) {
    const { machine } = makeSync({ token: async () => token });
    machine.host.requestToken(5);
    await settle();
    assert.deepEqual(machine.commands.at(-1), { command: "token", id: 5, text: "" }, String(token));
  }
});

test("token of another type is an invalid one", async () => {
  for (const token of [7, false, {}, []]) {
    const { machine } = makeSync({ token: async () => token });
    machine.host.requestToken(5);
    await settle();
    assert.deepEqual(machine.commands.at(-1), { command: "token", id: 5, failure: "invalid" });
  }
});

/** The last command about a renewal. */
const renewed = (machine) => machine.commands.filter(({ command }) => command === "renewed").at(-1);

test("refused session is renewed by the application", async () => {
  for (const [answer, text] of [[true, "yes"], [false, "no"], [Promise.resolve(true), "yes"]]) {
    const asked = [];
    const { machine } = makeSync({ onUnauthorized: (request) => (asked.push(request), answer) });
    assert.equal(machine.options.hasRenewal, true);
    machine.host.renewSession(9, 2);
    await settle();
    assert.equal(asked.length, 1);
    assert.equal(asked[0].attempt, 2);
    assert.equal(asked[0].signal.aborted, false);
    assert.deepEqual(renewed(machine), { command: "renewed", id: 9, text });
  }
});

test("onUnauthorized that throws or answers something else has failed", async () => {
  const functions = [() => { throw new Error("broken"); }, async () => { throw null; }, () => "yes", async () => {}, () => ({ then() { throw 1; } })];
  for (const onUnauthorized of functions) {
    const records = [];
    const { machine } = makeSync({ onUnauthorized, log: (record) => records.push(record) });
    machine.host.renewSession(9, 1);
    await settle();
    assert.deepEqual(renewed(machine), { command: "renewed", id: 9 });
    assert.equal(records.at(-1).code, "token_failed");
  }
});

test("onUnauthorized that hangs is aborted when the client waits no longer", async () => {
  let signal;
  const { machine } = makeSync({ onUnauthorized: (request) => ((signal = request.signal), new Promise(() => {})) });
  machine.host.renewSession(9, 1);
  machine.host.dispatch("connectionchange", { state: "connecting", attempt: 1, code: "unauthorized" });
  await settle();
  assert.equal(signal.aborted, false);
  machine.host.dispatch("connectionchange", { state: "waiting", attempt: 1, code: "token_timeout" });
  assert.equal(signal.reason.code, "token_timeout");
  await settle();
  assert.deepEqual(renewed(machine), { command: "renewed", id: 9 });
  // The next refusal asks again.
  machine.host.renewSession(10, 2);
  await settle();
  assert.equal(signal.aborted, false);
});

test("close aborts the renewal", async () => {
  let signal;
  const { sync, machine } = makeSync({ onUnauthorized: (request) => ((signal = request.signal), new Promise(() => {})) });
  machine.host.renewSession(9, 1);
  await settle();
  sync.close();
  assert.equal(signal.reason.code, "closed");
  await settle();
  assert.equal(renewed(machine), undefined);
});

const unauthorized = () => new CampaignSyncError("unauthorized");

test("refused fetch of a snapshot renews the session and is sent again", async () => {
  let fetches = 0;
  const fetchSnapshot = async () => {
    if ((fetches += 1) === 1) throw new CampaignSyncError("fetch_failed", { cause: unauthorized() });
    return "{}";
  };
  const { machine } = makeSync({ fetchSnapshot, onUnauthorized: async () => true });
  machine.host.fetchSnapshot(4, "c");
  await settle();
  assert.equal(fetches, 2);
  assert.deepEqual(machine.calls.at(-1), ["provideSnapshot", 4, "{}"]);
});

test("refused fetch of a cache renews the session and is sent again", async () => {
  let fetches = 0;
  const { sync } = shown({ onUnauthorized: async () => true });
  const cache = new RichCampaignCache({ sync, fetch: async () => { if ((fetches += 1) === 1) throw unauthorized(); return RICH; } });
  assert.equal((await cache.get("c", { source: "fetch" })).campaignId, "c");
  assert.equal(fetches, 2);
});

test("refused fetch asks once and fails if the session is not renewed", async () => {
  for (const onUnauthorized of [undefined, async () => false, async () => { throw new Error("broken"); }]) {
    const { sync } = shown(onUnauthorized && { onUnauthorized });
    let fetches = 0;
    const cache = new RichCampaignCache({ sync, fetch: async () => { fetches += 1; throw unauthorized(); } });
    await assert.rejects(cache.get("c", { source: "fetch" }), { code: "unauthorized" });
    assert.equal(fetches, 1);
  }
});

test("session that stays refused after a renewal is asked for once", async () => {
  let asked = 0;
  const { sync } = shown({ onUnauthorized: async () => ((asked += 1), true) });
  const cache = new RichCampaignCache({ sync, fetch: async () => { throw unauthorized(); } });
  await assert.rejects(cache.get("c", { source: "fetch" }), { code: "unauthorized" });
  assert.equal(asked, 1);
});

test("socket and REST ask together", async () => {
  let asked = 0;
  const answer = deferred();
  const { sync, machine } = shown({ onUnauthorized: () => ((asked += 1), answer.promise) });
  let fetches = 0;
  const cache = new RichCampaignCache({ sync, fetch: async () => { if ((fetches += 1) === 1) throw unauthorized(); return RICH; } });
  const data = cache.get("c", { source: "fetch" });
  machine.host.renewSession(9, 1);
  await settle();
  answer.resolve(true);
  await data;
  assert.equal(asked, 1);
  assert.deepEqual(renewed(machine), { command: "renewed", id: 9, text: "yes" });
});

/** Web Locks of one origin: exclusive locks with a queue, as far as the client uses them. */
class FakeLocks {
  held = new Map();
  async request(name, { ifAvailable = false, signal }, use) {
    if (ifAvailable && this.held.has(name)) return use(null);
    const before = this.held.get(name) ?? Promise.resolve();
    const { promise, resolve } = deferred();
    const mine = before.then(() => promise);
    this.held.set(name, mine);
    try {
      await new Promise((done, fail) => {
        signal?.addEventListener("abort", () => fail(signal.reason));
        before.then(done);
      });
      return await use({ name });
    } finally {
      resolve();
      if (this.held.get(name) === mine) this.held.delete(name);
    }
  }
}

const navigator = Object.getOwnPropertyDescriptor(globalThis, "navigator");
const withLocks = () => Object.defineProperty(globalThis, "navigator", { value: { locks: new FakeLocks() }, configurable: true });
afterEach(() => {
  if (navigator) Object.defineProperty(globalThis, "navigator", navigator);
  else delete globalThis.navigator;
});

/** Three tabs of one origin, whose `onUnauthorized` answers as the test says. */
function threeTabs(onUnauthorized) {
  let asked = 0;
  const tabs = [1, 2, 3].map(() => makeSync({ onUnauthorized: (request) => ((asked += 1), onUnauthorized(asked, request)) }).machine);
  for (const tab of tabs) tab.host.renewSession(9, 1);
  return { tabs, asked: () => asked, answers: () => tabs.map((tab) => renewed(tab)?.text) };
}

const until = async (done) => {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 5));
};

test("three tabs ask once and share the answer", async () => {
  withLocks();
  for (const [answer, text] of [[true, "yes"], [false, "no"]]) {
    const tabs = threeTabs(() => new Promise((resolve) => setTimeout(resolve, 20, answer)));
    await until(() => tabs.answers().every((it) => it !== undefined));
    assert.deepEqual(tabs.answers(), [text, text, text]);
    assert.equal(tabs.asked(), 1);
  }
});

test("failure in one tab is a failure in all that waited", async () => {
  withLocks();
  const { tabs, asked } = threeTabs(async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    throw new Error("broken");
  });
  await until(() => tabs.every((tab) => renewed(tab) !== undefined));
  assert.deepEqual(tabs.map((tab) => renewed(tab)), Array(3).fill({ command: "renewed", id: 9 }));
  assert.equal(asked(), 1);
});

test("tab that closed while it was asked passes the question on", async () => {
  withLocks();
  const syncs = [1, 2].map((number) => makeSync({ onUnauthorized: () => (number === 1 ? new Promise(() => {}) : true) }));
  for (const { machine } of syncs) machine.host.renewSession(9, 1);
  await settle();
  // A closed tab sends no answer. Its lock is free.
  const { prototype } = BroadcastChannel;
  const { postMessage } = prototype;
  prototype.postMessage = () => {};
  try {
    syncs[0].sync.close();
    await until(() => renewed(syncs[1].machine) !== undefined);
  } finally {
    prototype.postMessage = postMessage;
  }
  assert.equal(renewed(syncs[1].machine).text, "yes");
});

test("browser without Web Locks asks in each tab", async () => {
  Object.defineProperty(globalThis, "navigator", { value: {}, configurable: true });
  const tabs = threeTabs(async () => true);
  await until(() => tabs.answers().every((it) => it !== undefined));
  assert.equal(tabs.asked(), 3);
});
