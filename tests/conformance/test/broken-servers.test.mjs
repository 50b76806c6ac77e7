// Exactly the expected cases report each break of a server. An unbroken server passes every case.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { Operations, readServer } from "../runner/operations.mjs";
import { readCases, runCases } from "../runner/run.mjs";
import { BREAKS } from "./breaks.mjs";
import { LIST_BREAKS } from "./list-breaks.mjs";
import { startProxy } from "./support/proxy.mjs";
import { startServer } from "./support/server.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
/** Longer than the 2 s that the server waits for a lagging log before it answers. */
const ANSWER_MS = 5_000;
const AT_ONCE = 10;
/** The longest time until a campaign has moved on, which a case waits that must fail. */
const MOVE_MS = 20_000;
/** A case that sends megabytes, which runs only against the breaks that it must report. */
const HEAVY = "C-ORDER/slow";
let server;
let cases;

before(async () => {
  server = await startServer(["--heartbeat-ms", "500"]);
  cases = await readCases(here("../cases"));
});
after(() => server?.stop());

/** The cases that could notice a break. Only cases of the list ask for what a break of the list changes, and heads. */
function noticing(broken) {
  const isOfList = LIST_BREAKS.includes(broken);
  return cases.filter(({ id }) => {
    if (id === HEAVY) return broken.fails.includes(id);
    return id.startsWith("C-LIST/") ? isOfList : !isOfList || id.startsWith("C-HEADS/");
  });
}

/** Returns the verdicts of cases through a proxy with one break. */
async function verdicts(broken, chosen, settings = {}) {
  const proxy = await startProxy(server.port, broken);
  const url = `ws://127.0.0.1:${proxy.port}/api/v2/ws`;
  try {
    const operations = new Operations(await readServer(here("../servers/reference.json")), url);
    return await runCases(chosen, { url, operations, answerMs: ANSWER_MS, atOnce: AT_ONCE, ...settings });
  } finally {
    await proxy.stop();
  }
}

const named = (results, verdict) => results.filter((result) => result.verdict === verdict).map(({ item }) => item.id).sort();
const summary = (results) =>
  results
    .filter(({ verdict }) => verdict !== "passed")
    .map(({ item, verdict, reason = "", failure, breaches }) =>
      [verdict, item.id, reason, failure?.message ?? "", JSON.stringify(breaches[0] ?? "")].join(" "))
    .join("\n");

test("unbroken server passes every case through the proxy", async () => {
  const results = await verdicts({}, cases);
  assert.deepEqual(named(results, "passed"), cases.map(({ id }) => id).sort(), summary(results));
});

for (const broken of BREAKS) {
  test(`broken: ${broken.title}`, async () => {
    const results = await verdicts(broken, noticing(broken), { moveMs: MOVE_MS });
    const failed = named(results, "failed").filter((id) => !broken.mayFail?.includes(id));
    assert.deepEqual(failed, [...broken.fails].sort(), summary(results) || "all passed");
  });
}

test("every case reports a break, and an existing case reports every break", () => {
  const reporting = new Set(BREAKS.flatMap(({ fails }) => fails));
  const ids = cases.map(({ id }) => id);
  assert.deepEqual([...reporting].filter((id) => !ids.includes(id)), []);
  assert.deepEqual(ids.filter((id) => !reporting.has(id)).sort(), UNBROKEN);
});

/** A case whose breaks a proxy cannot simulate: it would have to invent a campaign's events. */
const UNBROKEN = ["C-ORDER/idle"];
