// The list of campaigns on the demo page: it follows the server without polling.

import { strict as assert } from "node:assert";
import { beforeEach, test } from "node:test";

import { withBrowser } from "./lib/fixture.mjs";
import { open, until } from "./lib/page.mjs";
import { Server } from "./lib/server.mjs";

let browser, server;

withBrowser((it) => { browser = it; }, () => [server]);
beforeEach(async () => { server = await Server.start(); });

/** The options of the select box, by the id of their campaign. */
const options = (page) => page.evaluate(() =>
  Object.fromEntries([...document.querySelector("#campaign-picker").options].map((it) => [it.value, it.textContent])));

const create = (name) => server.create({ campaignId: name, name, count: 20, rate: 20_000 });
const remove = (name) => server.api(`/campaigns/${name}`, {}, "DELETE");

test("list of 300 campaigns loads and follows every change", async () => {
  for (let n = 0; n < 300; n += 1) await create(`campaign-${String(n).padStart(3, "0")}`);
  const page = await open(browser, server.origin, "campaign-000");
  const requests = [];
  page.on("request", (request) => requests.push(request.url()));
  await until(page, (list) => Object.keys(list).length === 300, 60_000, options);

  await create("fresh");
  await until(page, (list) => list.fresh?.startsWith("fresh: "), 60_000, options);
  await server.act("fresh", "start");
  await until(page, (list) => list.fresh === "fresh: Domain generation, completed", 60_000, options);
  await server.act("fresh", "configure-dns");
  await until(page, (list) => list.fresh === "fresh: DNS validation, configured", 60_000, options);
  await remove("fresh");
  await until(page, (list) => list.fresh === undefined && Object.keys(list).length === 300, 60_000, options);

  const { json: listed } = await server.api("/campaigns?limit=1000");
  assert.deepEqual(Object.keys(await options(page)), listed.campaigns.map(({ campaignId }) => campaignId));
  assert.deepEqual(requests.filter((url) => /campaigns(\?|$)/.test(url)), [], "the page does not poll the list");
  const metrics = await page.evaluate(() => globalThis.__campaignSync.sync.metrics());
  assert.equal(metrics.catalogueSnapshots, 1);
  assert.deepEqual(page.problems, []);
});

test("list of the page is live again after a cut, with what it missed", async () => {
  await create("one");
  await create("two");
  const page = await open(browser, server.origin, "one");
  await until(page, (list) => list.two !== undefined, 60_000, options);
  await page.evaluate(() => globalThis.__campaignSync.sync.pause());
  await create("three");
  await remove("two");
  await page.evaluate(() => globalThis.__campaignSync.sync.resume());
  await until(page, (list) => list.three !== undefined && list.two === undefined, 60_000, options);
  const metrics = await page.evaluate(() => globalThis.__campaignSync.sync.metrics());
  assert.equal(metrics.catalogueSnapshots, 1, "the server remembered");
});
