import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { clearRichDataCache, configureCache, getRichCampaignData, restFetcher, RichCampaignCache } from "../dist/cache.js";
import { deferred, makeSync, settle } from "./support/fixtures.js";

const BY_FETCH = { source: "fetch" };
const at = (sequenceNumber, epoch = "e1") => ({ epoch, sequenceNumber });
const position = (sequenceNumber, epoch = "e1") => ({ ...at(sequenceNumber, epoch), eventId: `ev-${sequenceNumber}` });

function rich(sequenceNumber, members = {}) {
  return {
    campaignId: "c",
    campaign: { name: "n", currentPhase: "domain_generation" },
    position: sequenceNumber === null ? null : at(sequenceNumber),
    partial: false,
    domains: [],
    dnsValidatedDomains: [],
    httpKeywordResults: [],
    leads: [],
    ...members,
  };
}

let sync, machine, handle, fetches, pauses, clock, cache;

/** A fetcher whose promise stays pending until the test answers it. */
const fetch = (campaignId, context) => {
  const call = { campaignId, minPosition: context.minPosition, ...deferred() };
  fetches.push(call);
  return call.promise;
};

/** Resolves fetch number `n` with data at a position. */
async function answer(n, sequenceNumber, members) {
  await settle();
  fetches[n].resolve(rich(sequenceNumber, { campaignId: fetches[n].campaignId, ...members }));
  await settle();
}

beforeEach(() => {
  ({ sync, machine } = makeSync());
  handle = sync.campaign("c");
  machine.change("c", { status: "live", position: position(10) });
  [fetches, pauses, clock] = [[], [], 1000];
  cache = new RichCampaignCache({ sync, fetch, now: () => clock, pause: async (ms) => void pauses.push(ms) });
});

afterEach(() => cache.dispose());

// R16.16
test("cache serves the same frozen object again for at most 30 seconds", async () => {
  const first = cache.get("c", BY_FETCH);
  await answer(0, 10, { domains: [{ domain: "a.test" }] });
  const data = await first;
  assert.equal(await cache.get("c", BY_FETCH), data);
  assert.throws(() => (data.domains[0].domain = "b.test"), TypeError);
  assert.throws(() => data.domains.push({}), TypeError);
  clock += 29_999;
  assert.equal(await cache.get("c", BY_FETCH), data);
  clock += 1;
  const second = cache.get("c", BY_FETCH);
  await answer(1, 10);
  assert.notEqual(await second, data);

  const greedy = new RichCampaignCache({ sync, fetch, now: () => clock, ttlMs: 86_400_000 });
  const kept = greedy.get("c", BY_FETCH);
  await answer(2, 10);
  await kept;
  clock += 30_000;
  greedy.get("c", BY_FETCH).catch(() => {});
  await settle();
  assert.equal(fetches.length, 4, "no option makes an entry live longer");
});

test("concurrent callers share one fetch", async () => {
  const both = [cache.get("c", BY_FETCH), cache.get("c", BY_FETCH)];
  await answer(0, 10);
  const [a, b] = await Promise.all(both);
  assert.equal(a, b);
  assert.equal(fetches.length, 1);
});

// R16.14
test("fetch begun before a transition is not stored, and its caller gets fresh data", async () => {
  const caller = cache.get("c", BY_FETCH);
  await settle();
  machine.change("c", { position: position(11) });
  machine.invalidate("c", 11);
  await answer(0, 10);
  assert.equal(fetches.length, 2, "the old answer was not good enough");
  assert.deepEqual(fetches[1].minPosition, at(11));
  await answer(1, 11, { campaign: { currentPhase: "dns_validation" } });
  assert.equal((await caller).campaign.currentPhase, "dns_validation");
  assert.equal((await cache.get("c", BY_FETCH)).campaign.currentPhase, "dns_validation");
  assert.equal(fetches.length, 2);
});

test("late answer that is not behind reaches its caller but is not stored", async () => {
  const caller = cache.get("c", BY_FETCH);
  await settle();
  machine.invalidate("c", 11);
  await answer(0, 12);
  assert.equal((await caller).position.sequenceNumber, 12);
  assert.equal(cache.size, 0);
});

