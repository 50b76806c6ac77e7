// Functions of the page and of the application that throw, hang or give something else: timers, clocks, pauses, observers
// of the cache rule, and targets of events. Nothing stops, nothing is lost, and every failure has a code.
import assert from "node:assert/strict";
import { after, test } from "node:test";

import { restFetcher, restSnapshot, RichCampaignCache } from "../dist/cache.js";
import { RestClient } from "../dist/rest.js";
import { bindQueryClient, campaignQuery } from "../dist/tanstack-query.js";
import { startTimer } from "../dist/frame.js";
import { collectReports, makeSync, settle } from "./support/fixtures.js";

const boom = () => { throw new Error("thrown by the page"); };
const never = () => new Promise(() => {});
const { setTimeout: later, setInterval: every } = globalThis;
// A clock of Node that the package may use does not keep the process alive.
const alive = every(() => {}, 1_000);
after(() => clearInterval(alive));
const sleep = (ms) => new Promise((resolve) => later(resolve, ms));

/** Runs `run` on a page whose timers throw. */
async function withoutTimers(run) {
  return collectReports(async () => {
    globalThis.setTimeout = globalThis.setInterval = boom;
    try {
      await run();
    } finally {
      Object.assign(globalThis, { setTimeout: later, setInterval: every });
    }
  });
}

test("timer runs although setTimeout and setInterval throw, and can be stopped", async () => {
  let [fired, stopped] = [0, 0];
  const reports = await withoutTimers(() => {
    startTimer(10.5, () => (fired += 1));
    startTimer(1, () => (stopped += 1))();
    startTimer(Infinity, () => (stopped += 1));
  });
  await sleep(100);
  assert.deepEqual([fired, stopped, reports.length], [1, 0, 2]);
});

test("wait ends in time although setTimeout and setInterval throw", async () => {
  const { sync } = makeSync();
  const campaign = sync.campaign("c1");
  let wait;
  await withoutTimers(() => { wait = campaign.reached("e1/9", { timeoutMs: 10 }); });
  await assert.rejects(wait, { code: "timed_out" });
  sync.close();
});

test("requests end although setTimeout and setInterval throw", async () => {
  const fetch = async () => Response.json({ error: { code: "forbidden" } }, { status: 403 });
  const { sync } = makeSync();
  await withoutTimers(async () => {
    await assert.rejects(new RestClient({ baseUrl: "https://host.test", fetch }).session(), { code: "forbidden" });
    await assert.rejects(new RestClient({ baseUrl: "https://host.test", fetch: never, timeoutMs: 10 }).session(), { code: "timed_out" });
    await assert.rejects(new RichCampaignCache({ sync, fetch: restFetcher({ fetch }) }).get("c1"), { code: "forbidden" });
    await assert.rejects(restSnapshot({ fetch })("c1"), { code: "fetch_failed" });
  });
  sync.close();
});

const DATA = { campaignId: "c1", campaign: {}, position: { epoch: "e1", sequenceNumber: 1 }, partial: false, domains: [], dnsValidatedDomains: [], httpKeywordResults: [], leads: [] };

/** A client whose campaign is live. */
function live() {
  const { sync, machine } = makeSync();
  sync.campaign("c1");
  machine.change("c1", { status: "live", position: { epoch: "e1", sequenceNumber: 1, eventId: "ev-1" } });
  return { sync, machine };
}

test("clock of the cache that throws or gives no number stores nothing", async () => {
  const { sync } = live();
  for (const now of [() => NaN, () => "text", () => undefined, () => ({})]) {
    let fetches = 0;
    const cache = new RichCampaignCache({ sync, now, fetch: async () => { fetches += 1; return DATA; } });
    for (const expected of [1, 2]) {
      assert.deepEqual(await cache.get("c1", { source: "fetch" }), DATA);
      assert.equal(fetches, expected);
    }
    cache.dispose();
  }
  for (const now of [boom, () => Symbol("now")]) {
    let answers = 0;
    const cache = new RichCampaignCache({ sync, now, fetch: async () => { answers += 1; return DATA; } });
    await assert.rejects(cache.get("c1", { source: "fetch" }).then(() => cache.get("c1", { source: "fetch" })), { name: "CampaignSyncError", code: "fetch_failed" });
    assert.equal(answers, 1);
    cache.dispose();
  }
  sync.close();
});

test("pause of the cache that throws, hangs or gives something else has a code", async (t) => {
  const { sync } = live();
  const behind = restFetcher({ fetch: async () => Response.json({ error: { code: "behind" } }, { status: 409 }) });
  const get = (pause) => {
    const cache = new RichCampaignCache({ sync, pause, fetch: behind });
    return { cache, answer: cache.get("c1", { source: "fetch" }) };
  };
  for (const pause of [boom, async () => boom(), () => ({ then: boom })]) {
    await assert.rejects(get(pause).answer, (error) => error.code === "fetch_failed" && error.cause.message === "thrown by the page");
  }
  for (const pause of [() => undefined, () => 5, () => ({})]) await assert.rejects(get(pause).answer, { code: "behind" });
  const { cache, answer } = get(never);
  await settle();
  cache.dispose();
  await assert.rejects(answer, { code: "closed" });
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const late = get(never).answer;
  const failed = assert.rejects(late, { code: "fetch_failed", message: /not within 30 seconds/ });
  await settle();
  t.mock.timers.tick(30_000);
  await failed;
  sync.close();
});

