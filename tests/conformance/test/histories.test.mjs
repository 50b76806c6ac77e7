// Random histories through the reader and the machine: they must agree. `node histories/run.mjs` runs as many as wanted.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Reader } from "../reader/client.mjs";
import { runHistories } from "../histories/run.mjs";

/** About twenty seconds of a quiet machine. */
const HISTORIES = 350;
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

/** A reader with a mistake: it shows a row less than it has. */
class Losing extends Reader {
  shown(campaignId) {
    const shown = super.shown(campaignId);
    return { ...shown, rows: new Map([...shown.rows].slice(1)) };
  }
}

/** A reader with another: it misses every ninth frame. */
class Dozing extends Reader {
  frames = 0;

  received(frame) {
    this.frames += 1;
    if (this.frames % 9 !== 0) super.received(frame);
  }
}

for (const Mistaken of [Losing, Dozing]) {
  test(`a mistaken reader is found out: ${Mistaken.name}`, async () => {
    const { failures } = await runHistories({ histories: 30, seed: SEED, makeReader: () => new Mistaken() });
    assert.ok(failures.length > 0);
    assert.match(failures[0].message, /^seed \d+, /);
  });
}
