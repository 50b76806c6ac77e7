// The cache beside the compiled module: no answer is behind the stream at the moment of its delivery.
import assert from "node:assert/strict";
import { test } from "node:test";

import { restFetcher, RichCampaignCache } from "../dist/cache.js";
import { CampaignSyncError } from "../dist/errors.js";
import { settle } from "./support/fixtures.js";
import { CAMPAIGN, EPOCH, enter, follow, manualFetch, Random, rowsText, Server, textOf } from "./support/model.js";

const KINDS = ["added", "changed", "removed", "progress", "status", "transition", "message"];
const WAYS = ["store", "fetch"];
const BOTH = ["record", "rows"];

/** Checks that data is one state of the server, and not behind the view in these parts. */
function assertNotBehind(server, sync, data, parts, context) {
  const own = server.at(data.position.sequenceNumber);
  assert.equal(textOf(data.campaign), own.record, `${context}: the record is that of its position`);
  assert.equal(rowsText(data.domains), own.rows, `${context}: the rows are those of its position`);
  const shown = sync.view(CAMPAIGN)?.position;
  if (shown == null || data.position.sequenceNumber >= shown.sequenceNumber) return;
  for (const part of parts) assert.equal(own[part], server.at(shown.sequenceNumber)[part], `${context}: the ${part} of ${data.position.sequenceNumber} at ${shown.sequenceNumber}`);
}

/** One client with a cache, and a server whose copy for fetches is at `copy`. */
async function world() {
  const server = new Server();
  const { sync, campaign } = await follow(server);
  const { calls, fetch } = manualFetch();
  const cache = new RichCampaignCache({ sync, fetch, pause: async () => {} });
  const apply = (kind, random) => sync.receive(server.append(kind, random));
  const answer = async () => {
    await settle();
    calls.shift()?.resolve(server.data(server.head));
    await settle();
  };
  const close = () => { cache.dispose(); sync.close(); };
  return { server, sync, campaign, cache, calls, fetch, apply, answer, close };
}

/** Data by one of the ways. A fetch is answered with the server's present state. */
async function get({ cache, answer }, source, options = {}) {
  const caller = cache.get(CAMPAIGN, { source, ...options });
  await answer();
  return caller;
}

// R16.21
test("live campaign is answered from the store, at its position, without a request", async () => {
  const it = await world();
  it.apply("added");
  it.apply("progress");
  const data = await it.cache.get(CAMPAIGN);
  assert.deepEqual(data.position, { epoch: EPOCH, sequenceNumber: 3 });
  assertNotBehind(it.server, it.sync, data, BOTH, "store");
  assert.ok(Object.isFrozen(data) && Object.isFrozen(data.domains) && Object.isFrozen(data.campaign));
  assert.equal(await it.cache.get(CAMPAIGN), data, "the same object until something changes");
  it.apply("message");
  const moved = await it.cache.get(CAMPAIGN);
  assert.deepEqual([moved.position.sequenceNumber, moved.domains === data.domains], [4, true]);
  assert.equal(it.calls.length, 0);
  it.close();
});

test("answers of the store and of a fetch are equal", async () => {
  const server = new Server();
  const { sync } = await follow(server);
  for (const kind of ["added", "added", "changed", "progress"]) sync.receive(server.append(kind));
  const { epoch, sequenceNumber } = sync.view(CAMPAIGN).position;
  const body = { epoch, sequenceNumber, campaign: server.record, domains: [...server.rows.values()], domainsCount: server.rows.size };
  const cache = new RichCampaignCache({ sync, fetch: restFetcher({ fetch: async () => Response.json(body) }) });
  assert.deepEqual(await cache.get(CAMPAIGN), await cache.get(CAMPAIGN, { source: "fetch" }));
  sync.close();
});

// R16.21
test("campaign that is not held, not live or not yet that far is fetched", async () => {
  const it = await world();
  const ahead = it.cache.get(CAMPAIGN, { minPosition: { epoch: EPOCH, sequenceNumber: 2 } });
  it.server.append("added");
  await it.answer();
  assert.equal((await ahead).position.sequenceNumber, 2, "the store is at 1");
  it.sync.pause();
  assert.equal((await get(it, "store")).position.sequenceNumber, 2, "the campaign is stale");
  it.campaign.release();
  assert.equal((await get(it, "store")).position.sequenceNumber, 2, "the campaign is not held");
  it.close();
});

