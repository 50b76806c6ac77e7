// The progress bar of the demo page, while a proxy holds the parts of a snapshot.

import { strict as assert } from "node:assert";
import { rm } from "node:fs/promises";
import { beforeEach, test } from "node:test";

import { withBrowser } from "./lib/fixture.mjs";
import { HeldSnapshots } from "./lib/held-snapshots.mjs";
import { assertEqualsTables, caughtUp, live, shows, until, view, visit } from "./lib/page.mjs";
import { Server } from "./lib/server.mjs";

const ROWS = 12_000;

let browser, server, network, id, page;

withBrowser((it) => { browser = it; }, () => [network, server]);
beforeEach(async () => {
  server = await Server.start();
  network = await HeldSnapshots.to(server);
  id = await server.generated({ count: ROWS, rate: 100_000 });
  // The events of two phases are larger than a snapshot, so the server sends that (R8.8).
  await server.act(id, "validate-dns");
  await server.reaches(id, "dns_validation", "completed");
  page = await visit(browser, network.origin, id);
  await watchBar();
});

/** Reads the bar as a user has it, and the view in the same moment. */
const bar = () => page.evaluate(() => globalThis.readBar());

/** Records what the page shows of the bar whenever that changes. */
const watchBar = () => page.evaluate(() => {
  const [place, bar, text] = ["loading", "loading-bar", "loading-text"].map((id) => document.getElementById(id));
  globalThis.readBar = () => {
    const { status, loading } = globalThis.__campaignSync.campaign.view();
    return { shown: bar.checkVisibility({ visibilityProperty: true }), value: bar.value, max: bar.max, text: text.textContent, status, loading };
  };
  globalThis.bars = [globalThis.readBar()];
  new MutationObserver(() => globalThis.bars.push(globalThis.readBar()))
    .observe(place, { attributes: true, childList: true, characterData: true, subtree: true });
});

const bars = () => page.evaluate(() => globalThis.bars.splice(0));

/** Lets parts pass until the page shows that this many have arrived. */
async function receive(parts) {
  const { loading } = await view(page);
  network.allow(parts - (loading?.received ?? 0));
  await until(page, ({ shown, value }) => shown && value === parts, 15_000, bar);
}

const hidden = () => until(page, ({ shown }) => !shown, 15_000, bar);

/** Asserts that each bar is that of its view, and that none is behind the one before it. Returns those that were shown. */
function assertRising(seen) {
  const shown = seen.filter((it) => it.shown);
  shown.forEach(({ value, max, text, loading: { received, total, rows } }, at) => {
    assert.deepEqual([value, max], [received, total]);
    assert.equal(text, `${rows.toLocaleString("en")} rows, ${Math.floor((100 * received) / total)} %`);
    if (at > 0) assert.ok(value >= shown[at - 1].value && max === shown[at - 1].max, `${shown[at - 1].value} before ${value}`);
  });
  return shown;
}

test("bar shows each part of the first snapshot, and is gone when the campaign is live", async () => {
  await until(page, ({ status }) => status === "loading", 15_000, bar);
  assert.equal((await bar()).shown, false, "no part has arrived");
  await receive(1);
  const { max: total } = await bar();
  assert.ok(total >= 5, `${total} parts`);
  for (let parts = 2; parts < total; parts += 1) await receive(parts);
  network.allow(1);
  await live(page);
  await hidden();

  const shown = assertRising(await bars());
  assert.deepEqual([...new Set(shown.map(({ value }) => value))], Array.from({ length: total - 1 }, (_, at) => at + 1));
  assert.ok(shown.every(({ status }) => status === "loading"));
  await shows(page, "row-count", ROWS.toLocaleString("en"));
  await assertEqualsTables(page, server, id);
  assert.deepEqual(page.problems, []);
});

test("bar has a name that stays, a value and a description for screen readers", async () => {
  const devtools = await page.context().newCDPSession(page);
  // Each phase of the campaign has a bar of this role, too.
  const read = async () => {
    const { nodes } = await devtools.send("Accessibility.getFullAXTree");
    return nodes.filter(({ role, ignored, name }) => !ignored && role.value === "progressbar" && !name.value.endsWith(": progress"))
      .map(({ name, description, value }) => ({ name: name.value, description: description?.value, value: value?.value }));
  };
  assert.deepEqual(await read(), []);
  for (const parts of [1, 2]) {
    await receive(parts);
    const { text } = await bar();
    assert.match(text, /^[1-9][\d,]* rows, \d+ %$/);
    assert.deepEqual(await read(), [{ name: "Loading", description: text, value: parts }]);
  }
  network.allow(Infinity);
  await live(page);
  await hidden();
  assert.deepEqual(await read(), []);
});

test("bar goes on where it was when the socket is cut", async () => {
  await receive(3);
  network.cut();
  await until(page, ({ status }) => status !== "loading", 15_000, bar);
  await until(page, ({ status }) => status === "loading", 15_000, bar);
  assert.equal((await bar()).value, 3);
  network.allow(Infinity);
  await live(page);
  await hidden();
  assertRising(await bars());
  await assertEqualsTables(page, server, id);
});

test("bar appears again for the snapshot of a new epoch, above the rows that stay", async () => {
  network.allow(Infinity);
  await live(page);
  await hidden();
  await bars();
  network.hold();
  await server.kill();
  server.options = [...server.options, "--new-epoch"];
  await server.run();
  await receive(2);
  await shows(page, "row-count", ROWS.toLocaleString("en"));
  assert.equal((await view(page)).status, "recovering");
  network.allow(Infinity);
  await caughtUp(page, server, id);
  await hidden();
  assertRising(await bars());
  await assertEqualsTables(page, server, id);
});

test("bar is gone when the rows come over REST instead", async () => {
  await receive(2);
  network.unplug();
  await until(page, ({ staleReason }) => staleReason === "polling");
  await shows(page, "row-count", ROWS.toLocaleString("en"));
  await hidden();
});

test("bar is gone when the campaign turns out to be unknown", async () => {
  await receive(2);
  await server.kill();
  for (const suffix of ["", "-wal", "-shm"]) await rm(server.db + suffix, { force: true });
  await server.run();
  await until(page, ({ status, code }) => status === "failed" && code === "unknown_campaign");
  await hidden();
});

test("bar is gone when the session ends, and goes on after a login", async () => {
  await receive(2);
  network.cut(4401);
  await until(page, ({ status, code }) => status === "failed" && code === "unauthorized");
  await hidden();
  await page.evaluate(() => globalThis.__campaignSync.sync.connect());
  await receive(3);
  network.allow(Infinity);
  await live(page);
  await hidden();
  assertRising(await bars());
});
