// docs/BUNDLERS.md: its code in Node and in Chromium, its policy, and its versions by the report of the matrix.

import { strict as assert } from "node:assert";
import { cp, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { Server } from "../e2e/lib/server.mjs";
import { launch, open } from "./lib/browser.mjs";
import { bundlePages } from "./lib/bundle.mjs";
import { blocksOf, textOf, workplace } from "./lib/pages.mjs";
import { withPolicies } from "./lib/policy.mjs";

/** The files of the guide. */
const FILES = ["main.js", "import-map.html", "program.cjs", "worker.js", "in-worker.js"];
const blocks = await blocksOf("BUNDLERS.md");
const policy = blocks.find(({ language }) => language === "text").text.trim();
const files = Object.fromEntries(blocks.filter(({ name }) => name !== undefined).map(({ name, text }) => [name, text]));

/** The consumers of the report for each row of the table, and the package that has the version. */
const ROWS = {
  "Node, ESM and CommonJS": [/^node-/, "node"],
  Deno: [/^deno$/, "deno"],
  Bun: [/^bun$/, "bun"],
  Jest: [/^jest-/, "jest"],
  Vitest: [/^vitest-/, "vitest"],
  esbuild: [/^(esbuild|csp|module-worker|blob-worker)/, "esbuild"],
  Rollup: [/^rollup-/, "rollup"],
  webpack: [/^webpack-/, "webpack"],
  Parcel: [/^parcel/, "parcel"],
  Vite: [/^vite-/, "vite"],
  Next: [/^next-/, "next"],
  Nuxt: [/^nuxt-/, "nuxt"],
  SvelteKit: [/^sveltekit/, "@sveltejs/kit"],
  Angular: [/^angular/, "@angular/core"],
};

/** The part of a version that the table has: the major version, and the minor one where that breaks, too. */
const short = (version, minor) => version.split(".").slice(0, minor || version.startsWith("0.") ? 2 : 1).join(".");

let place, server, stop, browser;
before(async () => {
  place = await workplace("bundlers");
  const start = 'import { sync } from "./main.js";\nimport { follow } from "./in-worker.js";\nObject.assign(globalThis, { sync, follow });\n';
  await place.write({ ...files, "start.js": start });
  const pages = await bundlePages(place, { page: "start.js" });
  // The import map has the files of the package as they are.
  const mapped = `<!doctype html><html lang="en">${files["import-map.html"]}</html>`;
  await place.write({ "dist/import-map.html": mapped, "dist/main.js": `${files["main.js"]}globalThis.sync = sync;\n` });
  for (const part of ["dist", "campaign_sync_bg.wasm", "package.json"]) {
    await cp(new URL(`../../pkg/${part}`, import.meta.url), join(pages, "node_modules/campaign-sync", part), { recursive: true });
  }
  server = await Server.start([], pages);
  stop = await withPolicies(server.cablePort, server.port);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  stop?.();
  await server?.stop();
  await place.remove();
});

/** Opens a page under a policy, or under none. */
const openUnder = (path, csp = "") => open(browser, `${origin()}${path}?policy=${encodeURIComponent(csp)}`);
const origin = () => `http://127.0.0.1:${server.cablePort}`;

/** Follows a campaign in a page until it is live; returns the number of its rows. */
const rowsIn = (page, id) => page.evaluate(async (id) => {
  while (globalThis.sync === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
  const campaign = globalThis.sync.campaign(id);
  while (campaign.view().status !== "live") await new Promise((resolve) => setTimeout(resolve, 5));
  return campaign.domains().total;
}, id);

test("every block of the guide is a file, but the policy", () => {
  assert.deepEqual(Object.keys(files), FILES);
  assert.deepEqual(blocks.filter(({ name }) => name === undefined).map(({ language }) => language), ["text"]);
});

test("versions are those of the report", async () => {
  const { consumers } = JSON.parse(await readFile(new URL("../../docs/soak/matrix.json", import.meta.url), "utf8"));
  const good = consumers.filter(({ ok }) => ok);
  const expected = Object.entries(ROWS).map(([tool, [names, name]]) => {
    const versions = new Set(good.filter((it) => names.test(it.name)).map((it) => short(it.versions[name])));
    return [tool, [...versions].sort((a, b) => a - b).join(", ")];
  });
  const typescript = good.filter((it) => it.name.startsWith("typescript-")).map((it) => short(Object.values(it.versions)[0], true));
  expected.push(["TypeScript", typescript.join(", ")]);
  const table = (await textOf("BUNDLERS.md")).split("| tool | versions |\n| --- | --- |\n")[1];
  const found = table.trim().split("\n").map((line) => line.split("|").slice(1, 3).map((cell) => cell.trim()));
  assert.deepEqual(found, expected);
});

test("CommonJS form follows in Node", async () => {
  const { open: connect } = createRequire(join(place.directory, "x.cjs"))("./program.cjs");
  const id = await server.generated({ count: 5, rate: 5_000 });
  const sync = await connect(`${server.origin}/api/v2/ws`);
  const campaign = sync.campaign(id);
  await new Promise((resolve) => campaign.subscribe(() => campaign.view().status === "live" && resolve()));
  assert.equal(campaign.domains().total, 5);
  sync.close();
});

describe("in Chromium", { concurrency: true, timeout: 20_000 }, () => {
  test("bundled page follows under the policy of the guide", async () => {
    const id = await server.generated({ count: 5, rate: 5_000 });
    const page = await openUnder("/page.html", policy.replace("127.0.0.1:8080", new URL(origin()).host));
    assert.equal(await rowsIn(page, id), 5);
    assert.deepEqual(page.problems, []);
  });

  test("worker follows, and passes views on", async () => {
    const id = await server.generated({ count: 5, rate: 5_000 });
    const page = await open(browser, `${server.origin}/page.html`);
    await page.waitForFunction(() => globalThis.follow !== undefined);
    const seen = await page.evaluate((id) => new Promise((resolve) => globalThis.follow(id, ({ view, page }) =>
      view.status === "live" && resolve({ phase: view.campaign.currentPhase, total: page.total, rows: page.rows.length }))), id);
    assert.deepEqual(seen, { phase: "domain_generation", total: 5, rows: 5 });
  });

  test("import map takes the module from beside the code", async () => {
    const id = await server.generated({ count: 5, rate: 5_000 });
    const page = await openUnder("/import-map.html");
    assert.equal(await rowsIn(page, id), 5);
    const loaded = await page.evaluate(() => performance.getEntriesByType("resource").map(({ name }) => name).filter((name) => name.endsWith(".wasm")));
    assert.deepEqual(loaded, [`${origin()}/node_modules/campaign-sync/campaign_sync_bg.wasm`]);
  });

  test("policy without wasm-unsafe-eval is named by the error of init", async () => {
    const page = await openUnder("/page.html", policy.replace(" 'wasm-unsafe-eval'", ""));
    while (!page.problems.some((it) => it.includes("CampaignSyncError"))) await page.waitForTimeout(5);
    const problem = page.problems.find((it) => it.includes("CampaignSyncError"));
    assert.match(problem, /wasm-unsafe-eval/);
  });

  test("policy without the socket's address is named by the hint", async () => {
    const page = await openUnder("/page.html", "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'");
    await page.waitForFunction(() => globalThis.sync?.connection.hint !== undefined);
    assert.match(await page.evaluate(() => globalThis.sync.connection.hint), /policy/i);
  });
});
