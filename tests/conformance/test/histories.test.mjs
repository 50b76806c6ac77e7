// Runs random histories through the reader and the machine, which must agree. `node histories/run.mjs` runs any number.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Reader } from "../reader/client.mjs";
import { runHistories } from "../histories/run.mjs";

/** The number of histories that an idle computer runs in about 20 seconds. */
const HISTORIES = 350;
const SEED = 1;

// R10.1, R10.5, R10.6, R10.7, R10.15, R10.16, R13.6, R13.15
test("reader and machine agree on random histories", async () => {
  const { histories, failures, counts } = await runHistories({ histories: HISTORIES, seed: SEED });
  assert.deepEqual(failures.map(({ message }) => message), []);
  assert.equal(histories, HISTORIES);
  // The histories must reach each of these counters.
  const reached = [
    "applied", "duplicates", "redelivered", "outOfOrder", "gaps", "held", "corrupt", "foreignEpoch", "retiredEpoch",
    "unknownTypes", "unsubscribed", "refused.invalid_content", "refused.integer_out_of_range", "refused.invalid_snapshot",
  ];
  assert.deepEqual(reached.filter((word) => !counts[word]), []);
});

/** A reader with a mistake: it shows one row less than it has. */
class Losing extends Reader {
  shown(campaignId) {
    const shown = super.shown(campaignId);
    return { ...shown, rows: new Map([...shown.rows].slice(1)) };
  }
}

/** A reader with another mistake: it misses every ninth frame. */
class Dozing extends Reader {
  frames = 0;

  received(frame) {
    this.frames += 1;
    if (this.frames % 9 !== 0) super.received(frame);
  }
}

for (const Mistaken of [Losing, Dozing]) {
  test(`comparison detects a reader with a mistake: ${Mistaken.name}`, async () => {
    const { failures } = await runHistories({ histories: 30, seed: SEED, makeReader: () => new Mistaken() });
    assert.ok(failures.length > 0);
    assert.match(failures[0].message, /^seed \d+, /);
  });
}