test("fetch that fails while the campaign becomes live is answered from the store", async () => {
  const it = await world();
  it.campaign.release();
  const caller = it.cache.get(CAMPAIGN);
  await settle();
  const again = await enter(it.sync);
  it.calls.shift().resolve(undefined);
  assert.equal((await caller).position.sequenceNumber, again.view().position.sequenceNumber);
  it.close();
});

for (const source of WAYS) {
  // The test plan's test 3, R16.13
  test(`transition invalidates the data at once, by ${source}`, async () => {
    const it = await world();
    it.apply("added");
    assert.equal((await get(it, source)).campaign.currentPhase, "domain_generation");
    it.apply("transition");
    assert.equal((await get(it, source)).campaign.currentPhase, "dns_validation");
    it.close();
  });

  // Defect F-1
  test(`request under way during a transition brings no old data, by ${source}`, async () => {
    const it = await world();
    const caller = it.cache.get(CAMPAIGN, { source });
    await settle();
    const before = it.server.data(it.server.head);
    it.apply("transition");
    it.calls.shift()?.resolve(before);
    await it.answer();
    const data = await caller;
    if (source === "fetch") assert.equal(data.campaign.currentPhase, "dns_validation");
    assert.equal((await get(it, source)).campaign.currentPhase, "dns_validation", "and nothing old is stored");
    it.close();
  });

  // Defect F-2
  test(`absent id clears no campaign, by ${source}`, async () => {
    const it = await world();
    const data = await get(it, source);
    assert.throws(() => it.cache.clear(undefined), { code: "invalid_argument" });
    assert.equal(await it.cache.get(CAMPAIGN, { source }), data);
    it.close();
  });

  // Defects F-3, F-4
  test(`rows do not disappear because a fetch is partial, by ${source}`, async () => {
    const it = await world();
    it.apply("added");
    const caller = it.cache.get(CAMPAIGN, { source });
    await settle();
    it.calls.shift()?.resolve({ ...it.server.data(it.server.head), partial: true, domains: [] });
    await caller;
    assert.equal((await get(it, source)).domains.length, 1);
    it.close();
  });

  // Defect F-5
  test(`no row is cut off, and resolved ones have the server's word, by ${source}`, async () => {
    const it = await world();
    const rows = Array.from({ length: 2_500 }, (_, offset) => ({ domainId: `d-${offset}`, domain: `d-${offset}.example`, offset, dnsStatus: offset % 2 ? "resolved" : "timeout" }));
    for (let from = 0; from < rows.length; from += 1_000) it.sync.receive(it.server.update(rows.slice(from, from + 1_000)));
    const { epoch, sequenceNumber } = it.sync.view(CAMPAIGN).position;
    const body = { epoch, sequenceNumber, campaign: it.server.record, domains: rows, domainsCount: rows.length };
    const cache = new RichCampaignCache({ sync: it.sync, fetch: restFetcher({ fetch: async () => Response.json(body) }) });
    const { domains, dnsValidatedDomains } = await cache.get(CAMPAIGN, { source });
    assert.deepEqual([domains.length, dnsValidatedDomains.length, dnsValidatedDomains[0]], [2_500, 1_250, "d-1.example"]);
    it.close();
  });

  // Defect F-6
  test(`listener that hears of the invalidation gets new data, by ${source}`, async () => {
    const it = await world();
    await get(it, source);
    let inside;
    it.sync.addEventListener("cacheinvalidated", () => (inside ??= it.cache.get(CAMPAIGN, { source })));
    it.apply("transition");
    await it.answer();
    assert.equal((await inside).campaign.currentPhase, "dns_validation");
    it.close();
  });

  // Defect F-7
  test(`record and rows are of one moment, by ${source}`, async () => {
    const it = await world();
    for (const kind of ["added", "progress", "added"]) it.apply(kind);
    assertNotBehind(it.server, it.sync, await get(it, source), BOTH, source);
    it.close();
  });

  // Defect F-10
  test(`caller cannot change what others get, by ${source}`, async () => {
    const it = await world();
    it.apply("added");
    const data = await get(it, source);
    assert.throws(() => (data.domains[0].domain = "x"), TypeError);
    assert.throws(() => (data.campaign.currentPhase = "x"), TypeError);
    it.close();
  });
}

