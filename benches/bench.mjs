/**
 * Measures the events per second of the package's public `receive()` in headless Chromium, and of `JSON.parse` for the
 * same frames. The contenders alternate within every round, and each one starts a round in turn. So a computer that is
 * busy for a while slows all of them.
 */
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";

import { buildLog, EVENT_BYTES } from "./log.mjs";
import { withPage } from "./page.mjs";

const CONTENDERS = ["ours_bytes", "ours_text", "json_parse"];
/** Rounds that are not counted, because the engine is still compiling. */
const WARM_UP = 2;

const { values: options } = parseArgs({
  options: {
    chromium: { type: "string" },
    events: { type: "string", default: "20000" },
    rounds: { type: "string", default: "11" },
    report: { type: "string" },
    /** Another built package, to compare with. */
    package: { type: "string" },
  },
});

const rates = await measure(Number(options.events), Number(options.rounds));
const figures = Object.fromEntries(CONTENDERS.map((contender) => [contender, Math.round(median(rates[contender]))]));
const ratio = (contender) => Number((figures[contender] / figures.json_parse).toFixed(3));
const report = {
  ...figures,
  ratio_vs_json_parse: ratio("ours_bytes"),
  ratio_vs_json_parse_text: ratio("ours_text"),
};
for (const contender of CONTENDERS) {
  const [low, high] = [Math.min(...rates[contender]), Math.max(...rates[contender])].map(thousands);
  console.log(`${contender.padEnd(12)} ${thousands(figures[contender])} k/s  (rounds: ${low} to ${high})`);
}
console.log(`from bytes ${report.ratio_vs_json_parse} times JSON.parse, from strings ${report.ratio_vs_json_parse_text} times`);
if (options.report !== undefined) await writeFile(options.report, `${JSON.stringify(report, null, 2)}\n`);

async function measure(events, rounds) {
  const log = buildLog(events);
  if (log.measured.some((frame) => Buffer.byteLength(frame) !== EVENT_BYTES)) throw new Error("an event has another size");
  return withPage(options.chromium, log, (page) => takeTurns(page, rounds), options.package && { pkg: options.package });
}

async function takeTurns(page, rounds) {
  const rates = Object.fromEntries(CONTENDERS.map((contender) => [contender, []]));
  for (let round = -WARM_UP; round < rounds; round += 1) {
    for (let turn = 0; turn < CONTENDERS.length; turn += 1) {
      const contender = CONTENDERS[(round + WARM_UP + turn) % CONTENDERS.length];
      const rate = await page.evaluate((name) => globalThis.bench.round(name), contender);
      if (round >= 0) rates[contender].push(rate);
    }
  }
  return rates;
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function thousands(rate) {
  return (rate / 1000).toFixed(1).padStart(6);
}