test("late answer does not end the fetch that began after the invalidation", async () => {
  const before = cache.get("c", BY_FETCH);
  await settle();
  machine.invalidate("c", 11);
  const after = cache.get("c", BY_FETCH);
  await settle();
  assert.equal(fetches.length, 2);
  await answer(0, 10);
  cache.get("c", BY_FETCH).catch(() => {});
  await settle();
  assert.equal(fetches.length, 2, "everyone waits for the second fetch");
  await answer(1, 11);
  assert.equal(await before, await after);
});

// R16.14
test("answer behind the invalidation is not stored and is retried at most four times", async () => {
  machine.change("c", { position: position(20) });
  machine.invalidate("c", 20);
  const caller = assert.rejects(cache.get("c", BY_FETCH), { name: "CampaignSyncError", code: "behind" });
  for (let n = 0; n < 5; n++) await answer(n, 19);
  await caller;
  assert.equal(fetches.length, 5);
  assert.deepEqual(pauses, [100, 200, 400, 800]);
  assert.equal(cache.size, 0);
});

test("cache retries after the code behind and passes other failures to the caller", async () => {
  const caller = cache.get("c", BY_FETCH);
  await settle();
  fetches[0].reject(await failure("behind"));
  await settle();
  await answer(1, 10);
  assert.equal((await caller).position.sequenceNumber, 10);

  machine.invalidate("c", 11);
  const failing = assert.rejects(cache.get("c", BY_FETCH), { code: "forbidden" });
  await settle();
  fetches[2].reject(await failure("forbidden"));
  await failing;
  const again = cache.get("c", BY_FETCH);
  await answer(3, 11);
  assert.equal((await again).position.sequenceNumber, 11, "a failure is not remembered");
});

test("answer older than the view is not stored, even before any invalidation", async () => {
  const caller = cache.get("c", BY_FETCH);
  await answer(0, 9);
  await answer(1, 10);
  assert.equal((await caller).position.sequenceNumber, 10);
  assert.deepEqual(fetches.map((call) => call.minPosition), [at(10), at(10)]);
});

test("numbers of another epoch prove nothing", async () => {
  machine.change("c", { position: position(3, "e2") });
  machine.invalidate("c", 3, "e2");
  const caller = cache.get("c", BY_FETCH);
  await answer(0, 99);
  await answer(1, 99, { position: at(4, "e2") });
  assert.deepEqual((await caller).position, at(4, "e2"));
  assert.equal(cache.size, 1);
});

// R16.14
test("partial data reaches its caller but is not stored", async () => {
  const caller = cache.get("c", BY_FETCH);
  await answer(0, 10, { partial: true });
  assert.equal((await caller).partial, true);
  assert.equal(cache.size, 0);
});

test("data without a position reaches its caller unless late, and is not stored", async () => {
  const caller = cache.get("c", BY_FETCH);
  await answer(0, null);
  assert.equal((await caller).position, null);
  assert.equal(cache.size, 0);

  const late = cache.get("c", BY_FETCH);
  await settle();
  machine.invalidate("c", 11);
  await answer(1, null);
  await answer(2, 11);
  assert.equal((await late).position.sequenceNumber, 11);
});

// R16.15
test("cache serves and stores nothing while the campaign is not live", async () => {
  const live = cache.get("c", BY_FETCH);
  await answer(0, 10);
  const stored = await live;
  for (const [n, status] of ["stale", "recovering", "connecting", "failed"].entries()) {
    machine.statuses.set("c", status);
    const caller = cache.get("c", BY_FETCH);
    await answer(n + 1, 10);
    assert.notEqual(await caller, stored, status);
  }
  machine.statuses.set("c", "live");
  assert.equal(await cache.get("c", BY_FETCH), stored, "the stream has proven that nothing was missed");

  machine.statuses.set("c", "idle");
  const unwatched = cache.get("other", BY_FETCH);
  await answer(5, 1);
  await unwatched;
  assert.equal(cache.size, 1);
});

test("fetch is not stored if the campaign is not live when it ends", async () => {
  const caller = cache.get("c", BY_FETCH);
  await settle();
  machine.statuses.set("c", "recovering");
  await answer(0, 10);
  await caller;
  assert.equal(cache.size, 0);
});

