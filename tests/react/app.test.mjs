// The small application, in Chromium, with React 18 and 19, against the reference server with two users.

import { strict as assert } from "node:assert";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { withStage } from "./lib/stage.mjs";

/** Their passwords are `correct horse` and `battery staple`. The hashes are cheap on purpose. */
const USERS = `ada-l:$argon2id$v=19$m=8,t=1,p=1$c2FsdCBvZiBhZGE$fu6ySt22cePflwe47YpqBE8zXah/JVm0EUJqxTP7e04
bob:$argon2id$v=19$m=8,t=1,p=1$c2FsdG9mYm9i$wzILHYy/Xl+TT77sUM/uhT2iedjEEOonnZyFvQuVYzc
`;

const directory = mkdtempSync(join(tmpdir(), "campaign-sync-users-"));
writeFileSync(join(directory, "users"), USERS);
after(() => rmSync(directory, { recursive: true }));

const VERSIONS = [18, 19];
const open = withStage(VERSIONS, { entry: "app/main.tsx", options: ["--users", join(directory, "users")] });

async function logIn(page, user, password) {
  await page.getByLabel("Name").fill(user);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Log in" }).click();
}

async function create(page, name, count) {
  const form = page.getByRole("form", { name: "New campaign" });
  await form.getByLabel("Name").fill(name);
  await form.getByLabel("Domains").fill(String(count));
  await form.getByRole("button", { name: "Create" }).click();
}

const press = (page, name) => page.getByRole("group", { name: "Actions" }).getByRole("button", { name }).click();
const text = (page, words, options) => page.getByText(words, options).first().waitFor();
const openSockets = (page) => page.sockets.filter((socket) => !socket.isClosed()).length;
/** Problems of the page, without the lines that the browser itself writes for refused requests. */
const problems = (page) => page.problems.filter((it) => !it.startsWith("Failed to load resource"));

for (const version of VERSIONS) {
  test(`React ${version}: user follows a campaign through its phases`, async () => {
    const { page } = await open(version);
    const lists = [];
    page.on("request", (it) => it.method() === "GET" && it.url().endsWith("/campaigns") && lists.push(it.url()));
    await logIn(page, "ada-l", "wrong");
    await page.getByRole("alert").waitFor();
    await logIn(page, "ada-l", "correct horse");
    await create(page, `Spring ${version}`, 250);
    await page.getByRole("heading", { name: `Spring ${version}` }).waitFor();
    await text(page.getByRole("status"), "Live");
    const messages = page.getByRole("list", { name: "Messages" });
    for (const [action, done] of [
      ["Generate domains", "Generating domains: completed"],
      ["Configure DNS validation", "Validating DNS: configured"],
      ["Validate DNS", "Validating DNS: completed"],
    ]) {
      await press(page, action);
      await text(page.locator(".state"), done);
    }
    await text(messages, "Validating DNS: configured");
    await text(page.locator(".domains .total"), "250 rows");
    await text(page.getByRole("navigation"), "Validating DNS: completed");

    const table = page.getByRole("region", { name: "Domains" });
    assert.ok((await table.locator(".row").count()) < 60, "only rows in view are in the document");
    await table.locator(".window").evaluate((it) => (it.scrollTop = it.scrollHeight));
    await page.waitForFunction(() => document.querySelectorAll(".row").length > 0 && document.querySelector(".window ul").style.paddingTop !== "0px");
    const counted = Number(await page.locator(".counts div", { hasText: "Unresolved" }).locator("dd").textContent());
    await table.getByLabel("DNS").selectOption("unresolved");
    await text(table.locator(".total"), `${counted} rows`);
    await table.getByRole("button", { name: "Score" }).click();
    await table.locator(".row .link").first().click();
    await page.getByRole("complementary", { name: /Details of/ }).waitFor();
    assert.deepEqual(lists, [], "the list comes by the stream");
    assert.deepEqual(problems(page), []);
  });

  test(`React ${version}: refused action shows its reason and nothing else`, async () => {
    const { page } = await open(version);
    await logIn(page, "ada-l", "correct horse");
    await create(page, "Refused", 50);
    await text(page.getByRole("status"), "Live");
    // Another page of the user acts first.
    await page.route("**/start", async (route) => {
      const body = { expectedState: "analysis/paused" };
      await route.continue({ postData: JSON.stringify(body) });
    });
    await press(page, "Generate domains");
    await page.getByRole("group", { name: "Actions" }).getByRole("alert").waitFor();
    await text(page.locator(".state"), "Generating domains: ready");
    assert.ok(await page.getByRole("button", { name: "Generate domains" }).isEnabled());
  });

  test(`React ${version}: banner says that the page is offline, and recovers`, async () => {
    const { page, server } = await open(version);
    await logIn(page, "ada-l", "correct horse");
    await create(page, "Offline", 50);
    await text(page.getByRole("status"), "Live");
    await server.kill();
    await text(page.getByRole("status"), "Offline");
    await text(page.getByRole("status"), /^as of \d\d:\d\d:\d\d$/);
    await server.run();
    // Sessions of this server are in memory, so the user logs in again. The rows stay until then.
    await text(page, "Your session has ended.");
    await logIn(page, "ada-l", "correct horse");
    await page.getByRole("button", { name: /Offline/ }).click();
    await text(page.getByRole("status"), "Live");
    assert.equal(openSockets(page), 1);
  });

  test(`React ${version}: next user sees nothing of the former one`, async () => {
    const { page } = await open(version);
    await logIn(page, "ada-l", "correct horse");
    await create(page, "Secret of Ada", 50);
    await text(page.getByRole("status"), "Live");
    // Everything that the next user's page ever shows.
    await page.evaluate(() => {
      globalThis.shown = [];
      globalThis.leaks = new MutationObserver(() => globalThis.shown.push(document.body.textContent));
    });
    await page.getByRole("button", { name: "Log out" }).click();
    await page.getByRole("form", { name: "Log in" }).waitFor();
    await page.waitForFunction(() => document.querySelector(".page") === null);
    await page.evaluate(() => globalThis.leaks.observe(document.body, { subtree: true, childList: true, characterData: true }));
    await logIn(page, "bob", "battery staple");
    await text(page.locator(".bar"), "bob");
    await text(page, "No campaign yet.");
    await create(page, "Of Bob", 20);
    await page.getByRole("heading", { name: "Of Bob" }).waitFor();
    await text(page.getByRole("status"), "Live");
    const shown = await page.evaluate(() => globalThis.shown);
    assert.ok(shown.length > 0 && shown.some((it) => it.includes("Of Bob")));
    assert.deepEqual(shown.filter((it) => it.includes("Ada")), []);
    assert.equal(openSockets(page), 1, "the socket of the former user is closed");
    assert.deepEqual(problems(page), []);
  });
}
