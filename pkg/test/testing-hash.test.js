// The hashes of `campaign-sync/testing`, with the golden vectors of the contract and the hashes of Node.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { test } from "node:test";

import { bucketOf, byteLength, digestText, rowHash, sha256, xxh64 } from "../dist/testing/hash.js";

const TEXTS = ["", "abc", "müller.example €😀", ...[55, 56, 63, 64, 65, 119, 120, 1_000].map((length) => "x".repeat(length)), "é€😀".repeat(99)];

const require = createRequire(import.meta.url);
const vectors = (name) => require(`../../docs/vectors/${name}.json`);
const withoutNulls = (row) => Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null));

/** Runs a test twice: with the platform's encoder, and without one as in Jest's environment `jsdom`. */
function inBothPlatforms(run) {
  const { TextEncoder } = globalThis;
  run();
  delete globalThis.TextEncoder;
  try {
    run();
  } finally {
    globalThis.TextEncoder = TextEncoder;
  }
}

test("SHA-256 of texts is that of Node", () => {
  const hashes = TEXTS.map((text) => createHash("sha256").update(text).digest("hex"));
  inBothPlatforms(() => {
    assert.deepEqual(TEXTS.map(sha256), hashes);
    assert.deepEqual(TEXTS.map(byteLength), TEXTS.map((text) => Buffer.byteLength(text)));
  });
});

test("hashes of rows and events are those of the golden vectors", () => {
  const { rows } = vectors("row-hash");
  const { tables } = vectors("digest");
  const { events } = vectors("event-hash");
  inBothPlatforms(() => {
    for (const { row, rowHash: expected } of rows) assert.equal(digestText(rowHash(withoutNulls(row))), expected, JSON.stringify(row));
    for (const { name, rows: table, domainsDigest, buckets } of tables) {
      assert.equal(digestText(table.reduce((sum, row) => sum + rowHash(withoutNulls(row)), 0n)), domainsDigest, name);
      const found = new Set(table.map(({ domainId }) => bucketOf(domainId)));
      assert.deepEqual([...found].sort((a, b) => a - b), buckets.map(({ bucket }) => bucket).sort((a, b) => a - b), name);
    }
    for (const { name, hashed, eventHash } of events) assert.equal(sha256(hashed), eventHash, name);
  });
  assert.equal(digestText(xxh64(new Uint8Array())), "ef46db3751d8e999");
});
