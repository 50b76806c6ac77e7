/**
 * Measures for how long `getRichCampaignData` keeps a page in headless Chromium from reacting, with 50,000 rows from the
 * client's state: at rest, and while 25,000 events a second change rows. `longest task` is the longest task that the browser reports, of 50 ms
 * and more; `longest gap` also includes shorter ones.
 */
import { parseArgs } from "node:util";

import { chromium } from "playwright-core";

import { buildLog } from "./log.mjs";
import { serve } from "./serve.mjs";

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
const { address, stop } = await serve(log, { page: "rows.html", ...(options.package && { pkg: options.package }) });
const browser = await chromium.launch({
  executablePath: options.chromium,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
try {
  const page = await browser.newPage();
  page.on("pageerror", (error) => console.error(error));
  await page.goto(address);
  await page.waitForFunction(() => globalThis.bench !== undefined);
  await page.evaluate(() => globalThis.bench.load());
  for (const busy of [false, true]) {
    const rounds = [];
    for (let round = -2; round < Number(options.rounds); round += 1) {
      const result = await page.evaluate((busy) => globalThis.bench.round(busy), busy);
      if (round >= 0) rounds.push(result);
    }
    const range = (name) => rounds.map((it) => Math.round(it[name])).sort((a, b) => a - b);
    const show = (name) => { const all = range(name); return `${all[all.length >> 1]} (${all[0]} to ${all.at(-1)})`; };
    console.log(`${busy ? "busy   " : "at rest"}  answer after ${show("took")} ms, long tasks ${show("longTasks")}, longest task ${show("longestTask")} ms, longest gap ${show("longestGap")} ms`);
  }
} finally {
  await browser.close();
  stop();
}
