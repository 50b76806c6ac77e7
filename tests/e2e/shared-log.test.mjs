// Moves a page between two servers that share a log over NATS JetStream.

import { strict as assert } from "node:assert";
import { beforeEach, test } from "node:test";

import { withBrowser } from "./lib/fixture.mjs";
import { Nats } from "./lib/nats.mjs";
import { assertEqualsTables, assertRowCountNeverFell, caughtUp, metrics, open, receivedEvents,
  shows, until, watchRowCount, withoutRest } from "./lib/page.mjs";
import { Cable } from "./lib/proxy.mjs";
import { Server } from "./lib/server.mjs";

let browser, nats, one, two, cable;

withBrowser((it) => { browser = it; }, () => [cable, one, two, nats]);
beforeEach(async () => {
  nats = await Nats.start();
  const log = ["--log", nats.place];
  one = await Server.start(log);
  cable = await Cable.to(one);
  two = await Server.start([...log, "--origin", cable.origin]);
});

test("page moves between servers of a shared log without a gap after one is killed", async () => {
  const id = await one.generated({ count: 400, rate: 200 });
  const page = await open(browser, cable.origin, id);
  await shows(page, "row-count", "400");
  await watchRowCount(page);
  // Without REST, the page can recover missed events over the socket only.
  await withoutRest(page);

  await two.act(id, "validate-dns");
  await until(page, (view) => view.campaign.currentPhase === "dns_validation"
    && view.campaign.processedItems > 0);
  await one.kill();
  cable.leadTo(two);
  await two.reaches(id, "dns_validation", "completed");
  await caughtUp(page, two, id);
  await assertEqualsTables(page, two, id);

  await two.act(id, "validate-http");
  await one.run();
  await until(page, (view) => view.campaign.currentPhase === "http_keyword_validation");
  cable.leadTo(one);
  await one.reaches(id, "http_keyword_validation", "completed");
  await caughtUp(page, one, id);
  await assertEqualsTables(page, one, id);

  const phases = (await receivedEvents(page, "phasetransition")).map((event) => event.newPhase);
  assert.deepEqual(phases, ["dns_validation", "http_keyword_validation"], "each transition once");
  const counters = await metrics(page);
  for (const wrong of ["gaps", "corrupt", "divergences", "outOfOrder", "retiredEpoch", "repairs"]) {
    assert.equal(counters[wrong], 0, wrong);
  }
  assert.ok(counters.recoveryRequests.reconnect >= 2, "it came back twice");
  await assertRowCountNeverFell(page);
  assert.deepEqual(page.problems, []);
});
