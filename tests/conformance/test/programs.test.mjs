// A missing program fails a test at once, with the command that builds it. Nothing hangs.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { runWithoutPrograms } from "../../e2e/lib/missing.mjs";

for (const [file, program] of [["broken-servers", "campaign-sync-server"], ["histories", "conformance-machine"]]) {
  test(`missing ${program} is reported with the command that builds it`, async () => {
    const { code, output } = await runWithoutPrograms(fileURLToPath(new URL(`${file}.test.mjs`, import.meta.url)));
    assert.equal(code, 1);
    assert.match(output, new RegExp(`${program} is missing\\. Build it: cargo build --package campaign-sync-harness`));
  });
}
