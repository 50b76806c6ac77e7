// The four critical data integrity scenarios, step by step, in a real browser, over a real socket, against the real
// server.

import { strict as assert } from "node:assert";
import { beforeEach, test } from "node:test";

import { withBrowser } from "./lib/fixture.mjs";
import { assertEqualsTables, assertRowCountNeverFell, caughtUp, live, metrics, open, receivedEvents,
  shows, sleep, until, view, watchRowCount, withoutRest } from "./lib/page.mjs";
import { Cable } from "./lib/proxy.mjs";
import { Server } from "./lib/server.mjs";

let browser, server, cable;

withBrowser((it) => { browser = it; }, () => [cable, server]);
beforeEach(async () => {
  server = await Server.start();
  cable = await Cable.to(server);
});

test("scenario 1: DNS validation is configured over REST while the socket is down", async () => {
  const id = await server.generated({ count: 300, rate: 5000 });
  const page = await open(browser, cable.origin, id);
  await shows(page, "row-count", "300");
  await watchRowCount(page);
  const before = await metrics(page);

  await withoutRest(page);
  cable.unplug();
  await until(page, (view) => view.status !== "live");
  await server.act(id, "configure-dns", { reason: "configured by operator" });
  // The server keeps the transition in its event history.
  const history = await server.sql(
    `SELECT document FROM events WHERE campaign_id = ?1 AND type = 'campaign.phase.transition'`, id);
  assert.equal(history.filter(({ document }) => document.includes("dns_validation")).length >= 1, true);
  await sleep(500);
  const during = await view(page);
  assert.notEqual(during.status, "live", "it does not claim to know");
  assert.equal(during.campaign.currentPhase, "domain_generation", "not notified yet");
  assert.equal(during.domainsCount, 300, "domain data is preserved throughout");

  cable.plug();
  await caughtUp(page, server, id);
  const recovered = await view(page);
  assert.equal(recovered.campaign.currentPhase, "dns_validation");
  assert.equal(recovered.campaign.phaseStatus, "configured");
  assert.equal(recovered.lastTransition.triggerReason, "configured by operator");
  const counters = await metrics(page);
  assert.ok(counters.recoveryRequests.reconnect > before.recoveryRequests.reconnect,
    "recovery is requested on reconnection");
  const [transition] = (await receivedEvents(page, "phasetransition")).slice(-1);
  assert.equal(transition.newPhase, "dns_validation");
  assert.equal(transition.recovered, true);
  await assertRowCountNeverFell(page);
  await assertEqualsTables(page, server, id);
  assert.deepEqual(page.problems, []);
});

test("scenario 2: duplicated and reordered events apply once during a transition", async () => {
  // About 200 events are enough for every fault to happen, with any random numbers.
  const id = await server.generated({ count: 500, rate: 5000, batch: 5 });
  const page = await open(browser, cable.origin, id);
  await watchRowCount(page);
  await server.api("/faults", { duplicate: 0.2, reorder: 0.2 });
  await Promise.all([
    server.act(id, "configure-dns").then(() => server.act(id, "validate-dns")),
    server.reaches(id, "dns_validation", "completed"),
  ]);
  await server.act(id, "configure-http");
  await server.act(id, "validate-http");
  await server.reaches(id, "http_keyword_validation", "completed");
  await server.api("/faults", {});
  await caughtUp(page, server, id);

  const counters = await metrics(page);
  assert.ok(counters.duplicates + counters.redelivered > 0, "duplicates came, and were dropped");
  assert.ok(counters.held > 0, "events came out of order, and were put in order");
  assert.equal(counters.divergences, 0);
  const phases = (await receivedEvents(page, "phasetransition")).map((event) => event.newPhase);
  assert.deepEqual(phases, ["dns_validation", "http_keyword_validation"], "each transition once");
  await assertRowCountNeverFell(page);
  await assertEqualsTables(page, server, id);
});

test("scenario 3: the connection drops during the HTTP phase transition", async () => {
  const id = await server.generated({ count: 300, rate: 5000 });
  await server.act(id, "configure-dns");
  await server.act(id, "validate-dns");
  await server.reaches(id, "dns_validation", "completed");
  const page = await open(browser, cable.origin, id);
  await watchRowCount(page);
  const dns = (await view(page)).counts.dns;
  assert.ok(dns.resolved > 0);

  await withoutRest(page);
  cable.unplug();
  await until(page, (view) => view.status !== "live");
  await server.act(id, "configure-http");
  const during = await view(page);
  assert.deepEqual(during.counts.dns, dns, "DNS results are preserved");
  assert.equal(during.campaign.currentPhase, "dns_validation");
  const [entry] = await server.sql(
    `SELECT count(*) AS entries FROM transaction_log WHERE campaign_id = ?1
     AND name = 'HTTP_Phase_Transition'`, id);
  assert.equal(entry.entries, 1, "the transition is recorded by the backend");

  cable.plug();
  await caughtUp(page, server, id);
  assert.deepEqual((await view(page)).counts.dns, dns);
  const phases = (await receivedEvents(page, "phasetransition")).map((event) => event.newPhase);
  assert.deepEqual(phases, ["http_keyword_validation"]);
  await assertRowCountNeverFell(page);
  await assertEqualsTables(page, server, id);
});

test("scenario 4: rows that differ without an event are detected, shown and repaired", async () => {
  const id = await server.generated({ count: 600, rate: 5000 });
  const page = await open(browser, cable.origin, id);
  // Fifteen rows appear without an event: more than the tolerance of ten, fewer than a large discrepancy.
  await server.api("/faults/diverge", { campaignId: id, rows: 15, kind: "insert" });
  await page.waitForFunction(() => globalThis.receivedEvents.some((event) => event.type === "repaired"));
  const [found] = await receivedEvents(page, "consistency");
  assert.equal(found.ok, false);
  assert.equal(found.difference, 15);
  assert.equal(found.warn, true, "more than ten warns");
  assert.equal(found.large, false);
  await live(page);
  await assertEqualsTables(page, server, id);
  assert.equal((await view(page)).error, null, "repaired: nothing to show");

  // A large discrepancy shows an error, and the data stays on the page meanwhile.
  await page.evaluate(() => {
    globalThis.seen = [];
    const { campaign } = globalThis.__campaignSync;
    campaign.subscribe(() => {
      const { error, domainsCount } = campaign.view();
      globalThis.seen.push({ code: error?.code ?? null, domainsCount });
    });
  });
  await server.api("/faults/diverge", { campaignId: id, rows: 200, kind: "insert" });
  await page.waitForFunction(() =>
    globalThis.receivedEvents.filter((event) => event.type === "repaired").length === 2);
  const large = (await receivedEvents(page, "consistency")).filter((event) => event.large);
  assert.ok(large.length >= 1);
  const seen = await page.evaluate(() => globalThis.seen);
  assert.ok(seen.every(({ domainsCount }) => domainsCount >= 615), "no row went away");
  await live(page);
  await assertEqualsTables(page, server, id);
  assert.equal((await view(page)).error, null);
  // The comparisons at the next heartbeats match.
  const passed = (counters) => counters.consistencyChecksPassed >= 1;
  await until(page, passed, 20_000, metrics);
  const counters = await metrics(page);
  assert.equal(counters.repairs, 2);
  assert.ok(counters.consistencyChecksFailed >= 2);
});
