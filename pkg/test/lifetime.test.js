// Resources that are given back: listeners of the page, places of waits, and clients that were dropped without `close()`.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { CampaignSync, initSync } from "../dist/index.js";
import { collectReports, makeSync, MODULE, settle } from "./support/fixtures.js";
import { machines } from "./support/machine.js";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc");

/** Collects garbage until it is done with `holds`, for at most two seconds. */
async function collected(holds) {
  for (let turn = 0; turn < 100 && !holds(); turn++) {
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return holds();
}

/** An event target that counts its listeners. */
class Target extends EventTarget {
  listeners = 0;
  addEventListener(...values) { this.listeners += 1; super.addEventListener(...values); }
  removeEventListener(...values) { this.listeners -= 1; super.removeEventListener(...values); }
}

test("client listens to the page from connect() to close()", () => {
  const target = new Target();
  const { sync } = makeSync({ target });
  sync.campaign("c");
  assert.equal(target.listeners, 0, "it was not connected yet");
  sync.connect();
  assert.equal(target.listeners, 2);
  sync.close();
  assert.equal(target.listeners, 0);
});

test("client that nothing references is closed when it is collected", async () => {
  initSync(MODULE);
  const target = new Target();
  (() => new CampaignSync({ target }).connect())();
  const machine = machines.at(-1);
  assert.equal(target.listeners, 2);
  assert.ok(await collected(() => target.listeners === 0), "its listeners are removed");
  assert.deepEqual(machine.calls.at(-1), ["close"]);
});

test("closed client does not touch the page when it is collected", async () => {
  initSync(MODULE);
  const target = new Target();
  let isGone = false;
  const registry = new FinalizationRegistry(() => (isGone = true));
  (() => {
    const sync = new CampaignSync({ target });
    sync.connect();
    sync.close();
    registry.register(sync);
  })();
  // The page of a test is gone when a collection happens.
  target.removeEventListener = undefined;
  const reports = await collectReports(async () => {
    assert.ok(await collected(() => isGone));
    await new Promise((resolve) => setTimeout(resolve, 50));
  });
  assert.deepEqual(reports, []);
});

test("client with a handle or a listener lives on without a reference", async () => {
  const received = [];
  let campaign;
  (() => {
    campaign = makeSync().sync.campaign("c");
    makeSync().sync.addEventListener("gap", () => received.push("gap"));
  })();
  const [held, listened] = machines.slice(-2);
  assert.equal(await collected(() => held.calls.at(-1)?.[0] === "close" || listened.calls.at(-1)?.[0] === "close"), false);
  listened.host.dispatch("gap", { campaignId: "c", expected: 1, received: 3 });
  assert.deepEqual(received, ["gap"]);
  campaign.release();
  assert.ok(await collected(() => held.calls.at(-1)?.[0] === "close"), "the last handle held it");
});

test("two clients with target null dispatch no event on the page", () => {
  const page = new EventTarget();
  let events = 0;
  page.addEventListener("campaign_cache_invalidated", () => (events += 1));
  const [one] = [makeSync({ target: page }), makeSync({ target: null })];
  for (const { machine } of [one, { machine: machines.at(-1) }]) machine.invalidate("c", 7);
  assert.equal(events, 1);
});

test("wait that is aborted, timed out or released is given up in the machine at once", async () => {
  const { sync, machine } = makeSync();
  const campaign = sync.campaign("c");
  let ticket;
  machine.onReached = (id, epoch, number, given) => (ticket = given);
  const controller = new AbortController();
  const ends = [
    [() => campaign.reached("e1/9", { signal: controller.signal }), () => controller.abort(new Error("gone")), /gone/],
    [() => campaign.reached("e1/9", { timeoutMs: 1 }), () => {}, { code: "timed_out" }],
    [() => campaign.reached("e1/9"), () => campaign.release(), { code: "released" }],
  ];
  for (const [begin, end, reason] of ends) {
    const rejected = assert.rejects(begin(), reason);
    await settle();
    end();
    await rejected;
    assert.deepEqual(machine.calls.filter(([name]) => name === "cancelWait").at(-1), ["cancelWait", "c", ticket]);
  }
});

test("wait ends after 30 seconds, or after any time that the application gives", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const { sync } = makeSync();
    const campaign = sync.campaign("c");
    const ends = [[undefined, 30_000], [2 ** 31, 2 ** 31], [2 ** 33 + 5, 2 ** 33 + 5], [0, 0]];
    for (const [timeoutMs, expected] of ends) {
      let ended = false;
      const waiting = campaign.reached("e9/1", timeoutMs === undefined ? {} : { timeoutMs });
      waiting.catch(() => (ended = true));
      await settle();
      for (let passed = 0; passed < expected - 1; ) {
        const step = Math.min(2 ** 31 - 1, expected - 1 - passed);
        mock.timers.tick(step);
        passed += step;
      }
      await settle();
      assert.equal(ended, false, `${timeoutMs} is not over`);
      mock.timers.tick(1);
      await assert.rejects(waiting, { code: "timed_out" });
    }
    let ended = false;
    campaign.reached("e9/1", { timeoutMs: Infinity }).catch(() => (ended = true));
    for (let turn = 0; turn < 10; turn++) mock.timers.tick(2 ** 31 - 1);
    await settle();
    assert.equal(ended, false);
    sync.close();
    await settle();
    assert.equal(ended, true);
  } finally {
    mock.timers.reset();
  }
});

test("answers of the client are frozen", () => {
  const { sync, machine } = makeSync();
  machine.metricsNow = { applied: 0, refused: {} };
  const campaign = sync.campaign("c");
  for (const answer of [sync.metrics(), sync.metrics().refused, sync.diagnostics(), sync.connection, campaign.view(), campaign.domains(), campaign.domains().rows]) {
    assert.ok(Object.isFrozen(answer), JSON.stringify(answer));
  }
});

test("recursion without end in a listener leaves the client working", () => {
  const { sync, machine } = makeSync();
  const campaign = sync.campaign("c");
  const recurse = () => { campaign.domains({ limit: 1 }); recurse(); };
  assert.throws(recurse, RangeError);
  assert.equal(campaign.domains().total, 0);
  sync.close();
  assert.deepEqual(machine.calls.at(-1), ["close"]);
});

test("connect after close adds no listener to the page", () => {
  const target = new Target();
  const { sync } = makeSync({ target });
  sync.connect();
  sync.close();
  assert.throws(() => sync.connect(), { code: "closed" });
  assert.equal(target.listeners, 0);
});

test("frames are scheduled although timers or frames of the page throw", async () => {
  const genuine = globalThis.setTimeout;
  const { sync, machine } = makeSync();
  const campaign = sync.campaign("c");
  let calls = 0;
  campaign.subscribe(() => (calls += 1));
  const reports = await collectReports(async () => {
    globalThis.setTimeout = () => { globalThis.setTimeout = genuine; throw new Error("no timer"); };
    machine.change("c", { totalDomainCount: 1 });
    await settle();
  });
  assert.deepEqual([calls, reports.map(({ message }) => message)], [1, ["no timer"]]);
  globalThis.requestAnimationFrame = (run) => setTimeout(run, 0); // A stub without its counterpart.
  try {
    machine.change("c", { totalDomainCount: 2 });
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(calls, 2);
    sync.close();
  } finally {
    delete globalThis.requestAnimationFrame;
  }
});
