// Endurance tests: sockets are cut repeatedly, servers are killed in the middle of a phase, and every fault happens
// at once. At the end the page equals the server's tables, row by row.

import { strict as assert } from "node:assert";
import { test } from "node:test";

import { withBrowser } from "./lib/fixture.mjs";
import { assertEqualsTables, assertRowCountNeverFell, caughtUp, live, metrics, open, receivedEvents,
  sleep, until, view, watchRowCount } from "./lib/page.mjs";
import { Cable } from "./lib/proxy.mjs";
import { Server } from "./lib/server.mjs";

let browser, server, cable;

withBrowser((it) => { browser = it; }, () => [cable, server]);

test("page loses nothing through 20 cuts of the socket during 20,000 events", async () => {
  server = await Server.start();
  cable = await Cable.to(server);
  const id = await server.create({ count: 20_000, rate: 2_000, batch: 1 });
  const page = await open(browser, cable.origin, id);
  await watchRowCount(page);
  await server.act(id, "start");
  for (let cut = 1; cut <= 20; cut += 1) {
    await until(page, (view) => view.domainsCount >= cut * 600);
    // The page may still be reconnecting, so wait until there is a socket to cut.
    await until(page, () => cable.sockets.size > 0);
    cable.cut();
  }
  await server.reaches(id, "domain_generation", "completed", 120_000);
  await caughtUp(page, server, id);
  const [{ events }] = await server.sql(
    "SELECT count(*) AS events FROM events WHERE campaign_id = ?1", id);
  assert.ok(events >= 20_000, `${events} events`);
  const counters = await metrics(page);
  assert.ok(counters.disconnects >= 20, `${counters.disconnects} disconnects`);
  assert.equal(counters.divergences, 0);
  await assertRowCountNeverFell(page);
  await assertEqualsTables(page, server, id);
  assert.deepEqual(page.problems, []);
});

test("page recovers after three SIGKILLs of the server in the middle of a phase", async () => {
  server = await Server.start();
  const id = await server.generated({ count: 2_000, rate: 5_000 });
  const page = await open(browser, server.origin, id);
  await watchRowCount(page);
  await server.act(id, "configure-dns");
  await server.act(id, "validate-dns");
  for (const rows of [300, 900, 1_500]) {
    await until(page, (view) => view.campaign.processedItems >= rows);
    await server.kill();
    await until(page, (view) => view.status !== "live");
    assert.equal((await view(page)).domainsCount, 2_000, "rows stay while there is no server");
    await server.run();
    await live(page);
  }
  await server.reaches(id, "dns_validation", "completed", 120_000);
  await caughtUp(page, server, id);
  await assertRowCountNeverFell(page);
  await assertEqualsTables(page, server, id);
});

test("page shows each transition once through five cuts and two kills", async () => {
  server = await Server.start();
  cable = await Cable.to(server);
  const id = await server.create({ count: 600, rate: 300 });
  const page = await open(browser, cable.origin, id);
  await watchRowCount(page);
  const cut = async () => {
    await until(page, () => cable.sockets.size > 0);
    cable.cut();
  };
  await server.act(id, "start");
  for (const count of [100, 250, 400]) {
    await until(page, ({ domainsCount }) => domainsCount >= count);
    await cut();
  }
  await server.reaches(id, "domain_generation", "completed");
  for (const [configure, start, phase] of [["configure-dns", "validate-dns", "dns_validation"],
    ["configure-http", "validate-http", "http_keyword_validation"]]) {
    await server.act(id, configure);
    await server.act(id, start);
    await until(page, ({ campaign }) => campaign.currentPhase === phase && campaign.processedItems > 50);
    await server.kill();
    await server.run();
    await cut();
    await server.reaches(id, phase, "completed", 120_000);
  }
  await server.act(id, "configure-analysis");
  await server.act(id, "analyze");
  await server.reaches(id, "analysis", "completed", 120_000);
  await caughtUp(page, server, id);

  const phases = (await receivedEvents(page, "phasetransition")).map(({ newPhase }) => newPhase);
  assert.deepEqual(phases, ["dns_validation", "http_keyword_validation", "analysis"]);
  // While the server is down, polls may fail.
  const { disconnects, unknownTypes, refused: { fetch_failed: _, ...refused } } = await metrics(page);
  assert.ok(disconnects >= 5, `${disconnects} disconnects`);
  assert.deepEqual([refused, unknownTypes], [{}, 0]);
  await assertRowCountNeverFell(page);
  await assertEqualsTables(page, server, id);
  assert.deepEqual(page.problems, []);
});

test("page equals the server's tables after every fault at once in all phases", async () => {
  server = await Server.start();
  cable = await Cable.to(server);
  // About 2,000 events are enough for every fault to happen, with any random numbers.
  const id = await server.create({ count: 1_000, rate: 1_000, batch: 2 });
  const page = await open(browser, cable.origin, id);
  await watchRowCount(page);
  await server.api("/faults", {
    drop: 0.02, duplicate: 0.05, reorder: 0.05, corrupt: 0.02, delayMs: 3,
  });
  const cuts = setInterval(() => cable.cut(), 1_500);
  const steps = [
    ["start", "domain_generation"], ["configure-dns"], ["validate-dns", "dns_validation"],
    ["configure-http"], ["validate-http", "http_keyword_validation"],
    ["configure-analysis"], ["analyze", "analysis"],
  ];
  for (const [action, phase] of steps) {
    await server.act(id, action);
    if (phase) await server.reaches(id, phase, "completed", 120_000);
    await sleep(100);
  }
  clearInterval(cuts);
  await server.api("/faults", {});
  await caughtUp(page, server, id);
  const counters = await metrics(page);
  for (const fault of ["corrupt", "gaps", "duplicates"]) {
    assert.ok(counters[fault] > 0, `${fault}: ${counters[fault]}`);
  }
  await assertRowCountNeverFell(page);
  await assertEqualsTables(page, server, id);
  assert.deepEqual(page.problems, []);
});
