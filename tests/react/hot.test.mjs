// Hot replacement with React's own Fast Refresh, the real client and the reference server.

import { strict as assert } from "node:assert";
import { test } from "node:test";

import { withStage } from "./lib/stage.mjs";

const VERSIONS = [18, 19];
const open = withStage(VERSIONS, { entry: "pages/hot.tsx" });

for (const version of VERSIONS) {
  test(`React ${version}: hot replacement leaves one socket`, async () => {
    const { page, server } = await open(version);
    const id = await server.generated({ count: 20, rate: 5_000 });
    await page.goto(`${server.origin}/?campaign=${id}`);
    const shows = (text) => page.waitForFunction((text) => document.getElementById("shown")?.textContent === text, text);
    await shows("one one live");
    // The page before had a socket, too.
    const before = page.sockets.length;
    const sockets = () => page.sockets.slice(before - 1).map((socket) => (socket.isClosed() ? "closed" : "open"));
    // The components keep their state, and the provider keeps its client.
    await page.evaluate(() => globalThis.replace("two", "a"));
    await shows("two one live");
    assert.deepEqual(sockets(), ["open"]);
    // Their hooks changed, so they mount again, with another client.
    await page.evaluate(() => globalThis.replace("three", "b"));
    await shows("three three live");
    assert.deepEqual(sockets(), ["closed", "open"]);
    assert.deepEqual(page.problems, []);
  });
}
