// Usage: `node histories/run.mjs [--histories N] [--seed S] [--each]`. Runs random histories through the machine and the
// reader, and prints every difference, with the journal of the shortest history. `--each` compares after every frame
// instead of sometimes.

import { parseArgs } from "node:util";

import { Disagreement, History } from "./history.mjs";
import { MachineProcess } from "./machine.mjs";

const AT_ONCE = 16;

/** Runs histories from `seed` on, and gives up after twenty differences. `makeReader` may replace the reader. */
export async function runHistories({ histories, seed, compares, makeReader }) {
  const machine = new MachineProcess();
  const report = { histories: 0, compared: 0, counts: {}, failures: [] };
  let next = seed;
  const worker = async () => {
    while (next < seed + histories && report.failures.length < 20) {
      const history = new History(machine, next, { compares, reader: makeReader?.() });
      next += 1;
      try {
        await history.run();
      } catch (error) {
        if (!(error instanceof Disagreement)) throw error;
        report.failures.push({ seed: history.seed, message: error.message, journal: history.journal });
      }
      report.histories += 1;
      report.compared += history.compared ?? 0;
      for (const [word, count] of Object.entries(history.reader.counts)) {
        report.counts[word] = (report.counts[word] ?? 0) + count;
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  } finally {
    machine.stop();
  }
  return report;
}

if (import.meta.filename === process.argv[1]) {
  const { values } = parseArgs({
    options: { histories: { type: "string", default: "10000" }, seed: { type: "string", default: "1" }, each: { type: "boolean" } },
  });
  const [histories, seed] = [Number(values.histories), Number(values.seed)];
  if (!Number.isSafeInteger(histories) || histories < 1 || !Number.isSafeInteger(seed) || seed < 0) {
    console.error("error: --histories is a count from 1, --seed a number from 0");
    process.exit(2);
  }
  const report = await runHistories({ histories, seed, compares: values.each ? 1 : undefined });
  for (const { message } of report.failures) console.log(message);
  const shortest = report.failures.reduce((a, b) => (a && a.journal.length <= b.journal.length ? a : b), undefined);
  for (const [verb, source = ""] of shortest?.journal ?? []) console.log(`${verb} ${source}`);
  const { failures, ...figures } = report;
  console.log(JSON.stringify({ ...figures, failures: failures.length }));
  process.exitCode = failures.length === 0 ? 0 : 1;
}