// R16.13
test("cache is void before any listener runs, even one added before the cache", async () => {
  const seen = [];
  const { sync, machine } = makeSync();
  sync.addEventListener("cacheinvalidated", () => { seen.push(cache.size); cache.get("c", BY_FETCH).catch(() => {}); });
  const handle = sync.campaign("c");
  machine.change("c", { status: "live", position: position(10) });
  const cache = new RichCampaignCache({ sync, fetch });
  const caller = cache.get("c", BY_FETCH);
  await answer(0, 10);
  await caller;
  assert.equal(cache.size, 1);
  machine.invalidate("c", 11);
  assert.deepEqual(seen, [0]);
  await settle();
  assert.deepEqual(fetches[1].minPosition, at(11), "a listener that reads at once asks for the new position");
  handle.release();
});

test("invalidation inside a listener voids the data before its event is dispatched", async () => {
  const caller = cache.get("c", BY_FETCH);
  await answer(0, 10);
  await caller;
  let inside;
  sync.addEventListener("gap", () => {
    machine.invalidate("c", 11);
    inside = cache.size;
  });
  machine.host.dispatch("gap", { campaignId: "c", expected: 11, received: 13 });
  assert.equal(inside, 0);
});

test("cache returns no data behind the position that the caller requests", async () => {
  const caller = cache.get("c", BY_FETCH);
  await answer(0, 10);
  const old = await caller;
  const afterWrite = cache.get("c", { ...BY_FETCH, minPosition: "e1/12" });
  await settle();
  assert.deepEqual(fetches[1].minPosition, at(12));
  await answer(1, 11);
  await answer(2, 12);
  assert.notEqual(await afterWrite, old);
  assert.equal((await afterWrite).position.sequenceNumber, 12);
  await assert.rejects(cache.get("c", { ...BY_FETCH, minPosition: "twelve" }), { code: "invalid_argument" });
});

test("last release drops the data and the floor of a campaign", async () => {
  const caller = cache.get("c", BY_FETCH);
  await answer(0, 20);
  await caller;
  handle.release();
  assert.equal(cache.size, 0);
  const unwatched = cache.get("c", BY_FETCH);
  await answer(1, 1, { position: at(1, "e9") });
  assert.equal((await unwatched).position.epoch, "e9");
});

test("cache evicts the least recently used campaigns first", async () => {
  const small = new RichCampaignCache({ sync, fetch, maxEntries: 2 });
  const load = async (id) => {
    sync.campaign(id);
    machine.change(id, { status: "live", position: position(10) });
    const before = fetches.length;
    const caller = small.get(id, BY_FETCH);
    await settle();
    if (fetches.length > before) await answer(before, 10);
    await caller;
    return fetches.length - before;
  };
  assert.deepEqual([await load("c"), await load("d"), await load("c"), await load("e")], [1, 1, 0, 1]);
  assert.equal(small.size, 2);
  assert.deepEqual([await load("c"), await load("d")], [0, 1]);
});

test("clear voids one campaign and refuses an invalid or absent id", async () => {
  assert.throws(() => clearRichDataCache("c"), { code: "not_configured" });
  await assert.rejects(getRichCampaignData("c", BY_FETCH), { code: "not_configured" });
  cache = configureCache({ sync, fetch });
  const caller = getRichCampaignData("c", BY_FETCH);
  await answer(0, 10);
  await caller;
  for (const [id, code] of [[undefined, "invalid_argument"], [null, "invalid_argument"], ["", "invalid_campaign_id"], ["../x", "invalid_campaign_id"]]) {
    assert.throws(() => clearRichDataCache(id), { name: "CampaignSyncError", code });
    await assert.rejects(getRichCampaignData(id), { code });
  }
  clearRichDataCache("another");
  assert.equal(cache.size, 1);
  clearRichDataCache("c");
  assert.equal(cache.size, 0);
  configureCache({ sync, fetch });
  machine.invalidate("c", 11);
});

