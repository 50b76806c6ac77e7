// docs/CACHING.md: its code in Chromium, against the reference server.

import { strict as assert } from "node:assert";
import { after, before, describe, test } from "node:test";

import { Server } from "../e2e/lib/server.mjs";
import { launch, open } from "./lib/browser.mjs";
import { bundlePages } from "./lib/bundle.mjs";
import { blocksOf, compile, workplace } from "./lib/pages.mjs";

/** The files of the guide. */
const FILES = ["setup.ts", "export.ts", "own-fetcher.ts", "write.ts", "own-cache.ts", "swr.tsx"];
const blocks = await blocksOf("CACHING.md");
const ROWS = 20;

let place, server, browser;
before(async () => {
  place = await workplace("caching");
  await place.copy("caching-main.tsx", "main.tsx");
  await place.write(Object.fromEntries(blocks.map(({ name, text }) => [name, text])));
  const pages = await bundlePages(place, { caching: "main.tsx" });
  server = await Server.start([], pages);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
  await place.remove();
});

/** Opens the page and creates a campaign with its rows. Counts the reads of campaigns over REST. */
async function start() {
  const id = await server.generated({ count: ROWS, rate: 5_000 });
  const page = await open(browser, `${server.origin}/caching.html`);
  await page.waitForFunction(() => globalThis.page !== undefined);
  page.reads = [];
  page.on("request", (it) => it.method() === "GET" && it.url().includes("/campaigns/") && page.reads.push(it.url()));
  return { page, id };
}

test("code of the guide compiles", async () => {
  assert.deepEqual(blocks.map(({ name }) => name), FILES);
  assert.equal(await compile(place.directory), "");
});

describe("guide", { concurrency: true }, () => {
  test("campaign that is not held comes from the server each time", async () => {
    const { page, id } = await start();
    for (let times = 1; times <= 2; times += 1) {
      const text = await page.evaluate((id) => globalThis.page.exportDomains(id), id);
      assert.equal(text.split("\n").length, 1 + ROWS);
      assert.equal(page.reads.length, times);
    }
    assert.equal(await page.evaluate(() => globalThis.page.cache.size), 0);
    await page.close();
  });

  test("live campaign is one frozen object without a request, until it changes", async () => {
    const { page, id } = await start();
    const seen = await page.evaluate(async (id) => {
      const { live, getRichCampaignData } = globalThis.page;
      await live(id);
      const first = await getRichCampaignData(id);
      globalThis.first = first;
      return { same: first === (await getRichCampaignData(id)), frozen: Object.isFrozen(first.domains), rows: first.domains.length };
    }, id);
    assert.deepEqual(seen, { same: true, frozen: true, rows: ROWS });
    await server.act(id, "configure-dns");
    await page.waitForFunction((id) => globalThis.page.sync.view(id).campaign.currentPhase === "dns_validation", id);
    const phase = await page.evaluate(async (id) => (await globalThis.page.getRichCampaignData(id)).campaign.currentPhase, id);
    assert.equal(phase, "dns_validation");
    assert.deepEqual(page.reads, []);
    await page.close();
  });

  test("stored answer of the fetcher lasts until its rows change", async () => {
    const { page, id } = await start();
    await page.evaluate((id) => globalThis.page.live(id), id);
    const names = () => page.evaluate(async (id) => (await globalThis.page.names(id)).length, id);
    assert.equal(await names(), ROWS);
    assert.equal(await names(), ROWS);
    assert.equal(page.reads.length, 1);
    // The page listens before the server acts.
    await page.evaluate((id) => globalThis.page.sync.addEventListener("cacheinvalidated",
      ({ detail }) => (globalThis.voided ||= detail.campaignId === id && detail.reason === "rows")), id);
    await server.act(id, "validate-dns");
    await page.waitForFunction(() => globalThis.voided);
    await server.reaches(id, "dns_validation", "completed");
    assert.equal(await names(), ROWS);
    assert.ok(page.reads.length > 1, "fetched again");
    await page.close();
  });

  test("write is shown when its position is reached", async () => {
    const { page, id } = await start();
    assert.equal(await page.evaluate((id) => globalThis.page.act(id, "configure-dns"), id), "dns_validation");
    await page.close();
  });

  test("write of a page that does not follow is in the next answer", async () => {
    const { page, id } = await start();
    assert.equal(await page.evaluate((id) => globalThis.page.actElsewhere(id, "configure-dns"), id), "dns_validation");
    await page.close();
  });

  test("own cache is empty before any listener runs", async () => {
    const { page, id } = await start();
    const found = page.evaluate(async (id) => {
      const { live, notes, sync } = globalThis.page;
      await live(id);
      notes.set(id, "old").set("another", "kept");
      return new Promise((resolve) => sync.addEventListener("phasetransition", ({ detail }) => detail.initial || resolve([...notes.keys()])));
    }, id);
    await page.waitForFunction(() => globalThis.page.notes.size === 2);
    await server.act(id, "configure-dns");
    assert.deepEqual(await found, ["another"]);
    await page.close();
  });

  test("SWR fetches again after a transition", async () => {
    const { page, id } = await start();
    await page.evaluate(async (id) => (await globalThis.page.live(id), globalThis.page.showSwr(id)), id);
    await page.getByText("domain_generation: 0 resolved").waitFor();
    await server.act(id, "validate-dns");
    await server.reaches(id, "dns_validation", "completed");
    const [{ resolved }] = await server.sql("SELECT count(*) AS resolved FROM domains WHERE campaign_id = ? AND dns_status = 'resolved'", id);
    await page.getByText(`dns_validation: ${resolved} resolved`).waitFor();
    assert.deepEqual(page.problems, []);
    await page.close();
  });
});
