// The server of `campaign-sync/testing` passes every case of the kit, over real sockets and real HTTP.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { Operations, readServer } from "../runner/operations.mjs";
import { readCases, runCases } from "../runner/run.mjs";
import { startTestServer } from "./support/test-server.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const AT_ONCE = 10;

test("test server of the package passes every case", async () => {
  const server = await startTestServer({ heartbeatMs: 500 });
  const url = `ws://127.0.0.1:${server.port}/api/v2/ws`;
  try {
    const operations = new Operations(await readServer(here("../servers/reference.json")), url);
    const cases = await readCases(here("../cases"));
    const results = await runCases(cases, { url, operations, atOnce: AT_ONCE });
    const others = results.filter(({ verdict }) => verdict !== "passed");
    const report = others.map(({ verdict, item, reason, failure, breaches }) => [verdict, item.id, reason, failure?.message, JSON.stringify(breaches[0])]);
    assert.deepEqual(report, []);
    assert.equal(results.length, cases.length);
  } finally {
    await server.stop();
  }
});
