// The four tests of the plan for phase transitions, with every result that the plan expects.

import { strict as assert } from "node:assert";
import { beforeEach, test } from "node:test";

import { withBrowser } from "./lib/fixture.mjs";
import { assertEqualsTables, assertRowCountNeverFell, caughtUp, open, receivedEvents, shows, text,
  until, watchRowCount } from "./lib/page.mjs";
import { Server } from "./lib/server.mjs";

let browser, server;

withBrowser((it) => { browser = it; }, () => [server]);
beforeEach(async () => { server = await Server.start(); });

const legal = new Set(["domain_generation/completed", "dns_validation/configured"]);

test("test 1: transition is one transaction and no reader sees a part of it", async () => {
  const ids = [];
  for (let number = 0; number < 100; number += 1) {
    ids.push(await server.create({ count: 5, rate: 5000, seed: number + 1 }));
  }
  await Promise.all(ids.map((id) => server.act(id, "start")));
  for (const id of ids) await server.reaches(id, "domain_generation", "completed");

  let reads = 0;
  for (const id of ids) {
    let done = false;
    const transition = server.act(id, "configure-dns").then(() => { done = true; });
    // Reads as often as the server answers, with pauses of 1 ms, until two reads after the transition.
    for (let after = 0; after < 2; after += done ? 1 : 0) {
      const campaign = await server.campaign(id);
      const state = `${campaign.currentPhase}/${campaign.phaseStatus}`;
      assert.ok(legal.has(state), `${state} mixes phase and status`);
      reads += 1;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await transition;
  }
  assert.ok(reads >= 200);

  const entries = await server.sql(
    `SELECT campaign_id, count(*) AS entries FROM transaction_log
     WHERE name = 'DNS_Phase_Transition' GROUP BY campaign_id`);
  assert.equal(entries.length, 100);
  assert.ok(entries.every((entry) => entry.entries === 1), "one entry per transition");
  const logged = server.log.filter((line) => line.includes("DNS_Phase_Transition"));
  assert.equal(logged.length, 100, "and one line in the server's log");
});

test("test 2: transition is broadcast right after the commit, before any later call", async () => {
  const id = await server.generated({ count: 100, rate: 5000 });
  const page = await open(browser, server.origin, id);
  const seen = await page.evaluate(async (id) => {
    const { campaign } = globalThis.__campaignSync;
    const windowEvents = [];
    window.addEventListener("phase_transition", (event) => windowEvents.push(event.detail));
    const answer = await fetch(`/api/v2/campaigns/${id}/configure-dns`, {
      method: "POST", headers: { "content-type": "application/json" },
      body: JSON.stringify({ reason: "by test" }),
    });
    const [epoch, number] = answer.headers.get("campaign-position").split("/");
    await campaign.reached({ epoch, sequenceNumber: Number(number) });
    // After `reached`, every view shows the transition (read your writes).
    const phase = campaign.view().campaign.currentPhase;
    const next = await (await fetch(`/api/v2/campaigns/${id}`)).json();
    const events = globalThis.receivedEvents.filter((event) => event.type === "phasetransition");
    return { ok: answer.ok, phase, next: next.currentPhase, events, windowEvents };
  }, id);
  assert.equal(seen.ok, true);
  assert.equal(seen.phase, "dns_validation");
  assert.equal(seen.next, "dns_validation");
  assert.equal(seen.events.length, 1, "exactly once");
  assert.equal(seen.windowEvents.length, 1, "and once on window");
  for (const event of [seen.events[0], seen.windowEvents[0]]) {
    assert.equal(event.campaignId, id);
    assert.equal(event.previousPhase, "domain_generation");
    assert.equal(event.newPhase, "dns_validation");
    assert.equal(event.newStatus, "configured");
    assert.equal(event.transitionType, "manual");
    assert.ok(event.timestamp);
  }
});

test("test 3: cache returns the new phase at once, even to a fetch in flight", async () => {
  const id = await server.generated({ count: 100, rate: 5000 });
  const page = await open(browser, server.origin, id);
  let requests = 0;
  let hold = null;
  await page.route("**/snapshot*", async (route) => {
    requests += 1;
    if (hold !== null) {
      // The server answers before the transition, and the answer arrives after it.
      const answer = await route.fetch();
      await hold;
      return route.fulfill({ response: answer });
    }
    return route.continue();
  });
  const read = () => page.evaluate(async (id) => {
    const { cache } = globalThis.__campaignSync;
    return (await cache.getRichCampaignData(id, { source: "fetch" })).campaign.currentPhase;
  }, id);
  assert.equal(await read(), "domain_generation");
  assert.equal(await read(), "domain_generation");
  assert.equal(requests, 1, "the second read is cached");

  const transition = () => page.evaluate(async (id) => {
    const { campaign } = globalThis.__campaignSync;
    const answer = await fetch(`/api/v2/campaigns/${id}/configure-dns`, {
      method: "POST", headers: { "content-type": "application/json" }, body: "{}",
    });
    const [epoch, number] = answer.headers.get("campaign-position").split("/");
    await campaign.reached({ epoch, sequenceNumber: Number(number) });
  }, id);
  // A fetch that began before the transition must not bring the old phase back.
  await page.evaluate(() => {
    window.dispatchEvent(new CustomEvent("force_campaign_refresh", {
      detail: { campaignId: globalThis.__campaignSync.campaign.campaignId },
    }));
  });
  let release;
  hold = new Promise((resolve) => { release = resolve; });
  const late = read();
  while (requests < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  await transition();
  hold = null;
  release();
  assert.equal(await late, "dns_validation", "who waited for the late fetch gets fresh data");
  assert.equal(await read(), "dns_validation", "and so does the next reader: no stale window");
  const invalidated = await receivedEvents(page, "cacheinvalidated");
  assert.ok(invalidated.some((event) => event.reason === "phase_transition"));
});

// R10.17

test("test 3: cache shows the new phase from the store, without a request", async () => {
  const id = await server.generated({ count: 100, rate: 5000 });
  const page = await open(browser, server.origin, id);
  let requests = 0;
  await page.route("**/snapshot*", (route) => {
    requests += 1;
    return route.continue();
  });
  await page.waitForFunction(() => globalThis.__campaignSync.campaign.view().status === "live");
  const { phases, rows } = await page.evaluate(async (id) => {
    const { cache, campaign } = globalThis.__campaignSync;
    const before = await cache.getRichCampaignData(id);
    const answer = await fetch(`/api/v2/campaigns/${id}/configure-dns`, {
      method: "POST", headers: { "content-type": "application/json" }, body: "{}",
    });
    await campaign.reached(answer.headers.get("campaign-position"));
    const after = await cache.getRichCampaignData(id);
    return { phases: [before, after].map((data) => data.campaign.currentPhase), rows: after.domains.length };
  }, id);
  assert.deepEqual([phases, rows], [["domain_generation", "dns_validation"], 100]);
  assert.equal(requests, 0);
  await page.close();
});

test("test 4: page shows the new phase at once and every row stays", async () => {
  const id = await server.generated({ count: 250, rate: 5000 });
  const page = await open(browser, server.origin, id);
  await shows(page, "row-count", "250");
  await watchRowCount(page);
  let navigations = 0;
  page.on("framenavigated", () => { navigations += 1; });
  await server.act(id, "configure-dns");
  await page.waitForFunction(() =>
    document.querySelector('[data-testid="phase"]').textContent.toLowerCase().includes("dns"));
  assert.equal(await text(page, "row-count"), "250", "generated domains are there, unrefreshed");
  assert.ok(await page.locator('[data-testid="domain-row"]').count() > 0);
  await server.act(id, "validate-dns");
  await until(page, (view) => view.campaign.phaseStatus === "completed");
  await server.act(id, "configure-http");
  await caughtUp(page, server, id);
  assert.equal(await text(page, "row-count"), "250", "in every phase the table lists all rows");
  assert.equal(navigations, 0, "no page refresh");
  await assertRowCountNeverFell(page);
  await assertEqualsTables(page, server, id);
  assert.deepEqual(page.problems, []);
});
