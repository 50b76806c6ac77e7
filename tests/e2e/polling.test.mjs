// The demo page polls over REST while it cannot get a socket, and continues over the socket afterwards.

import { strict as assert } from "node:assert";
import { beforeEach, test } from "node:test";

import { withBrowser } from "./lib/fixture.mjs";
import { assertEqualsTables, assertRowCountNeverFell, caughtUp, metrics, open, receivedEvents,
  refresh, shows, until, view, watchRowCount } from "./lib/page.mjs";
import { Cable } from "./lib/proxy.mjs";
import { Server } from "./lib/server.mjs";

let browser, server, cable, id, page;

withBrowser((it) => { browser = it; }, () => [cable, server]);
beforeEach(async () => {
  server = await Server.start();
  cable = await Cable.to(server);
  id = await server.generated({ count: 300, rate: 5000 });
  page = await open(browser, cable.origin, id);
  await shows(page, "row-count", "300");
  await watchRowCount(page);
});

test("page polls the server's state while it cannot get a socket", async () => {
  cable.unplug();
  await server.act(id, "validate-dns");
  await server.reaches(id, "dns_validation", "completed");
  await until(page, ({ staleReason }) => staleReason === "polling");
  // A poll that began earlier may have returned an earlier state.
  await until(page, ({ campaign }) => campaign.phaseStatus === "completed", 60_000, refresh);
  assert.equal((await view(page)).status, "stale", "REST proves nothing about what follows");
  await assertEqualsTables(page, server, id);
  const requests = (await metrics(page)).recoveryRequests;

  cable.plug();
  await caughtUp(page, server, id);
  await server.act(id, "configure-http");
  await caughtUp(page, server, id);
  await assertEqualsTables(page, server, id);
  const phases = (await receivedEvents(page, "phasetransition")).map(({ newPhase }) => newPhase);
  assert.deepEqual(phases, ["dns_validation", "http_keyword_validation"], "each transition once");
  const { recoveryRequests, snapshots, divergences } = await metrics(page);
  assert.ok(recoveryRequests.reconnect > requests.reconnect, "the socket goes on from the fetched state");
  assert.deepEqual([divergences, recoveryRequests.divergence, recoveryRequests.gap], [0, 0, 0]);
  assert.ok(snapshots >= 1, `${snapshots} snapshots`);
  await assertRowCountNeverFell(page);
  assert.deepEqual(page.problems, []);
});

// R16.11
test("page keeps its state if a polled answer is damaged or missing", async () => {
  const state = await (await fetch(`${server.origin}/api/v2/campaigns/${id}/snapshot`)).json();
  const { epoch, sequenceNumber, ...unplaced } = state;
  const text = JSON.stringify(state);
  const json = (body) => (route) => route.fulfill({ contentType: "application/json", body });
  const answers = [
    ["fetch_failed", (route) => route.abort()],
    ["fetch_failed", (route) => route.fulfill({ status: 502, contentType: "text/html", body: "<h1>Bad Gateway</h1>" })],
    ["fetch_failed", (route) => route.fulfill({ contentType: "text/html", body: "<title>Sign in</title>" })],
    ["fetch_failed", json(text.slice(0, text.length / 2))],
    ["invalid_content", json(JSON.stringify(unplaced))],
    ["invalid_snapshot", json(JSON.stringify({ ...state, sequenceNumber: sequenceNumber + 1, domains: state.domains.slice(1) }))],
    ["invalid_content", json(JSON.stringify({ ...state, campaignId: "another" }))],
  ];
  let answer = answers[0][1];
  await page.route("**/snapshot*", (route) => answer(route));
  cable.unplug();
  await server.act(id, "configure-dns");
  await until(page, ({ refused }) => refused.fetch_failed >= 1, 60_000, metrics);
  const before = await view(page);
  for (const [code, next] of answers) {
    answer = next;
    const { refused: { [code]: count = 0 } } = await metrics(page);
    await until(page, ({ refused }) => refused[code] > count, 60_000, async () => {
      await refresh(page);
      return metrics(page);
    });
  }
  const { position, campaign, domainsCount, status, staleReason } = await view(page);
  assert.deepEqual([position, campaign, domainsCount], [before.position, before.campaign, 300]);
  assert.deepEqual([status, staleReason], ["stale", "disconnected"]);

  await page.unroute("**/snapshot*");
  await until(page, ({ campaign }) => campaign.currentPhase === "dns_validation", 60_000, refresh);
  await assertEqualsTables(page, server, id);
  await assertRowCountNeverFell(page);
  assert.deepEqual(page.problems, []);
});