test("client of the cache whose methods throw gives fetch_failed with the cause", async () => {
  const whole = { addEventListener() {}, removeEventListener() {}, status: () => "live", view: () => undefined, campaign: () => ({ rows: () => [], release() {} }) };
  for (const name of ["status", "view"]) {
    const cache = new RichCampaignCache({ sync: { ...whole, view: () => ({ position: null }), [name]: boom }, fetch: async () => DATA });
    await assert.rejects(cache.get("c1"), (error) => error.code === "fetch_failed" && error.cause.message === "thrown by the page", name);
  }
});

test("client of the REST client whose methods throw gives a code with the cause", async () => {
  const position = { epoch: "e1", sequenceNumber: 1, eventId: "ev-1" };
  const fetch = async () => Response.json({ campaign: { campaignId: "c1" }, position });
  for (const sync of [{ view: boom, campaign: boom }, { view: () => ({}), campaign: boom }]) {
    const client = new RestClient({ baseUrl: "https://host.test", fetch, sync });
    await assert.rejects(client.act("c1", "pause"), (error) => error.code === "internal" && error.cause.message === "thrown by the page");
  }
});

test("observer of the cache rule that throws keeps no event from its listeners", async () => {
  const queries = { cancelQueries: async () => {}, invalidateQueries: async () => {}, resetQueries: async () => {} };
  for (const [options, library] of [[{ on: boom }, {}], [{ keyOf: boom }, {}], [{}, { cancelQueries: boom }], [{}, { invalidateQueries: boom }]]) {
    const { sync, machine } = live();
    const heard = [];
    sync.addEventListener("cacheinvalidated", ({ detail }) => heard.push(detail.reason));
    let seen = 0;
    const cache = new RichCampaignCache({ sync, fetch: async () => ({ ...DATA, campaign: { seen: (seen += 1) } }) });
    const reports = await collectReports(async () => {
      bindQueryClient(sync, { ...queries, ...library }, options);
      const before = await cache.get("c1", { source: "fetch" });
      machine.host.dispatch("cacheinvalidated", { campaignId: "c1", reason: "transition", epoch: "e1", sequenceNumber: 1 });
      assert.notEqual(await cache.get("c1", { source: "fetch" }), before, "the other observers are called");
    });
    assert.ok(heard.includes("transition"));
    assert.ok(reports.length >= 1 && reports.every(({ message }) => message === "thrown by the page"));
    sync.close();
  }
});

test("target that throws delays no event that a listener causes", async () => {
  const { sync, machine } = makeSync({ target: { addEventListener() {}, removeEventListener() {}, dispatchEvent: boom } });
  const heard = [];
  sync.addEventListener("phasetransition", () => machine.host.dispatch("gap", { campaignId: "c1" }));
  sync.addEventListener("gap", () => heard.push("gap"));
  const reports = await collectReports(() => machine.host.dispatch("phasetransition", { campaignId: "c1" }));
  assert.deepEqual([heard, reports.length], [["gap"], 1]);
  sync.close();
});

test("query whose server never answers fails in time", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { sync } = makeSync();
  for (const fetch of [never, async () => ({ ok: true, status: 200, headers: new Headers(), text: never })]) {
    const failed = assert.rejects(campaignQuery(sync, "c1", "", { fetch }).queryFn({}), { code: "fetch_failed", message: /not within 30 seconds/ });
    await settle();
    t.mock.timers.tick(30_000);
    await failed;
  }
  sync.close();
});

test("fetchers and queries that are called by themselves check their arguments", async () => {
  const fetch = async () => Response.json({ error: { code: "forbidden" } }, { status: 403 });
  for (const campaignId of [undefined, null, 5, Symbol("x"), {}]) {
    await assert.rejects(restFetcher({ fetch })(campaignId, { minPosition: null }), { code: "invalid_argument" }, String(campaignId));
    await assert.rejects(restSnapshot({ fetch })(campaignId), (error) => (error.cause ?? error).code === "invalid_argument");
  }
  for (const context of [null, 5, { minPosition: 5 }, { minPosition: { epoch: "e" } }, Object.defineProperty({}, "signal", { get: boom })]) {
    await assert.rejects(restFetcher({ fetch })("c1", context), { name: "CampaignSyncError", code: "invalid_argument" });
  }
  await assert.rejects(restFetcher({ fetch })("c1"), { code: "forbidden" });
  const { sync } = makeSync();
  for (const context of [undefined, null, 5]) await assert.rejects(campaignQuery(sync, "c1", "", { fetch }).queryFn(context), { code: "forbidden" });
  sync.close();
});
