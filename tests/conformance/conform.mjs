// Usage: `node conform.mjs ws://HOST:PORT/api/v2/ws [--token T] [--server FILE] [--case ID] [--cases DIRECTORY]`

import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { Unusable } from "./runner/failure.mjs";
import { Operations, readServer } from "./runner/operations.mjs";
import { readCases, runCases } from "./runner/run.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const MOST_BREACHES = 5;

function options() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        token: { type: "string" },
        server: { type: "string", default: here("servers/reference.json") },
        case: { type: "string", multiple: true },
        cases: { type: "string", default: here("cases") },
      },
    });
    if (positionals.length !== 1 || !/^wss?:\/\/[^/]+/.test(positionals[0])) {
      throw new Unusable("which server? Its address begins with ws:// or wss://");
    }
    return { ...values, url: positionals[0] };
  } catch (error) {
    throw new Unusable(error.message);
  }
}

function print({ item, verdict, reason, failure, breaches, journals }) {
  console.log(`${verdict.padEnd(8)} ${item.id}  ${item.title}${reason ? ` (${reason})` : ""}`);
  if (verdict !== "failed") return;
  console.log(`  guarantee ${item.guarantee}; ${item.rules.join(", ")}: ${item.rule}`);
  if (failure) console.log(`  expected  ${failure.expected}\n  seen      ${failure.seen}`);
  for (const { expected, seen, source } of breaches.slice(0, MOST_BREACHES)) {
    console.log(`  expected  ${expected}\n  seen      ${seen}`);
    if (source) console.log(`  in        ${source}`);
  }
  if (breaches.length > MOST_BREACHES) console.log(`  and ${breaches.length - MOST_BREACHES} more`);
  for (const { name, journal } of journals) {
    console.log(`  the end of connection ${name}:`);
    for (const line of journal) console.log(`    ${line}`);
  }
}

async function main() {
  const { url, token, server, case: ids, cases: directory } = options();
  const all = await readCases(directory);
  const chosen = ids === undefined ? all : all.filter(({ id }) => ids.some((wanted) => id === wanted || id.startsWith(`${wanted}/`)));
  if (chosen.length === 0) throw new Unusable(`there is no case ${ids.join(", ")}`);
  const operations = new Operations(await readServer(server), url, token);
  const results = await runCases(chosen, { url, token, operations }, print);
  const count = (verdict) => results.filter((result) => result.verdict === verdict).length;
  const rest = ["unjudged", "skipped"].filter((verdict) => count(verdict) > 0).map((verdict) => `, ${count(verdict)} ${verdict}`);
  console.log(`\n${count("passed")} passed, ${count("failed")} failed${rest.join("")}`);
  return count("failed") + count("unjudged") === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof Unusable)) throw error;
  console.error(`error: ${error.message}`);
  process.exitCode = 2;
}
