import assert from "node:assert/strict";
import { test } from "node:test";

import { collectReports, makeSync, nextFrame } from "./support/fixtures.js";

test("view is the same frozen object until something changes", () => {
  const { sync, machine } = makeSync();
  const campaign = sync.campaign("c");
  machine.change("c", { totalDomainCount: 1 });
  const first = campaign.view();
  assert.equal(campaign.view(), first);
  assert.equal(sync.campaign("c").view(), first, "handles share the view");
  assert.ok(Object.isFrozen(first) && Object.isFrozen(first.counts.dns));
  machine.change("other", {});
  assert.equal(campaign.view(), first, "another campaign is not ours");
  machine.change("c", { totalDomainCount: 2 });
  assert.notEqual(campaign.view(), first);
  assert.equal(first.totalDomainCount, 1);
  assert.equal(campaign.view().totalDomainCount, 2);
});

test("absent values are left out or null, as the types declare", () => {
  const { sync, machine } = makeSync();
  const campaign = sync.campaign("c");
  machine.change("c", { staleReason: undefined, code: undefined, campaign: { name: "n", errorMessage: undefined }, lastTransition: null });
  const view = campaign.view();
  assert.deepEqual(["staleReason" in view, "code" in view, "errorMessage" in view.campaign], [false, false, false]);
  assert.deepEqual([view.position, view.lastTransition, view.campaign.name], [null, null, "n"]);
  let detail;
  sync.addEventListener("connectionchange", (event) => (detail = event.detail));
  machine.host.dispatch("connectionchange", { state: "open", code: undefined, attempt: 0, retryInMs: undefined });
  assert.deepEqual(detail, { state: "open", attempt: 0 });
});

test("counts accept a status that is named like a member of the prototype", () => {
  const { sync, machine } = makeSync();
  const campaign = sync.campaign("c");
  const counts = JSON.parse('{"dns":{"__proto__":3,"constructor":1},"http":{},"lead":{}}');
  machine.change("c", { counts });
  const { dns } = campaign.view().counts;
  assert.deepEqual(Object.entries(dns), [["__proto__", 3], ["constructor", 1]]);
  assert.ok(Object.isFrozen(dns));
  assert.equal({}.constructor, Object);
});

// R12.26
test("status changes with the clock alone, without an event", () => {
  const { sync, machine } = makeSync();
  const campaign = sync.campaign("c");
  machine.change("c", { status: "live" });
  const live = campaign.view();
  machine.statuses.set("c", "stale");
  assert.notEqual(campaign.view(), live);
  assert.equal(campaign.view().status, "stale");
  assert.equal(campaign.view(), campaign.view());
});

test("subscribers are called once per frame after any number of changes and reads", async () => {
  const { sync, machine } = makeSync();
  const campaign = sync.campaign("c");
  await nextFrame();
  let calls = 0;
  campaign.subscribe(() => (calls += 1));
  for (let n = 0; n < 100; n++) {
    machine.change("c", { totalDomainCount: n });
    campaign.view();
  }
  assert.equal(calls, 0, "nothing is called inside an event");
  await nextFrame();
  assert.equal(calls, 1);
  await nextFrame();
  assert.equal(calls, 1, "nothing changed since");
  machine.change("elsewhere", {});
  await nextFrame();
  assert.equal(calls, 1);
  machine.host.dispatch("statuschange", { campaignId: "c", status: "stale" });
  await nextFrame();
  assert.equal(calls, 2);
});

