// Each break of a server is reported by exactly the cases that are meant to report it; an unbroken server passes all.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { Operations, readServer } from "../runner/operations.mjs";
import { readCases, runCases } from "../runner/run.mjs";
import { BREAKS } from "./breaks.mjs";
import { startProxy } from "./support/proxy.mjs";
import { startServer } from "./support/server.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
/** The server waits 2 s for a log that lags, before it answers. */
const ANSWER_MS = 5_000;
const AT_ONCE = 10;
let server;
let cases;

before(async () => {
  server = await startServer(["--heartbeat-ms", "500"]);
  cases = await readCases(here("../cases"));
});
after(() => server.stop());

/** The verdicts of all cases through a proxy. */
async function verdicts(broken) {
  const proxy = await startProxy(server.port, broken);
  const url = `ws://127.0.0.1:${proxy.port}/api/v2/ws`;
  try {
    const operations = new Operations(await readServer(here("../servers/reference.json")), url);
    return await runCases(cases, { url, operations, answerMs: ANSWER_MS, atOnce: AT_ONCE });
  } finally {
    await proxy.stop();
  }
}

const named = (results, verdict) => results.filter((result) => result.verdict === verdict).map(({ item }) => item.id).sort();
const told = (results) =>
  results
    .filter(({ verdict }) => verdict !== "passed")
    .map(({ item, verdict, reason = "", failure, breaches }) =>
      [verdict, item.id, reason, failure?.message ?? "", JSON.stringify(breaches[0] ?? "")].join(" "))
    .join("\n");

test("an unbroken server passes every case through the proxy", async () => {
  const results = await verdicts({});
  assert.deepEqual(named(results, "passed"), cases.map(({ id }) => id).sort(), told(results));
});

for (const broken of BREAKS) {
  test(`broken: ${broken.title}`, async () => {
    const results = await verdicts(broken);
    assert.deepEqual(named(results, "failed"), [...broken.fails].sort(), told(results) || "all passed");
  });
}

test("every case reports some break, and every break is reported by a case that exists", () => {
  const reporting = new Set(BREAKS.flatMap(({ fails }) => fails));
  const ids = cases.map(({ id }) => id);
  assert.deepEqual([...reporting].filter((id) => !ids.includes(id)), []);
  assert.deepEqual(ids.filter((id) => !reporting.has(id)).sort(), UNBROKEN);
});

/** What no proxy can fake: it would have to make up a campaign's events, or wait in the log's place. */
const UNBROKEN = ["C-ORDER/idle", "C-RECOVERY/ahead", "C-RECOVERY/unknown"];
