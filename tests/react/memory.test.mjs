// Components come and go while events change what they show: the heap of the page and the memory of the module stay flat.
// `cargo xtask soak react` takes 10,000 cycles and a million events; the environment says how many, and where the report goes.

import { strict as assert } from "node:assert";
import { writeFile } from "node:fs/promises";
import { after, test } from "node:test";

import { CAMPAIGN, Stream } from "../../pkg/test/support/stream.js";
import { withStage } from "./lib/stage.mjs";

const CYCLES = Number(process.env.CAMPAIGN_SYNC_CYCLES ?? 500);
const EVENTS = Number(process.env.CAMPAIGN_SYNC_EVENTS ?? 20_000);
const REPORT = process.env.CAMPAIGN_SYNC_REACT_REPORT;
const POINTS = 10;
const ROWS = 500;
/** Events of one frame. */
const FRAME = 500;
/** The growth of the heap between the first point and the last that is allowed, in bytes. One byte for each of a million events is more. */
const GROWTH_MAX = 400_000;

const VERSIONS = [18, 19];
const open = withStage(VERSIONS, { mode: "production" });
const results = [];
after(async () => {
  if (REPORT !== undefined) await writeFile(REPORT, `${JSON.stringify({ cycles: CYCLES, events: EVENTS, rows: ROWS, runs: results }, null, 2)}\n`);
});

/** Appends events that change rows and the record. Returns them as one frame. */
function frame(stream, count) {
  const documents = [];
  for (let at = 0; at < count; at += 1) {
    const number = stream.head;
    const change = at % 50 === 0
      ? ["campaign.progress", { totalItems: ROWS, processedItems: number % ROWS, successfulItems: 0, failedItems: 0,
        progressPercent: number % 100, currentPhase: "domain_generation", phaseStatus: "in_progress" }]
      : ["dns.validation.result", { domainId: stream.rows[number % ROWS].domainId, validationStatus: ["resolved", "timeout", "error"][number % 3],
        attempts: 1, processingTime: 5, totalValidated: number % ROWS }];
    documents.push(stream.append(change[0], { campaignId: CAMPAIGN, ...change[1] }));
  }
  // No client requests them again, and a million take half a gigabyte.
  stream.events.fill(undefined);
  return documents.join("\n");
}

/** Starts a client whose transport is the stream, with components that never leave. Runs in the page. */
async function start(id) {
  await stage.init();
  const sync = new stage.CampaignSync({ transport: "manual", target: null });
  const receive = (documents) => documents.forEach((it) => sync.receive(it));
  sync.onsend = (text) => {
    const { type, payload } = JSON.parse(text);
    const position = sync.view(id)?.position;
    if (type !== "ping" || position == null) return void answer(text).then(receive);
    // The stream is ahead of what the page has received.
    const { epoch, sequenceNumber } = position;
    const heads = [{ campaignId: id, epoch, lastSequenceNumber: sequenceNumber, logHead: sequenceNumber }];
    queueMicrotask(() => receive([JSON.stringify({ type: "pong", timestamp: "2031-03-05T06:07:08Z", data: { timestamp: payload.timestamp, heads } })]));
  };
  sync.connect();
  sync.opened();
  const shown = [["Part", { id, name: "kept", select: (view) => view.campaign?.progressPercentage }], ["Table", { id, first: 0, count: 20 }]];
  const passing = [["Part", { id, name: "a", select: (view) => view.status }], ["Table", { id, first: 40, count: 5 }], ["Connection", {}],
    ["Event", { word: "x" }], ["Action", { id }]];
  stage.render(shown, { sync });
  while (sync.view(id)?.position == null) await stage.settled();
  Object.assign(stage, {
    sync,
    cycle(times) {
      for (let at = 0; at < times; at += 1) {
        stage.render([...shown, ...passing], { sync });
        stage.render(shown, { sync });
        stage.reset();
      }
    },
    async take(text) {
      const applied = sync.receive(text);
      await new Promise((resolve) => requestAnimationFrame(resolve));
      stage.reset();
      return applied;
    },
  });
}

for (const version of VERSIONS) {
  test(`React ${version}: mounts and events leave all memory flat`, { timeout: 1_200_000 }, async () => {
    const { page } = await open(version);
    const stream = new Stream();
    for (let rows = 0; rows < ROWS; rows += 1) stream.appendRow();
    await page.exposeFunction("answer", (text) => stream.answer(text));
    await page.evaluate(() => {
      const own = WebAssembly.instantiate;
      WebAssembly.instantiate = async (...values) => {
        const loaded = await own.apply(WebAssembly, values);
        stage.memory = (loaded.instance ?? loaded).exports.memory;
        return loaded;
      };
    });
    await page.evaluate(start, CAMPAIGN);
    const session = await page.context().newCDPSession(page);
    const measure = async () => {
      for (let runs = 0; runs < 3; runs += 1) await session.send("HeapProfiler.collectGarbage");
      const heap = (await session.send("Runtime.getHeapUsage")).usedSize;
      return { heap, wasm: await page.evaluate(() => stage.memory.buffer.byteLength) };
    };
    const run = async (cycles, events) => {
      for (let left = cycles; left > 0; left -= 250) await page.evaluate((times) => stage.cycle(times), Math.min(left, 250));
      for (let left = events; left > 0; left -= FRAME) {
        const count = Math.min(left, FRAME);
        assert.equal(await page.evaluate((text) => stage.take(text), frame(stream, count)), count);
      }
    };
    // The engine compiles, and caches fill.
    await run(500, 10_000);
    const points = [await measure()];
    for (let at = 0; at < POINTS; at += 1) {
      await run(CYCLES / POINTS, EVENTS / POINTS);
      points.push(await measure());
    }
    results.push({ react: version, points });
    const [first, last] = [points[0], points.at(-1)];
    assert.equal(last.wasm, first.wasm);
    assert.ok(last.heap - first.heap < GROWTH_MAX, `${last.heap - first.heap} bytes more`);
    const { applied, gaps, recoveries } = await page.evaluate(() => stage.sync.metrics());
    assert.equal(applied, stream.head);
    assert.equal(gaps, 0);
    assert.deepEqual(page.problems, []);
  });
}
