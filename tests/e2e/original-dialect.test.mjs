// A page with `campaign-sync/original` and a server that speaks as the original's did, which numbers
// nothing that could be relied on and sends nothing again. Sockets are cut and the server is killed;
// the page ends with what the server's tables hold.

import { strict as assert } from "node:assert";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { assertRowsEqual, launch, metrics, until, view } from "./lib/page.mjs";
import { Cable } from "./lib/proxy.mjs";
import { Server } from "./lib/server.mjs";

const pkg = fileURLToPath(new URL("../../pkg/", import.meta.url));

const PAGE = `
  import { CampaignSync } from "./dist/index.js";
  import { init, restSnapshots } from "./dist/original.js";

  await init();
  const sync = new CampaignSync({ url: "/api/v2/ws", fetchSnapshot: restSnapshots() });
  const campaign = sync.campaign("c1");
  globalThis.counts = [];
  globalThis.statuses = [];
  globalThis.phases = [];
  campaign.subscribe(() => {
    const { domainsCount, status } = campaign.view();
    globalThis.counts.push(domainsCount);
    globalThis.statuses.push(status);
  });
  sync.addEventListener("phasetransition", ({ detail }) => globalThis.phases.push(detail.newPhase));
  globalThis.__campaignSync = { sync, campaign };
  sync.connect();
`;

let browser, server, cable, directory;

before(async () => {
  browser = await launch();
  directory = await mkdtemp(join(tmpdir(), "campaign-sync-page-"));
  await writeFile(join(directory, "index.html"), `<script type="module" src="page.js"></script>`);
  await writeFile(join(directory, "page.js"), PAGE);
  for (const part of ["dist", "wasm"]) await symlink(join(pkg, part), join(directory, part));
});
after(async () => {
  await browser.close();
  cable?.close();
  await server?.stop();
  await rm(directory, { recursive: true, force: true });
});

/** Waits until the server's own table says so. */
async function reaches(phase) {
  const query = "SELECT current_phase AS phase, phase_status AS status FROM campaigns WHERE campaign_id = 'c1'";
  await until(server, (row) => row.phase === phase && row.status === "completed", 120_000,
    async () => (await server.sql(query))[0]);
}

test("all phases, five cuts and two kills later the page holds what the server's table holds", async () => {
  server = await Server.start(["--dialect", "original"], directory);
  cable = await Cable.to(server);
  for (const campaignId of ["c1", "c2"]) {
    await server.api("/campaigns", { campaignId, name: "Test", count: 600, rate: 300 });
  }
  const page = await browser.newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  await page.goto(cable.origin);
  await page.waitForFunction(() => globalThis.__campaignSync?.campaign.view()?.campaign);

  await server.act("c1", "start");
  await server.act("c2", "start");
  for (const count of [100, 250, 400]) {
    await until(page, (view) => view.domainsCount >= count);
    await until(page, () => cable.sockets.size > 0);
    cable.cut();
  }
  await reaches("domain_generation");
  for (const [configure, start, phase] of [["configure-dns", "validate-dns", "dns_validation"],
    ["configure-http", "validate-http", "http_keyword_validation"]]) {
    await server.act("c1", configure);
    await server.act("c1", start);
    await until(page, ({ campaign }) => campaign.currentPhase === phase && campaign.processedItems > 50);
    await server.kill();
    await server.run();
    await until(page, () => cable.sockets.size > 0);
    cable.cut();
    await reaches(phase);
  }
  await server.act("c1", "configure-analysis");
  await server.act("c1", "analyze");
  await until(page, ({ campaign: { currentPhase, phaseStatus } }) =>
    currentPhase === "analysis" && phaseStatus === "completed", 120_000);

  // No message of that dialect tells of leads: they come with the next snapshot.
  const before = (await metrics(page)).snapshots;
  await page.evaluate(() => globalThis.dispatchEvent(
    new CustomEvent("force_campaign_refresh", { detail: { campaignId: "c1" } })));
  await until(page, (metrics) => metrics.snapshots > before, 60_000, metrics);
  await assertRowsEqual(page, server, "c1");

  const { campaign, totalDomainCount } = await view(page);
  assert.deepEqual([campaign.currentPhase, totalDomainCount], ["analysis", 600]);
  const { counts, statuses, phases } = await page.evaluate(
    () => ({ counts: globalThis.counts, statuses: globalThis.statuses, phases: globalThis.phases }));
  counts.forEach((count, at) => assert.ok(at === 0 || count >= counts[at - 1], `rows fell: ${counts}`));
  assert.ok(!statuses.includes("live"), "nothing is proven there");
  assert.deepEqual(phases, ["dns_validation", "http_keyword_validation", "analysis"]);
  const { disconnects, refused: { fetch_failed: _whileKilled, ...refused }, unknownTypes } = await metrics(page);
  assert.ok(disconnects >= 5, `${disconnects} disconnects`);
  assert.deepEqual([refused, unknownTypes], [{}, 0]);
  assert.deepEqual(problems, []);
});
