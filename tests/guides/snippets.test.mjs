// The blocks of code that are parts of a program, in the READMEs and in docs/ENCRYPTION.md, docs/ERRORS.md,
// docs/DEVELOPMENT.md and docs/IDENTITY.md: completed by the files of `snippets`, in Chromium, against the reference server.

import { strict as assert } from "node:assert";
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { Cable } from "../e2e/lib/proxy.mjs";
import { Server } from "../e2e/lib/server.mjs";
import { launch, open as openPage } from "./lib/browser.mjs";
import { bundlePages } from "./lib/bundle.mjs";
import { compile, workplace } from "./lib/pages.mjs";
import { completed } from "./lib/snippets.mjs";

const ROWS = 20;
const ID = "my-campaign";
/** Files that others import. */
const SHARED = ["client.ts", "stage.ts"];
const USER = { user: "ada-l", password: "correct horse" };
const HASH = "$argon2id$v=19$m=8,t=1,p=1$c2FsdCBvZiBhZGE$fu6ySt22cePflwe47YpqBE8zXah/JVm0EUJqxTP7e04";

const { files } = await completed();
const mains = Object.fromEntries(Object.keys(files).filter((name) => !SHARED.includes(name)).map((name) => [name.split(".")[0], name]));

let place, pages, browser;
before(async () => {
  place = await workplace("snippets");
  await place.write(files);
  pages = await bundlePages(place, mains);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await place.remove();
});

/** Runs `test` with a new server, on which `ids` are campaigns with their rows, and a new context of the browser. */
async function withServer(options, ids, test) {
  const server = await Server.start(options, pages);
  const context = await browser.newContext();
  try {
    for (const campaignId of ids) await server.generated({ campaignId, name: campaignId, count: ROWS, rate: 5_000, pattern: "shop-{n}.example" });
    await test(server, context);
  } finally {
    await context.close();
    await server.stop();
  }
}

/** Waits until a condition holds. */
async function until(page, condition) {
  while (!(await condition())) await page.waitForTimeout(5);
}

/** Returns what the page of a snippet shows of its variables, when it is at its end. */
async function shown(page) {
  await page.waitForFunction(() => globalThis.page !== undefined);
  return page.evaluate(() => JSON.parse(JSON.stringify(globalThis.page)));
}

const campaignIs = (page, status) => page.waitForFunction((status) => globalThis.page?.campaign.view().status === status, status);
const isIn = (page, phase) => page.waitForFunction((phase) => {
  const { status, campaign } = globalThis.page.campaign.view();
  return status === "live" && campaign.currentPhase === phase;
}, phase);
const shows = (page, text) => page.getByText(text).waitFor();

/** Validates the DNS of a campaign, until its phase is completed. */
async function validate(server, id) {
  await server.act(id, "validate-dns");
  await server.reaches(id, "dns_validation", "completed");
  const [{ resolved }] = await server.sql("SELECT count(*) AS resolved FROM domains WHERE campaign_id = ? AND dns_status = 'resolved'", id);
  return resolved;
}

/** The effects of each program. `run` gets its page and its server, `prepare` the context of the browser. */
const RUNS = {
  "readme-first": { ids: ["spring-1"], async run(page, server) {
    const resolved = await validate(server, "spring-1");
    assert.ok(resolved > 0);
    await until(page, () => page.said.some((it) => it.startsWith("live dns_validation 100 ") && it.includes(` ${resolved} [`)));
    assert.ok(page.sent.some((it) => it.includes("my-session-token")));
  } },
  "readme-hooks": { ids: ["spring-1"], async run(page, server) {
    await shows(page, `domain_generation: ${ROWS} domains, the first is shop-0.example`);
    await server.act("spring-1", "configure-dns");
    await shows(page, `dns_validation: ${ROWS} domains`);
  } },
  "readme-list": { ids: ["autumn-1", "spring-1"], async run(page, server) {
    const last = (phase) => until(page, () => page.said.at(-1) === `live 2 [autumn-1: domain_generation, spring-1: ${phase}]`);
    await last("domain_generation");
    await server.act("spring-1", "configure-dns");
    await last("dns_validation");
  } },
  "package-first": { ids: [ID], async run(page) {
    const { total, rows, lines } = await shown(page);
    assert.deepEqual([total, rows.length, lines.length, lines[0]], [ROWS, ROWS, ROWS + 1, "domain,status"]);
    assert.ok(lines.slice(1).every((it) => /^shop-\d+\.example,$/.test(it)));
    await until(page, () => page.said.some((it) => it.startsWith("live domain_generation ")));
  } },
  "package-write": { ids: [ID], async run(page) {
    const { position, view } = await shown(page);
    assert.match(position, /^\w+\/\d+$/);
    assert.deepEqual([view.campaign.currentPhase, view.campaign.phaseStatus], ["dns_validation", "configured"]);
  } },
  "package-list": { ids: ["autumn-1", "spring-1"], run: (page) => shows(page, "live: autumn-1,spring-1") },
  "package-cache": { ids: [ID], async run(page, server) {
    await page.waitForFunction(() => globalThis.page !== undefined);
    const { campaign, domains } = await page.evaluate(() => ({ campaign: globalThis.page.campaign, domains: globalThis.page.domains }));
    assert.deepEqual([campaign.campaignId, domains.length], [ID, ROWS]);
    await page.waitForFunction((id) => globalThis.page.sync.view(id).status === "live", ID);
    await page.evaluate(() => globalThis.page.ownCache.dropped.splice(0));
    await server.act(ID, "configure-dns");
    await page.waitForFunction((id) => globalThis.page.ownCache.dropped.includes(id), ID);
  } },
  "package-rest": { ids: [ID], async run(page) {
    const { action, view } = await shown(page);
    assert.deepEqual([action, view.campaign.currentPhase], ["configure-dns", "dns_validation"]);
  } },
  "package-testing": { ids: [], async run(page) {
    assert.deepEqual(await shown(page), { status: "live", total: 3, connects: 2 });
    assert.equal(page.sockets.length, 0);
  } },
  "package-transport": { ids: [ID], async run(page, server) {
    await campaignIs(page, "live");
    await server.api("/faults/cut", {});
    await server.act(ID, "configure-dns");
    await isIn(page, "dns_validation");
    assert.equal(page.sockets.length, 2);
  } },
  "package-polling": { ids: [ID], prepare: (context) => context.routeWebSocket(/./, (socket) => socket.close({ code: 1011 })), async run(page) {
    await page.waitForFunction(() => globalThis.page?.campaign.view().staleReason === "polling");
    assert.equal(await page.evaluate(() => globalThis.page.campaign.domains().total), ROWS);
  } },
  errors: { ids: [ID], async run(page) {
    assert.deepEqual((await shown(page)).said, ["released", "campaign-sync/docs/ERRORS.md#released"]);
  } },
  "development-proxy": { ids: [ID], run: (page) => campaignIs(page, "live") },
};

