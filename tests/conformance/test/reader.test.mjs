// Tests the reader against the vectors, the examples and the session in chapter 18 of the contract.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { bucketOf, bucketsOf, digestOf, hex, rowBytes, rowHash, xxh64 } from "../reader/digest.mjs";
import { documents, isGenuine, readDocument } from "../reader/frame.mjs";
import { Reader } from "../reader/client.mjs";
import { CODES } from "../runner/checks.mjs";

const docs = new URL("../../../docs/", import.meta.url);
const contract = readFileSync(new URL("PROTOCOL.md", docs), "utf8");
const vectors = (name) => JSON.parse(readFileSync(new URL(`vectors/${name}.json`, docs), "utf8"));

test("hashed bytes and hashes equal the vectors", () => {
  const { events } = vectors("event-hash");
  assert.ok(events.length > 0);
  for (const { name, document, hashed, eventHash } of events) {
    const event = readDocument(document);
    assert.equal(event.hashed, hashed, name);
    assert.equal(event.hash, eventHash, name);
    assert.ok(isGenuine(event), name);
  }
});

test("row hashes, buckets and digests equal the vectors", () => {
  for (const { row, bytes, rowHash: hash, bucket } of vectors("row-hash").rows) {
    assert.equal(rowBytes(row).toString("hex"), bytes);
    assert.equal(hex(rowHash(row)), hash);
    if (bucket !== undefined) assert.equal(bucketOf(row.domainId), bucket);
  }
  for (const { name, rows, domainsDigest, buckets } of vectors("digest").tables) {
    assert.equal(digestOf(rows), domainsDigest, name);
    const filled = bucketsOf(rows).map(([count, sum], bucket) => ({ bucket, count, sum })).filter(({ count }) => count > 0);
    assert.deepEqual(filled, buckets, name);
  }
});

test("XXH64 equals the examples of the contract", () => {
  assert.ok(contract.includes(`XXH64 of no bytes     ${hex(xxh64(Buffer.alloc(0)))}`));
  assert.ok(contract.includes(`XXH64 of "abc"        ${hex(xxh64(Buffer.from("abc")))}`));
});

/** Returns the lines of chapter 18 as pairs of sender and text. */
function session() {
  const blocks = [...contract.matchAll(/```transcript\n([^]*?)```/g)].flatMap(([, block]) => block.trim().split("\n"));
  return blocks.map((line) => [line[0], line.slice(2)]);
}

test("session of chapter 18 ends in the state that its last head describes", () => {
  const lines = session();
  assert.ok(lines.length > 20);
  const reader = new Reader();
  for (const [sender, line] of lines) {
    if (sender === "C") reader.sent(line);
    else if (sender === "S") reader.received(line);
    else reader.disconnected();
  }
  const { heads: [head] } = JSON.parse(lines.at(-1)[1]).data;
  const { position, rows, digest, record } = reader.shown(head.campaignId);
  assert.equal(position.number, head.lastSequenceNumber);
  assert.equal(position.epoch, head.epoch);
  assert.equal(rows.size, head.domainsCount);
  assert.equal(digest, head.domainsDigest);
  assert.equal(record.currentPhase, "http_keyword_validation");
  assert.deepEqual(reader.counts, { applied: 8, held: 1, gaps: 1, redelivered: 1 });
});

test("known codes equal the table of chapter 14", () => {
  const [table] = /\*\*Codes\.\*\*[^]*?\n\n(?=\*)/.exec(contract);
  const codes = [...table.matchAll(/^\| `([a-z0-9_]+)` \|/gm)].map(([, code]) => code);
  assert.deepEqual([...CODES], codes);
});

test("document that breaks a JSON rule is refused with its code", () => {
  const refusal = (document) => {
    try {
      readDocument(document);
    } catch (error) {
      return error.code;
    }
    return "accepted";
  };
  const nested = (depth) => `{"type":"x","data":${"[".repeat(depth)}1${"]".repeat(depth)}}`;
  assert.equal(refusal(nested(64)), "accepted");
  assert.equal(refusal(nested(65)), "too_deep");
  assert.equal(refusal('{"type":"x","data":"\\ud800"}'), "lone_surrogate");
  assert.equal(refusal('{"type":"x","typ\\u0065":"y"}'), "ambiguous_envelope");
  assert.equal(refusal('{"type":"x","type":"y"}'), "ambiguous_envelope");
  assert.equal(refusal('{"type":"x",}'), "invalid_json");
  assert.equal(refusal('{"type":"campaign.deleted","data":{}}'), "missing_sequence");
});

test("frame is split at line feeds only and refused whole for four reasons only", () => {
  assert.deepEqual(documents('{"a":1}\n \r\n{"b":"}{"}\n'), ['{"a":1}', '{"b":"}{"}']);
  const code = (frame) => {
    try {
      return documents(frame).length;
    } catch (error) {
      return error.code;
    }
  };
  assert.equal(code("\n \n"), "empty_frame");
  assert.equal(code(Buffer.from([0x7b, 0xff])), "invalid_utf8");
  assert.equal(code("1\n".repeat(10_000)), 10_000);
  assert.equal(code("1\n".repeat(10_001)), "too_many_documents");
  assert.equal(code(" ".repeat(1_048_577)), "frame_too_large");
});
