// The reader against what the document itself works out: vectors, examples, and the session of chapter 18.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { bucketOf, bucketsOf, digestOf, hex, rowBytes, rowHash, xxh64 } from "../reader/digest.mjs";
import { documents, isGenuine, readDocument } from "../reader/frame.mjs";
import { Reader } from "../reader/client.mjs";

const docs = new URL("../../../docs/", import.meta.url);
const contract = readFileSync(new URL("PROTOCOL.md", docs), "utf8");
const vectors = (name) => JSON.parse(readFileSync(new URL(`vectors/${name}.json`, docs), "utf8"));

test("hashed bytes and hashes are those of the vectors", () => {
  const { events } = vectors("event-hash");
  assert.ok(events.length > 0);
  for (const { name, document, hashed, eventHash } of events) {
    const event = readDocument(document);
    assert.equal(event.hashed, hashed, name);
    assert.equal(event.hash, eventHash, name);
    assert.ok(isGenuine(event), name);
  }
});

test("row hashes, buckets and digests are those of the vectors", () => {
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

test("XXH64 is that of the examples", () => {
  assert.ok(contract.includes(`XXH64 of no bytes     ${hex(xxh64(Buffer.alloc(0)))}`));
  assert.ok(contract.includes(`XXH64 of "abc"        ${hex(xxh64(Buffer.from("abc")))}`));
});

/** The lines of chapter 18: who speaks, and what. */
function session() {
  const blocks = [...contract.matchAll(/```transcript\n([^]*?)```/g)].flatMap(([, block]) => block.trim().split("\n"));
  return blocks.map((line) => [line[0], line.slice(2)]);
}

test("the session of chapter 18 ends at the state that its own last head states", () => {
  const lines = session();
  assert.ok(lines.length > 20);
  const reader = new Reader();
  for (const [who, line] of lines) {
    if (who === "C") reader.sent(line);
    else if (who === "S") reader.received(line);
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

test("what the JSON rules forbid is refused with its code", () => {
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

test("a frame is split at line feeds only and refused whole only for the four reasons", () => {
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
