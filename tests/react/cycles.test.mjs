// Mounting and unmounting many times leaves nothing behind: no handle, no listener, no memory. In production mode, with
// the real client. memory.test.mjs adds events, and takes more cycles.

import { strict as assert } from "node:assert";
import { test } from "node:test";

import { withStage } from "./lib/stage.mjs";

const CYCLES = 2_000;
/** The growth of the heap that is allowed: in bytes for each cycle, of which a handle takes hundreds, and once for the engine. */
const [CYCLE_BYTES_MAX, ONCE_BYTES_MAX] = [40, 150_000];

const VERSIONS = [18, 19];
const open = withStage(VERSIONS, { mode: "production" });

for (const version of VERSIONS) {
  test(`React ${version}: ${CYCLES} mounts and unmounts leave the heap flat`, async () => {
    const { page, server } = await open(version);
    const id = await server.generated({ count: 50, rate: 5_000 });
    const session = await page.context().newCDPSession(page);
    const heap = async () => {
      for (let runs = 0; runs < 3; runs += 1) await session.send("HeapProfiler.collectGarbage");
      return (await session.send("Runtime.getHeapUsage")).usedSize;
    };
    await page.evaluate(async (id) => {
      await stage.init();
      const sync = new stage.CampaignSync({ url: "/api/v2/ws" });
      sync.connect();
      const counts = { added: 0, removed: 0 };
      for (const [name, count] of [["addEventListener", "added"], ["removeEventListener", "removed"]]) {
        const own = sync[name];
        sync[name] = (...values) => (counts[count]++, own(...values));
      }
      const list = [["Part", { id, name: "a", select: (view) => view.status }], ["Table", { id, first: 0, count: 5 }], ["Connection", {}],
        ["Event", { word: "x" }], ["Action", { id }]];
      const keeper = sync.campaign(id);
      while (keeper.view().status !== "live") await stage.settled();
      keeper.release();
      Object.assign(stage, { sync, counts, cycle(times) {
        for (let at = 0; at < times; at += 1) {
          stage.flushSync(() => stage.render(list, { sync }));
          stage.flushSync(() => stage.render([], { sync }));
          stage.reset();
        }
      } });
    }, id);
    const run = async (times) => {
      for (let left = times; left > 0; left -= 500) await page.evaluate((times) => stage.cycle(times), Math.min(left, 500));
    };
    await run(1_000); // The engine compiles, and caches fill.
    const before = await heap();
    await run(CYCLES);
    const grown = (await heap()) - before;
    const left = await page.evaluate((id) => ({ view: stage.sync.view(id) ?? null, open: stage.counts.added - stage.counts.removed }), id);
    assert.deepEqual(left, { view: null, open: 0 });
    assert.ok(grown < CYCLES * CYCLE_BYTES_MAX + ONCE_BYTES_MAX, `${grown} bytes for ${CYCLES} cycles`);
    assert.equal(page.sockets.length, 1);
    assert.deepEqual(page.problems, []);
  });
}
