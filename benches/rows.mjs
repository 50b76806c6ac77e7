/**
 * Measures for how long `getRichCampaignData` keeps a page in headless Chromium from reacting, with 50,000 rows from the
 * client's state: at rest, and while 25,000 events a second change rows. `longest task` is the longest task that the
 * browser reports, of 50 ms and more; `longest gap` also includes shorter ones.
 */
import { parseArgs } from "node:util";

import { buildLog } from "./log.mjs";
import { withPage } from "./page.mjs";

/** Rounds that are not counted, because the engine is still compiling. */
const WARM_UP = 2;

const { values: options } = parseArgs({
  options: {
    chromium: { type: "string" },
    rows: { type: "string", default: "50000" },
    rounds: { type: "string", default: "7" },
    /** Another built package, to compare with. */
    package: { type: "string" },
  },
});

const log = buildLog(30_000, Number(options.rows));
await withPage(options.chromium, log, measure, { page: "rows.html", ...(options.package && { pkg: options.package }) });

async function measure(page) {
  for (const busy of [false, true]) {
    const rounds = [];
    for (let round = -WARM_UP; round < Number(options.rounds); round += 1) {
      const result = await page.evaluate((busy) => globalThis.bench.round(busy), busy);
      if (round >= 0) rounds.push(result);
    }
    const show = (name) => {
      const sorted = rounds.map((it) => Math.round(it[name])).sort((a, b) => a - b);
      return `${sorted[sorted.length >> 1]} (${sorted[0]} to ${sorted.at(-1)})`;
    };
    console.log(`${busy ? "busy   " : "at rest"}  answer after ${show("took")} ms, long tasks ${show("longTasks")}, longest task ${show("longestTask")} ms, longest gap ${show("longestGap")} ms`);
  }
}
