// Users who log in: two users on one client and in two tabs, expiry, and login without a reload. A plain page with the
// package, a real server with users, and a real browser with its cookies.

import { strict as assert } from "node:assert";
import { spawn } from "node:child_process";
import { cp, mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, afterEach, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { launch } from "./lib/page.mjs";
import { programOf } from "./lib/program.mjs";
import { freePort } from "./lib/server.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const PASSWORD = "correct horse";
/** Two users with this password. */
const HASH = "$argon2id$v=19$m=8,t=1,p=1$c2FsdCBvZiBhZGE$fu6ySt22cePflwe47YpqBE8zXah/JVm0EUJqxTP7e04";
const USERS = `ada-l:${HASH}\nbob-m:${HASH}\n`;
const OPERATOR = "operator-token";

/** The page: one client whose state the tests read. The query says whether it renews its session. */
const PAGE = `
import { CampaignSync, init } from "/pkg/dist/index.js";

await init();
const asked = [];
const renew = new URLSearchParams(location.search).get("renew");
const onUnauthorized = async ({ attempt }) => {
  asked.push(attempt);
  if (renew === "login") return (await login("ada-l")).ok;
  return renew === "true";
};
const sync = new CampaignSync({ url: "/api/v2/ws", ...(renew && { onUnauthorized }) });
const seen = [];
function login(user) {
  return fetch("/api/v2/auth/login", { method: "POST", body: JSON.stringify({ user, password: "${PASSWORD}" }) });
}
function hold(id) {
  const campaign = sync.campaign(id);
  // Every view that a listener could read, with what it shows.
  const note = () => {
    const { status, code, campaign: record, domainsCount } = campaign.view();
    seen.push({ id, status, code, name: record?.name, rows: domainsCount, listed: campaign.domains().total });
  };
  campaign.subscribe(note);
  for (const type of ["statuschange", "phasetransition", "cacheinvalidated", "ended"]) {
    sync.addEventListener(type, ({ detail }) => detail.campaignId === id && note());
  }
  return campaign;
}
globalThis.app = { sync, seen, asked, login, hold, held: {}, logout: () => fetch("/api/v2/auth/logout", { method: "POST", body: "{}" }) };
`;

let browser, directory, port, server;

async function start(options = []) {
  const args = ["--listen", `127.0.0.1:${port}`, "--db", join(directory, "campaigns.db"), "--users", join(directory, "users"),
    "--token", OPERATOR, "--static", join(directory, "page"), ...options];
  server = spawn(programOf("campaign-sync-server"), args, { stdio: ["ignore", "pipe", "ignore"] });
  await new Promise((resolve) => createInterface({ input: server.stdout }).once("line", resolve));
}

async function stop() {
  server.kill("SIGKILL");
  await new Promise((resolve) => server.once("exit", resolve));
}

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "campaign-sync-"));
  await writeFile(join(directory, "users"), USERS);
  await mkdir(join(directory, "page/pkg"), { recursive: true });
  for (const part of ["dist", "wasm"]) await cp(join(root, "pkg", part), join(directory, "page/pkg", part), { recursive: true });
  await writeFile(join(directory, "page/app.js"), PAGE);
  await writeFile(join(directory, "page/index.html"), '<!doctype html><title>page</title><script type="module" src="/app.js"></script>');
  port = await freePort();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await rm(directory, { recursive: true, force: true });
});
afterEach(async () => {
  await Promise.all(browser.contexts().map((context) => context.close()));
  await stop();
});

