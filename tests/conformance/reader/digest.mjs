// Chapter 11: XXH64, row hashes, digests and buckets.

const MASK = (1n << 64n) - 1n;
const [P1, P2, P3, P4, P5] = [
  0x9e3779b185ebca87n, 0xc2b2ae3d27d4eb4fn, 0x165667b19e3779f9n, 0x85ebca77c2b2ae63n, 0x27d4eb2f165667c5n,
];
const rotate = (value, by) => ((value << by) | (value >> (64n - by))) & MASK;
const round = (lane, input) => (rotate((lane + input * P2) & MASK, 31n) * P1) & MASK;
const merge = (hash, lane) => ((hash ^ round(0n, lane)) * P1 + P4) & MASK;

/** Returns XXH64 with seed 0, after the published algorithm. */
export function xxh64(bytes) {
  let at = 0;
  let hash = P5;
  if (bytes.length >= 32) {
    const lanes = [(P1 + P2) & MASK, P2, 0n, -P1 & MASK];
    for (; at + 32 <= bytes.length; at += 32) {
      for (let lane = 0; lane < 4; lane += 1) {
        lanes[lane] = round(lanes[lane], bytes.readBigUInt64LE(at + 8 * lane));
      }
    }
    hash = (rotate(lanes[0], 1n) + rotate(lanes[1], 7n) + rotate(lanes[2], 12n) + rotate(lanes[3], 18n)) & MASK;
    for (const lane of lanes) hash = merge(hash, lane);
  }
  hash = (hash + BigInt(bytes.length)) & MASK;
  for (; at + 8 <= bytes.length; at += 8) {
    hash = (rotate(hash ^ round(0n, bytes.readBigUInt64LE(at)), 27n) * P1 + P4) & MASK;
  }
  if (at + 4 <= bytes.length) {
    hash = (rotate(hash ^ ((BigInt(bytes.readUInt32LE(at)) * P1) & MASK), 23n) * P2 + P3) & MASK;
    at += 4;
  }
  for (; at < bytes.length; at += 1) hash = (rotate(hash ^ ((BigInt(bytes[at]) * P5) & MASK), 11n) * P1) & MASK;
  hash = ((hash ^ (hash >> 33n)) * P2) & MASK;
  hash = ((hash ^ (hash >> 29n)) * P3) & MASK;
  return hash ^ (hash >> 32n);
}

export const COLUMNS = [
  "domainId", "domain", "offset", "dnsStatus", "httpStatus", "httpStatusCode", "leadStatus", "leadScore",
];
const INTEGERS = new Set(["offset", "httpStatusCode"]);

function column(name, value) {
  if (value === undefined || value === null) return Buffer.from([0]);
  if (typeof value === "string") {
    const utf8 = Buffer.from(value);
    const head = Buffer.alloc(5, 1);
    head.writeUInt32LE(utf8.length, 1);
    return Buffer.concat([head, utf8]);
  }
  const bytes = Buffer.alloc(9, INTEGERS.has(name) ? 2 : 3);
  if (INTEGERS.has(name)) bytes.writeBigInt64LE(BigInt(value), 1);
  else bytes.writeDoubleLE(value === 0 ? 0 : value, 1);
  return bytes;
}

/** Returns the bytes of a row that its hash covers. */
export function rowBytes(row) {
  return Buffer.concat(COLUMNS.map((name) => column(name, row[name])));
}

const hashes = new WeakMap();

/** Returns the hash of a row. The hash is cached, because a change always creates a new row object. */
export function rowHash(row) {
  if (!hashes.has(row)) hashes.set(row, xxh64(rowBytes(row)));
  return hashes.get(row);
}

export const bucketOf = (domainId) => Number(xxh64(Buffer.from(domainId)) >> 56n);
export const hex = (value) => (value & MASK).toString(16).padStart(16, "0");

/** Returns the digest of a set of rows. */
export function digestOf(rows) {
  let sum = 0n;
  for (const row of rows) sum += rowHash(row);
  return hex(sum);
}

/** Returns the 256 pairs [rows, digest]. */
export function bucketsOf(rows) {
  const buckets = Array.from({ length: 256 }, () => [0, 0n]);
  for (const row of rows) {
    const bucket = buckets[bucketOf(row.domainId)];
    bucket[0] += 1;
    bucket[1] += rowHash(row);
  }
  return buckets.map(([count, sum]) => [count, hex(sum)]);
}
