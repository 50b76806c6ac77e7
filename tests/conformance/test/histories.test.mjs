// Random histories through the reader and the machine: they must agree. `node histories/run.mjs` runs as many as wanted.

import assert from "node:assert/strict";
import { test } from "node:test";

import { runHistories } from "../histories/run.mjs";

/** About twenty seconds of a quiet machine. */
const HISTORIES = 500;
const SEED = 1;

test("the reader and the machine agree on random histories", async () => {
  const { histories, failures, counts } = await runHistories({ histories: HISTORIES, seed: SEED });
  assert.deepEqual(failures.map(({ message }) => message), []);
  assert.equal(histories, HISTORIES);
  // The generator reaches what it is there for.
  const reached = [
    "applied", "duplicates", "redelivered", "outOfOrder", "gaps", "held", "corrupt", "foreignEpoch", "retiredEpoch",
    "unknownTypes", "unsubscribed", "refused.invalid_content", "refused.integer_out_of_range", "refused.invalid_snapshot",
  ];
  assert.deepEqual(reached.filter((word) => !counts[word]), []);
});