/** Creates a campaign with rows that a user owns. */
async function campaignOf(user, rows = 60) {
  const call = async (method, path, body) => {
    const headers = { authorization: `Bearer ${OPERATOR}` };
    const answer = await fetch(`http://127.0.0.1:${port}/api/v2${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }) });
    const json = await answer.json();
    assert.ok(answer.ok, JSON.stringify(json));
    return json;
  };
  const created = await call("POST", "/campaigns", { name: `of ${user}`, count: rows, rate: 20_000 });
  const id = created.campaignId ?? created.campaign.campaignId;
  await call("POST", `/campaigns/${id}/start`, {});
  while ((await call("GET", `/campaigns/${id}`)).phaseStatus !== "completed") await new Promise((resolve) => setTimeout(resolve, 20));
  await call("PUT", `/campaigns/${id}/owner`, { owner: user });
  return id;
}

async function open(context, query = "") {
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${port}/${query}`);
  await page.waitForFunction(() => globalThis.app !== undefined);
  return page;
}

const login = (page, user) => page.evaluate(async (user) => (await app.login(user)).status, user);
const hold = (page, id) => page.evaluate((id) => { app.held[id] = app.hold(id); app.sync.connect(); }, id);
const view = (page, id) => page.evaluate((id) => app.held[id].view(), id);
const seen = (page) => page.evaluate(() => app.seen.splice(0));

/** Waits until a campaign of the page has this status. */
const becomes = (page, id, status, code) =>
  page.waitForFunction(([id, status, code]) => {
    const view = app.held[id].view();
    return view.status === status && (code === undefined || view.code === code);
  }, [id, status, code], { timeout: 60_000 });

/** Nobody read anything of a campaign. */
function assertUnseen(readings, id) {
  const leaks = readings.filter((it) => it.id === id && (it.name !== undefined || it.rows > 0 || it.listed > 0));
  assert.deepEqual(leaks, []);
}

test("another user on the same client sees nothing of the former one", async () => {
  await start();
  const [ada, bob] = [await campaignOf("ada-l"), await campaignOf("bob-m", 30)];
  const page = await open(await browser.newContext());
  assert.equal(await login(page, "ada-l"), 200);
  await hold(page, ada);
  await hold(page, bob);
  await becomes(page, ada, "live");
  await becomes(page, bob, "failed", "unknown_campaign");
  assert.equal((await view(page, ada)).domainsCount, 60);
  const wait = page.evaluate((id) => app.held[id].reached("none/9", { timeoutMs: Infinity }).catch(({ code }) => code), ada);

  // Logout with a reset, then another login, without a reload.
  await page.evaluate(async () => { app.sync.reset(); await app.logout(); });
  assert.equal(await wait, "signed_out");
  assert.deepEqual([(await view(page, ada)).campaign, (await view(page, ada)).status], [null, "idle"]);
  await seen(page);
  assert.equal(await login(page, "bob-m"), 200);
  await page.evaluate(() => app.sync.connect());
  await becomes(page, bob, "live");
  await becomes(page, ada, "failed", "unknown_campaign");
  assert.equal((await view(page, bob)).domainsCount, 30);
  assertUnseen(await seen(page), ada);
});

test("login as another user without a reset empties the client before anybody reads it", async () => {
  await start();
  const ada = await campaignOf("ada-l");
  const page = await open(await browser.newContext());
  await login(page, "ada-l");
  await hold(page, ada);
  await becomes(page, ada, "live");
  await login(page, "bob-m");
  await becomes(page, ada, "failed", "unauthorized");
  await seen(page);
  await page.evaluate(() => app.sync.connect());
  await becomes(page, ada, "failed", "unknown_campaign");
  const readings = await seen(page);
  const first = readings.findIndex(({ name }) => name === undefined);
  assert.ok(first >= 0);
  assertUnseen(readings.slice(first), ada);
  assert.equal((await view(page, ada)).campaign, null);
});

test("login in another tab ends the socket of the former user in this one", async () => {
  await start();
  const [ada, bob] = [await campaignOf("ada-l"), await campaignOf("bob-m", 30)];
  const context = await browser.newContext();
  const [one, two] = [await open(context, "?renew=true"), await open(context)];
  await login(one, "ada-l");
  await hold(one, ada);
  await hold(one, bob);
  await becomes(one, ada, "live");
  await login(two, "bob-m");
  await becomes(one, bob, "live");
  await becomes(one, ada, "failed", "unknown_campaign");
  assert.equal((await view(one, ada)).campaign, null);
  assert.deepEqual(await one.evaluate(() => app.asked), [1]);
});

test("expired session is renewed once for two tabs, without a reload", async () => {
  await start(["--session-seconds", "4"]);
  const ada = await campaignOf("ada-l");
  const context = await browser.newContext();
  const tabs = [await open(context, "?renew=login"), await open(context, "?renew=login")];
  await login(tabs[0], "ada-l");
  for (const tab of tabs) {
    await hold(tab, ada);
    await becomes(tab, ada, "live");
  }
  for (const tab of tabs) {
    await tab.waitForFunction(() => app.sync.metrics().connects >= 2, undefined, { timeout: 60_000 });
    await becomes(tab, ada, "live");
    assert.equal((await view(tab, ada)).domainsCount, 60);
  }
  const asked = await Promise.all(tabs.map((tab) => tab.evaluate(() => app.asked.length)));
  // A session of four seconds may expire again while the test looks.
  const rounds = Math.max(...await Promise.all(tabs.map((tab) => tab.evaluate(() => app.sync.metrics().connects - 1))));
  assert.ok(asked[0] + asked[1] <= rounds + 1, `asked ${asked} in ${rounds} rounds`);
});

test("expired session without a renewal continues after a login", async () => {
  await start(["--session-seconds", "3"]);
  const ada = await campaignOf("ada-l");
  const page = await open(await browser.newContext());
  await login(page, "ada-l");
  await hold(page, ada);
  await becomes(page, ada, "live");
  await becomes(page, ada, "failed", "unauthorized");
  assert.equal((await view(page, ada)).domainsCount, 60, "the view stays for the same user");
  await login(page, "ada-l");
  await page.evaluate(() => app.sync.connect());
  await becomes(page, ada, "live");
  const { recoveryRequests, snapshots } = await page.evaluate(() => app.sync.metrics());
  assert.ok(recoveryRequests.reconnect >= 1, "it continued at its position");
  assert.ok(snapshots <= 1);
});
