// campaign-sync/tanstack-query in Chromium, with the real library, client and server.

import { strict as assert } from "node:assert";
import { test } from "node:test";

import { withStage } from "./lib/stage.mjs";

const VERSIONS = [18, 19];
const open = withStage(VERSIONS, { entry: "pages/queries.tsx" });

for (const version of VERSIONS) {
  test(`React ${version}: query follows the transitions of the stream`, async () => {
    const { page, server } = await open(version);
    const id = await server.generated({ count: 50, rate: 5_000 });
    const requests = [];
    page.on("request", (request) => request.url().includes(`/campaigns/${id}`) && requests.push(request.url()));
    await page.goto(`${server.origin}/?campaign=${id}`);
    const both = (state) => page.waitForFunction((text) => document.getElementById("both")?.textContent === text, `${state} ${state}`);
    await both("domain_generation/completed");
    for (const [action, phase] of [["configure-dns", "dns_validation"], ["rollback", "domain_generation"], ["configure-dns", "dns_validation"]]) {
      await server.act(id, action);
      await both(`${phase}/${phase === "dns_validation" ? "configured" : "completed"}`);
    }
    assert.ok(requests.length >= 4 && requests.length <= 10, `${requests.length} requests`);
    assert.ok(requests.slice(1).some((it) => it.includes("min_position=")), "later requests name a position");
    // Once the query caught up with a state, it never shows the one before.
    const rendered = await page.evaluate(() => globalThis.rendered.map(({ queried }) => queried));
    const states = rendered.filter((it, at) => it !== undefined && it !== rendered[at - 1]);
    assert.deepEqual(states, ["domain_generation/completed", "dns_validation/configured", "domain_generation/completed", "dns_validation/configured"]);
    assert.deepEqual(page.problems, []);
  });
}