test("rest fetcher makes one consistent read and sends the position that it needs", async () => {
  const asked = [];
  const rows = [
    { domainId: "1", domain: "a.test", offset: 0, dnsStatus: "resolved", httpStatus: "ok", httpStatusCode: 200, leadStatus: "match" },
    { domainId: "2", domain: "b.test", offset: 1, dnsStatus: "timeout" },
  ];
  let reply = Response.json({ epoch: "e1", sequenceNumber: 3, campaign: { name: "n" }, domains: rows, domainsCount: 2 });
  const get = restFetcher({ baseUrl: "https://host.test/api/v2", fetch: async (...call) => (asked.push(call), reply) });
  const data = await get("c", { minPosition: at(3, "e&1") });
  assert.equal(asked[0][0], "https://host.test/api/v2/campaigns/c/snapshot?min_position=e%261%2F3");
  assert.equal(asked[0][1].cache, "no-store");
  assert.deepEqual(data.position, at(3));
  assert.deepEqual([data.partial, data.dnsValidatedDomains], [false, ["a.test"]]);
  assert.deepEqual([data.httpKeywordResults.length, data.leads.length, data.domains[1].httpStatus], [1, 1, null]);

  reply = Response.json({ campaign: {}, domains: rows, domainsCount: 5 }, { headers: { "Campaign-Position": "e1/4" } });
  const part = await get("c", { minPosition: null });
  assert.deepEqual([part.partial, part.position], [true, at(4)]);

  reply = Response.json({ error: { code: "behind", message: "wait" } }, { status: 503 });
  await assert.rejects(get("c", { minPosition: null }), { code: "behind", message: "wait" });
  reply = new Response("<html>", { status: 502 });
  await assert.rejects(get("c", { minPosition: null }), { code: "fetch_failed" });
  reply = Response.json({ hello: 1 });
  await assert.rejects(get("c", { minPosition: null }), { code: "invalid_content" });
});

/** An error as the package throws it. */
async function failure(code) {
  const { CampaignSyncError } = await import("../dist/index.js");
  return new CampaignSyncError(code);
}

test("fetcher that never settles fails after 30 seconds, and its request is aborted", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    let signal;
    const stuck = new RichCampaignCache({ sync, fetch: (id, context) => { ({ signal } = context); return new Promise(() => {}); } });
    const failed = assert.rejects(stuck.get("c", BY_FETCH), { name: "CampaignSyncError", code: "fetch_failed" });
    await settle();
    mock.timers.tick(29_999);
    assert.equal(signal.aborted, false);
    mock.timers.tick(1);
    await failed;
    assert.equal(signal.aborted, true);
    const again = assert.rejects(stuck.get("c", BY_FETCH), { code: "closed" });
    await settle();
    stuck.dispose();
    await again;
    assert.equal(signal.aborted, true, "the second request");
    await assert.rejects(stuck.get("c", BY_FETCH), { code: "closed" });
  } finally {
    mock.timers.reset();
  }
});

test("fetcher that gives no campaign data rejects with a code that names the member", async () => {
  const answers = [undefined, null, 5, "text", {}, rich(1, { domains: undefined }), rich(1, { partial: "no" }), rich(1, { position: {} })];
  const named = [/answer/, /answer/, /answer/, /answer/, /campaignId/, /domains/, /partial/, /position/];
  for (const [index, given] of answers.entries()) {
    const odd = new RichCampaignCache({ sync, fetch: async () => given });
    await assert.rejects(odd.get("c", BY_FETCH), (error) => error.code === "invalid_content" && named[index].test(error.message));
  }
});

test("any failure of a fetcher is a CampaignSyncError with its cause", async () => {
  for (const cause of [new TypeError("offline"), undefined, "text"]) {
    const broken = new RichCampaignCache({ sync, fetch: () => Promise.reject(cause) });
    await assert.rejects(broken.get("c", BY_FETCH), (error) => error.code === "fetch_failed" && error.cause === cause);
  }
  const throwing = new RichCampaignCache({ sync, fetch: () => { throw new Error("synchronous"); } });
  await assert.rejects(throwing.get("c", BY_FETCH), { code: "fetch_failed" });
});

test("application's own object stays as it is, and a copy is frozen", async () => {
  const own = rich(10, { domains: [{ domain: "a.test" }], extra: { kept: true } });
  const copying = new RichCampaignCache({ sync, fetch: async () => own });
  const data = await copying.get("c", BY_FETCH);
  assert.deepEqual(data, own);
  own.domains[0].domain = "b.test";
  own.domains.push({});
  assert.equal(data.domains[0].domain, "a.test");
  assert.ok(Object.isFrozen(data) && Object.isFrozen(data.domains[0]) && Object.isFrozen(data.extra));
});
