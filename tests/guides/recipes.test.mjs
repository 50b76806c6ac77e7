// docs/RECIPES.md: each recipe as the page has it, in Chromium, against the reference server.

import { strict as assert } from "node:assert";
import { after, before, describe, test } from "node:test";

import { Server } from "../e2e/lib/server.mjs";
import { launch, open } from "./lib/browser.mjs";
import { bundlePages } from "./lib/bundle.mjs";
import { blocksOf, compile, workplace } from "./lib/pages.mjs";

const MAINS = { zustand: "zustand-main.tsx", swr: "swr-main.tsx", vue: "vue-main.ts", svelte: "svelte-main.ts" };
const blocks = await blocksOf("RECIPES.md");

// One server cuts its sockets, the other one does not.
let place, server, cutting, browser;
before(async () => {
  place = await workplace("recipes");
  await place.copy("recipes");
  const files = Object.fromEntries(blocks.map(({ name, text }) => [name, text]));
  // Tests do not wait for five seconds.
  files["client.ts"] = files["client.ts"].replace('"/api/v2/ws"', '"/api/v2/ws", lingerMs: 20');
  await place.write(files);
  const pages = await bundlePages(place, MAINS, { frameworks: true });
  [server, cutting] = [await Server.start([], pages), await Server.start([], pages)];
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
  await cutting?.stop();
  await place.remove();
});

test("every block of the recipes is a file", () => {
  assert.deepEqual(blocks.map(({ name }) => name), ["client.ts", "follow.ts", "zustand.ts", "zustand-campaign.tsx", "swr.ts", "swr-campaign.tsx",
    "vue.ts", "VueCampaign.vue", "svelte.svelte.ts", "SvelteCampaign.svelte"]);
});

test("each recipe has at most twenty lines", () => {
  for (const name of ["zustand.ts", "swr.ts", "vue.ts", "svelte.svelte.ts"]) {
    const { text } = blocks.find((it) => it.name === name);
    const lines = text.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("//"));
    assert.ok(lines.length <= 20, `${name} has ${lines.length} lines`);
  }
});

test("files of the recipes compile", async () => {
  const shims = 'declare module "*.vue" { const it: import("vue").Component; export default it; }\n' +
    'declare module "*.svelte" { const it: import("svelte").Component<{ id: string }>; export default it; }\n';
  await place.write({ "shims.d.ts": shims, "runes.d.ts": '/// <reference types="svelte" />\n' });
  assert.equal(await compile(place.directory, ["*.ts", "*.tsx"]), "");
});

/** Waits until the text of the page holds for `check`, which runs in the page. */
const shows = (page, pattern) => page.waitForFunction((source) => new RegExp(source).test(document.body.innerText), pattern.source);
const status = (page, text) => page.getByRole("status").filter({ hasText: text }).waitFor();

for (const name of Object.keys(MAINS)) describe(name, { concurrency: true }, () => {
  test("campaign with its rows is live, and follows changes", async () => {
    const page = await open(browser, `${server.origin}/${name}.html#deep`);
    const id = await server.generated({ count: 40, rate: 5_000, name: `Of ${name}` });
    await page.evaluate((id) => stage.mount(id), id);
    await page.getByRole("heading", { name: `Of ${name}` }).waitFor();
    await status(page, "live");
    await page.waitForFunction(() => document.querySelectorAll("li").length === 40);
    const { json } = await server.api(`/campaigns/${id}/domains?limit=100`, undefined);
    assert.deepEqual(await page.locator("li").allInnerTexts().then((all) => all.map((it) => it.trim())), json.domains.map((it) => it.domain));
    await server.act(id, "configure-dns");
    await server.act(id, "validate-dns");
    await server.reaches(id, "dns_validation", "completed");
    await shows(page, /dns_validation: 100 %/);
    await page.waitForFunction(() => [...document.querySelectorAll("li")].every((it) => / \w+$/.test(it.innerText)));
    const phases = await page.evaluate(() => stage.phases.filter((it) => it));
    assert.deepEqual(phases, ["domain_generation", "dns_validation"], "one render for each phase");
    if (name === "vue") await shows(page, /Of vue: 5 rows, live/);
    assert.deepEqual(page.problems, []);
    await page.close();
  });

  test("cut socket loses nothing", async () => {
    const page = await open(browser, `${cutting.origin}/${name}.html`);
    const id = await cutting.generated({ count: 40, rate: 5_000, name: "Cut" });
    await page.evaluate((id) => stage.mount(id), id);
    await status(page, "live");
    await cutting.api("/faults/cut", {});
    await cutting.act(id, "configure-dns");
    await shows(page, /dns_validation: 0 %/);
    await status(page, "live");
    assert.equal(await page.locator("li").count(), 40);
    assert.equal(page.sockets.length, 2);
    await page.close();
  });

  test("unmount leaves no subscription and no live status", async () => {
    const page = await open(browser, `${server.origin}/${name}.html`);
    const id = await server.generated({ count: 5, rate: 5_000 });
    await page.evaluate((id) => stage.mount(id), id);
    await status(page, "live");
    await page.evaluate(() => stage.unmount());
    assert.equal(await page.evaluate(async (id) => (await stage.client()).view(id) === undefined, id), true);
    while (!page.sent.some((it) => it.includes("unsubscribe_campaign"))) await page.waitForTimeout(5);
    await page.evaluate((id) => (stage.statuses.length = 0, stage.mount(id)), id);
    await status(page, "live");
    assert.equal(await page.evaluate(() => stage.statuses[0]), "idle");
    await page.evaluate(() => stage.unmount());
    await page.evaluate(async () => (await stage.client()).close());
    while (page.sockets.some((it) => !it.isClosed())) await page.waitForTimeout(5);
    assert.deepEqual(page.problems, []);
    await page.close();
  });

  test("component that is left before the client exists holds nothing", async () => {
    const page = await open(browser, `${server.origin}/${name}.html`);
    const left = await page.evaluate(async () => {
      stage.mount("left-early");
      await new Promise((resolve) => requestAnimationFrame(resolve));
      stage.unmount();
      return (await stage.client()).view("left-early") === undefined;
    });
    assert.equal(left, true);
    await page.close();
  });

  test("invalid id is a view with a code", async () => {
    const page = await open(browser, `${server.origin}/${name}.html`);
    await page.evaluate(() => stage.mount("no/id"));
    await status(page, "invalid_campaign_id");
    assert.deepEqual(page.problems, []);
    await page.close();
  });
});
