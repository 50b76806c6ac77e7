// A missing server fails a test at once, with the command that builds it. Nothing hangs.

import { strict as assert } from "node:assert";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { runWithoutPrograms } from "../e2e/lib/missing.mjs";

test("missing server is reported with the command that builds it", async () => {
  const { code, output } = await runWithoutPrograms(fileURLToPath(new URL("hooks.test.mjs", import.meta.url)));
  assert.equal(code, 1);
  assert.match(output, /campaign-sync-server is missing\. Build it: cargo build --package campaign-sync-harness/);
});