// R16.14, R16.19
test("fetched data is void when the stream has changed what the caller depends on", async () => {
  for (const [dependsOn, kept, voided] of [["record", "added", "progress"], ["rows", "status", "changed"], ["both", "message", "added"]]) {
    const it = await world();
    it.apply("added");
    const options = { source: "fetch", dependsOn };
    const data = await get(it, "fetch", options);
    it.apply(kept);
    assert.equal(await it.cache.get(CAMPAIGN, options), data, `${dependsOn}: ${kept} leaves it`);
    it.apply(voided);
    const caller = it.cache.get(CAMPAIGN, options);
    await it.answer();
    assert.equal((await caller).position.sequenceNumber, it.server.head, `${dependsOn}: ${voided} makes it void`);
    it.close();
  }
});

test("answer of a former user's fetch reaches nobody", async () => {
  const it = await world();
  const caller = assert.rejects(it.cache.get(CAMPAIGN, { source: "fetch" }), { code: "signed_out" });
  await settle();
  const { announceInvalidation } = await import("../dist/invalidation.js");
  announceInvalidation(it.sync, {});
  it.calls.shift().resolve(it.server.data(1));
  await caller;
  assert.equal(it.cache.size, 0);
  it.close();
});

// R7.7
test("answer of a fetch that began before access ended reaches nobody", async () => {
  const control = (type, data) => JSON.stringify({ type, timestamp: "2031-03-05T06:07:08Z", data: { campaignId: CAMPAIGN, ...data } });
  for (const end of [control("subscription_ended", { reason: "revoked" }), control("error", { code: "unknown_campaign", message: "" })]) {
    const it = await world();
    it.apply("added");
    const caller = it.cache.get(CAMPAIGN, { source: "fetch" });
    await settle();
    it.sync.receive(end);
    it.calls.shift().resolve(it.server.data(2));
    await settle();
    assert.equal(it.calls.length, 1, "the server decides again, as the session is now");
    it.calls.shift().reject(new CampaignSyncError("unknown_campaign"));
    await assert.rejects(caller, { code: "unknown_campaign" });
    it.close();
  }
});

// R16.21
test("no answer is behind the stream at its delivery, in random histories", async () => {
  let [delivered, byFetch] = [0, 0];
  for (let seed = 1; seed <= 60; seed++) {
    const random = new Random(seed);
    const it = await world();
    let { campaign } = it;
    const [waiting, failures] = [new Set(), []];
    for (let step = 0; step < 60; step++) {
      const context = `seed ${seed}, step ${step}`;
      switch (random.below(8)) {
        case 0: case 1: case 2:
          // Each frame arrives in a separate task, so whatever is resolved is delivered before it.
          await new Promise(setImmediate);
          if (campaign !== undefined) it.apply(random.pick(KINDS), random);
          else it.server.append(random.pick(KINDS), random);
          break;
        case 3: case 4: {
          const [source, dependsOn] = [random.pick(WAYS), random.pick(["record", "rows", "both"])];
          const parts = dependsOn === "both" ? BOTH : [dependsOn];
          const call = it.cache.get(CAMPAIGN, { source, dependsOn }).then(
            (data) => {
              delivered += 1;
              byFetch += source === "fetch" ? 1 : 0;
              assertNotBehind(it.server, it.sync, data, source === "store" ? BOTH : parts, context);
            },
            (error) => assert.equal(error.code, "behind", context),
          );
          waiting.add(call);
          call.catch((error) => failures.push(error)).then(() => waiting.delete(call));
          break;
        }
        case 5: {
          // The server's copy may lag, and may ignore the position that it is asked for.
          const fetched = it.calls.splice(random.below(it.calls.length + 1), 1)[0];
          const copy = 1 + random.below(it.server.head);
          if (random.below(4) === 0 && copy < (fetched?.minPosition?.sequenceNumber ?? 0)) fetched.behind();
          else fetched?.resolve(it.server.data(random.below(2) === 0 ? it.server.head : copy));
          break;
        }
        case 6:
          await (random.below(2) === 0 ? Promise.resolve() : settle());
          break;
        default:
          if (random.below(4) !== 0) break;
          if (campaign === undefined) campaign = await enter(it.sync);
          else { campaign.release(); campaign = undefined; }
      }
    }
    campaign ??= await enter(it.sync);
    while (waiting.size > 0) await it.answer();
    if (failures.length > 0) throw failures[0];
    it.close();
  }
  assert.ok(delivered > 400 && byFetch > 100, `${delivered} answers, ${byFetch} of them by fetch`);
});
