// Tests a page that uses the entry for sealed content, in a real browser, over a real socket, against the real server
// with `--encrypt-keys`.

import { strict as assert } from "node:assert";
import { randomBytes } from "node:crypto";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";

import { withBrowser } from "./lib/fixture.mjs";
import { assertEqualsTables, caughtUp, metrics, refresh, sleep, until, view } from "./lib/page.mjs";
import { Cable } from "./lib/proxy.mjs";
import { Server } from "./lib/server.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = join(here, "../..");
const keys = { "2031-a": randomBytes(32), "2031-b": randomBytes(32) };

let browser, directory, server;

withBrowser((it) => { browser = it; }, () => [server]);
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "campaign-sync-"));
  // esbuild is a development dependency of the package.
  const { build } = createRequire(join(root, "pkg/package.json"))("esbuild");
  await build({
    entryPoints: [join(here, "encrypted-page/main.js")], bundle: true, format: "esm",
    target: "es2022", outfile: join(directory, "main.js"), logLevel: "warning",
  });
  await copyFile(join(here, "encrypted-page/index.html"), join(directory, "index.html"));
});
after(() => rm(directory, { recursive: true, force: true }));
beforeEach(async () => {
  server = await Server.start(["--encrypt-keys", await keyFile("2031-a")], directory);
});

/** Writes a key file for the server. The server seals with the first key. */
async function keyFile(...kids) {
  const file = join(directory, `keys-${kids.join("-")}`);
  await writeFile(file, kids.map((kid) => `${kid}:${keys[kid].toString("base64")}\n`).join(""));
  return file;
}

/** Opens the page and records everything that reaches the browser. */
const open = (id, ...kids) => openAt(server.origin, id, ...kids);

async function openAt(origin, id, ...kids) {
  const page = await browser.newPage();
  page.problems = [];
  page.received = [];
  page.on("pageerror", (error) => page.problems.push(String(error)));
  page.on("websocket", (socket) =>
    socket.on("framereceived", ({ payload }) => page.received.push(String(payload))));
  page.on("response", async (answer) => {
    if (answer.url().includes("/api/v2/campaigns")) page.received.push(await answer.text());
  });
  await page.goto(origin);
  await page.waitForFunction(() => globalThis.start !== undefined);
  await page.evaluate(([id, given]) => {
    globalThis.start(id, Object.fromEntries(given.map(([kid, key]) => [kid, new Uint8Array(key)])));
  }, [id, kids.map((kid) => [kid, [...keys[kid]]])]);
  return page;
}

/** Waits until the campaign is in a phase and status. It reads the server's tables, because REST answers are sealed. */
async function reaches(id, phase, status = "completed") {
  for (;;) {
    const [row] = await server.sql(`SELECT current_phase AS phase, phase_status AS status
      FROM campaigns WHERE campaign_id = ?1`, id);
    if (row?.phase === phase && row.status === status) return;
    await sleep(50);
  }
}

const create = (id, count) => server.api("/campaigns", {
  campaignId: id, name: "Secret Orchard", count, rate: 2_000, batch: 20, seed: 1, pattern: "zebra-{n}.example",
});

const PHASES = [["start", "domain_generation"], ["validate-dns", "dns_validation"],
  ["validate-http", "http_keyword_validation"], ["analyze", "analysis"]];

// R19.15
test("page follows a sealed campaign through all phases and receives nothing plain", async () => {
  await create("c1", 400);
  const page = await open("c1", "2031-a");
  for (const [action, phase] of PHASES) {
    await server.act("c1", action);
    await until(page, ({ campaign }) => campaign?.currentPhase === phase && campaign.phaseStatus === "completed");
    await caughtUp(page, server, "c1");
    await assertEqualsTables(page, server, "c1");
  }
  const shown = await view(page);
  assert.deepEqual([shown.campaign.name, shown.domainsCount, shown.error], ["Secret Orchard", 400, null]);

  const rich = await page.evaluate(() => globalThis.__campaignSync.cache.get("c1", { source: "fetch" }));
  assert.deepEqual([rich.domains.length, rich.campaign.name, rich.partial], [400, "Secret Orchard", false]);
  assert.equal(rich.position.sequenceNumber, shown.position.sequenceNumber);

  const again = await open("c1", "2031-a");
  await caughtUp(again, server, "c1");
  await assertEqualsTables(again, server, "c1");

  const received = [...page.received, ...again.received].join("\n");
  assert.ok(received.includes('"sealed":"') && received.length > 10_000);
  for (const word of ["zebra-", "Secret Orchard", "domainId", "currentPhase"]) {
    assert.ok(!received.includes(word), `${word} reached the browser`);
  }
  const { refused, corrupt, gaps } = await metrics(page);
  assert.deepEqual([refused, corrupt, gaps], [{}, 0, 0]);
  const logged = await page.evaluate(() => JSON.stringify([globalThis.records, globalThis.__campaignSync.sync.diagnostics()]));
  for (const key of Object.values(keys)) {
    for (const form of [key.toString("base64"), key.toString("hex"), [...key].join()]) assert.ok(!logged.includes(form));
  }
  assert.deepEqual([...page.problems, ...again.problems], []);
});