test("subscribers run on animation frames, and on a timer while the page is hidden", async (t) => {
  const asked = new Map();
  globalThis.requestAnimationFrame = (task) => (asked.set(asked.size + 1, task), asked.size);
  globalThis.cancelAnimationFrame = (frame) => asked.delete(frame);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const { sync, machine } = makeSync();
    const campaign = sync.campaign("c");
    let calls = 0;
    campaign.subscribe(() => (calls += 1));
    machine.change("c", {});
    assert.equal(asked.size, 1);
    [...asked.values()][0]();
    assert.equal(calls, 1);
    t.mock.timers.tick(1000);
    assert.equal(calls, 1, "the timer was withdrawn");
    machine.change("c", {});
    t.mock.timers.tick(1000);
    assert.equal(calls, 2, "no frame was painted");
    assert.equal(asked.size, 0, "the frame was withdrawn");
  } finally {
    delete globalThis.requestAnimationFrame;
    delete globalThis.cancelAnimationFrame;
  }
});

test("subscriber that throws or unsubscribes another one affects nothing else", async () => {
  const { sync, machine } = makeSync();
  const campaign = sync.campaign("c");
  const received = [];
  let stopThird;
  campaign.subscribe(() => { received.push("first"); stopThird(); throw new Error("mine"); });
  campaign.subscribe(() => { if (received.push("second") === 2) machine.change("c", {}); });
  stopThird = campaign.subscribe(() => received.push("third"));
  machine.change("c", {});
  const reports = await collectReports(async () => {
    await nextFrame();
    await nextFrame();
  });
  assert.deepEqual(received, ["first", "second", "first", "second"], "a change made by a subscriber is heard in the next frame");
  assert.ok(reports.some((error) => error.message === "mine"));
});

test("handles are counted, released once and disposable", async () => {
  const { sync, machine } = makeSync();
  const [a, b] = [sync.campaign("c"), sync.campaign("c")];
  let calls = 0;
  a.subscribe(() => (calls += 1));
  a.release();
  a.release();
  assert.equal(sync.view("c")?.campaignId, "c", "one handle is left");
  machine.change("c", {});
  await nextFrame();
  assert.equal(calls, 0, "a released handle hears nothing");
  assert.throws(() => a.domains(), { code: "released" });
  await assert.rejects(a.reached("e1/1"), { code: "released" });
  if (typeof Symbol.dispose === "symbol") b[Symbol.dispose]();
  else b.release();
  assert.equal(sync.view("c"), undefined);
  assert.equal(sync.status("c"), "idle");
  assert.deepEqual(machine.calls.map(([name]) => name), ["retain", "retain", "release", "release"]);
});

test("invalid campaign id is refused with its code and retains nothing", () => {
  const { sync, machine } = makeSync();
  assert.throws(() => sync.campaign("../x"), { name: "CampaignSyncError", code: "invalid_campaign_id" });
  assert.deepEqual(machine.calls, []);
});

test("reached resolves, rejects with a code, times out, aborts and drops late answers", async () => {
  const { sync, machine } = makeSync();
  const campaign = sync.campaign("c");
  machine.onReached = (id, epoch, number, ticket) => machine.host.settle(ticket, null);
  await campaign.reached({ epoch: "e1", sequenceNumber: 5 });
  assert.deepEqual(machine.calls.at(-1).slice(0, 4), ["reached", "c", "e1", 5]);

  machine.onReached = (id, epoch, number, ticket) => machine.host.settle(ticket, "unknown_campaign");
  await assert.rejects(campaign.reached("e1/6"), { code: "unknown_campaign" });

  let late;
  machine.onReached = (id, epoch, number, ticket) => (late = ticket);
  await assert.rejects(campaign.reached("e1/7", { timeoutMs: 1 }), { code: "timed_out" });
  machine.host.settle(late, null);

  const controller = new AbortController();
  const aborted = campaign.reached("e1/8", { signal: controller.signal });
  controller.abort(new Error("navigated away"));
  await assert.rejects(aborted, /navigated away/);
  await assert.rejects(campaign.reached("e1/8", { signal: controller.signal }), /navigated away/);

  const released = assert.rejects(campaign.reached("e1/9"), { code: "released" });
  campaign.release();
  await released;
  await assert.rejects(sync.campaign("c").reached("nonsense"), { code: "invalid_argument" });
});