/** Writes a file for the server into the directory of the test. */
async function fileOf(name, text) {
  await writeFile(join(place.directory, name), text);
  return join(place.directory, name);
}

/** Opens sealed content, and then content that is sealed with a key that the page has to ask for. */
async function openSealed(name) {
  const keys = { "2031-a": randomBytes(32), "2031-b": randomBytes(32) };
  const keyFile = (...kids) => fileOf(`${name}-${kids.length}.keys`, kids.map((kid) => `${kid}:${keys[kid].toString("base64")}\n`).join(""));
  await withServer(["--encrypt-keys", await keyFile("2031-a")], [], async (server, context) => {
    await server.api("/campaigns", { campaignId: ID, name: "Sealed", count: ROWS, rate: 5_000 });
    await server.act(ID, "start");
    const [read, completed] = ["SELECT phase_status AS status FROM campaigns WHERE campaign_id = ?", "completed"];
    while ((await server.sql(read, ID))[0]?.status !== completed) await new Promise((resolve) => setTimeout(resolve, 20));

    await context.addInitScript((keys) => (globalThis.keys = keys), Object.values(keys).map((key) => [...key]));
    const page = await openPage(context, `${server.origin}/${name}.html`);
    await campaignIs(page, "live");
    assert.equal(await page.evaluate(() => globalThis.page.body.domains.length), ROWS);
    assert.ok(!page.said.some((it) => it.includes("2031-b")));
    await server.kill();
    server.options = ["--encrypt-keys", await keyFile("2031-b", "2031-a")];
    await server.run();
    await server.act(ID, "configure-dns");
    await isIn(page, "dns_validation");
    assert.deepEqual(await page.evaluate(() => globalThis.page.asked), ["2031-b"]);
  });
}

/** Lets a session expire with and without a renewal, logs in again, and out. */
async function followSessions(name, afterTest) {
  await withServer(["--users", await fileOf("users", `${USER.user}:${HASH}\n`), "--session-seconds", "5"], [], async (server, context) => {
    const cable = await Cable.to(server);
    afterTest(() => cable.close());
    let renews = true;
    const login = () => context.request.post(`${cable.origin}/api/v2/auth/login`, { data: USER, headers: { origin: cable.origin } });
    await context.route("**/my/refresh", async (route) => {
      if (renews) await login();
      await route.fulfill({ status: renews ? 204 : 401 });
    });
    const page = await openPage(context, `${cable.origin}/${name}.html`);
    await page.waitForFunction(() => globalThis.page !== undefined);
    assert.equal((await login()).status(), 200);
    await page.evaluate(async (campaignId) => {
      const { sync } = globalThis.page;
      await fetch("/api/v2/campaigns", { method: "POST", body: JSON.stringify({ campaignId, name: "Mine", count: 5 }) });
      globalThis.page.campaign = sync.campaign(campaignId);
      sync.connect();
    }, ID);
    await page.waitForFunction(() => globalThis.page.sync.metrics().connects >= 2);
    await campaignIs(page, "live");
    assert.deepEqual(await page.evaluate(() => globalThis.page.shown), []);

    renews = false;
    await campaignIs(page, "failed");
    const { code, campaign } = await page.evaluate(() => globalThis.page.campaign.view());
    assert.deepEqual([code, campaign.name], ["unauthorized", "Mine"]);
    assert.deepEqual(await page.evaluate(() => globalThis.page.shown), ["login"]);
    renews = true;
    await login();
    await page.evaluate(() => globalThis.page.onLoggedIn());
    await campaignIs(page, "live");

    renews = false;
    const after = await page.evaluate(async () => {
      const { sync, campaign, logout } = globalThis.page;
      await logout();
      return [sync.connection.state, campaign.view().campaign, (await fetch("/api/v2/auth/session")).status];
    });
    assert.deepEqual(after, ["idle", null, 401]);
  });
}

const SPECIAL = { "package-sealed": openSealed, encryption: openSealed, identity: followSessions };

test("snippets compile", async () => {
  assert.equal(await compile(place.directory), "");
});

describe("snippet", { concurrency: 2, timeout: 150_000 }, () => {
  for (const name of Object.keys(mains)) {
    test(`${name} runs`, async (it) => {
      if (name in SPECIAL) return SPECIAL[name](name, it.after.bind(it));
      const { ids, prepare, run } = RUNS[name];
      await withServer([], ids, async (server, context) => {
        await prepare?.(context);
        const page = await openPage(context, `${server.origin}/${name}.html`);
        await run(page, server);
        if (prepare === undefined) assert.deepEqual(page.problems, []);
      });
    });
  }
});