// R19.13
test("page waits for a missing key and continues without a loss", async () => {
  await create("c1", 200);
  await server.act("c1", "start");
  await reaches("c1", "domain_generation");
  const page = await open("c1", "2031-a");
  await caughtUp(page, server, "c1");
  const before = await view(page);

  await server.kill();
  server.options = ["--encrypt-keys", await keyFile("2031-b", "2031-a")];
  await server.run();
  await server.act("c1", "validate-dns");
  await reaches("c1", "dns_validation");
  await until(page, ({ status, code }) => status === "failed" && code === "unknown_key");
  const waiting = await view(page);
  assert.deepEqual(waiting.position, before.position);
  assert.equal(waiting.domainsCount, 200, "what was shown stays");
  const unknownKey = await page.evaluate(() => globalThis.receivedEvents.find(({ type }) => type === "unknownkey"));
  assert.deepEqual(unknownKey, { type: "unknownkey", campaignId: "c1", campaignName: before.campaign.name, kid: "2031-b" });

  await page.evaluate((key) => globalThis.__campaignSync.sync.addKey("2031-b", new Uint8Array(key)), [...keys["2031-b"]]);
  await caughtUp(page, server, "c1");
  await assertEqualsTables(page, server, "c1");
  assert.equal((await view(page)).campaign.currentPhase, "dns_validation");
});

// R19.14
test("page shows an error and no content if a key has other bytes", async () => {
  await create("c1", 50);
  await server.act("c1", "start");
  await reaches("c1", "domain_generation");
  keys["2031-a"].reverse();
  const page = await open("c1", "2031-a");
  keys["2031-a"].reverse();
  await until(page, (view) => view.error?.code === "seal_broken");
  const shown = await view(page);
  assert.deepEqual([shown.campaign, shown.domainsCount], [null, 0]);
  assert.notEqual(shown.status, "live");
  await page.evaluate((key) => globalThis.__campaignSync.sync.addKey("2031-a", new Uint8Array(key)), [...keys["2031-a"]]);
  await caughtUp(page, server, "c1");
  await assertEqualsTables(page, server, "c1");
});

test("page polls sealed states while it cannot get a socket", async (t) => {
  await create("c1", 100);
  await server.act("c1", "start");
  await reaches("c1", "domain_generation");
  const cable = await Cable.to(server);
  t.after(() => cable.close());
  const page = await openAt(cable.origin, "c1", "2031-a");
  await caughtUp(page, server, "c1");
  const before = await view(page);

  // The first answers are those of another campaign and one without a seal. The client refuses both.
  await create("c2", 10);
  const other = JSON.stringify((await server.api("/campaigns/c2/snapshot")).json);
  const plain = JSON.stringify({ ...before, campaignId: "c1", epoch: before.position.epoch, sequenceNumber: 999, domains: [] });
  const answers = [["seal_broken", other], ["not_sealed", plain]];
  let body = other;
  await page.route("**/snapshot*", (route) => route.fulfill({ contentType: "application/json", body }));
  cable.unplug();
  await server.act("c1", "validate-dns");
  await reaches("c1", "dns_validation");
  await until(page, ({ refused }) => refused.seal_broken >= 1, 60_000, metrics);
  for (const [code, answer] of answers) {
    body = answer;
    const { refused: { [code]: count = 0 } } = await metrics(page);
    await until(page, ({ refused }) => refused[code] > count, 60_000, async () => {
      await refresh(page);
      return metrics(page);
    });
  }
  assert.deepEqual((await view(page)).position, before.position);
  await page.unroute("**/snapshot*");
  page.received.length = 0;

  await until(page, ({ campaign }) => campaign.currentPhase === "dns_validation" && campaign.phaseStatus === "completed",
    60_000, refresh);
  await until(page, ({ staleReason }) => staleReason === "polling");
  await assertEqualsTables(page, server, "c1");
  const received = page.received.join("\n");
  assert.ok(received.includes('"sealed":"'));
  for (const word of ["zebra-", "Secret Orchard", "domainId"]) assert.ok(!received.includes(word), `${word} reached the browser`);

  cable.plug();
  await caughtUp(page, server, "c1");
  await assertEqualsTables(page, server, "c1");
  assert.deepEqual(page.problems, []);
});
