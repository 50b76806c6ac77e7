/** The two hashes of the contract: SHA-256 of events (docs/PROTOCOL.md, chapter 4) and XXH64 of rows (chapter 11). */

let encoder: TextEncoder | undefined;

/** Encodes a well-formed text. */
function utf8(text: string): Uint8Array {
  if (typeof TextEncoder === "function") return (encoder ??= new TextEncoder()).encode(text);
  // Jest's environment `jsdom` has no encoder.
  const bytes: number[] = [];
  for (const character of text) {
    const point = character.codePointAt(0)!;
    if (point < 0x80) bytes.push(point);
    else if (point < 0x800) bytes.push(0xc0 | (point >> 6), 0x80 | (point & 0x3f));
    else if (point < 0x10000) bytes.push(0xe0 | (point >> 12), 0x80 | ((point >> 6) & 0x3f), 0x80 | (point & 0x3f));
    else bytes.push(0xf0 | (point >> 18), 0x80 | ((point >> 12) & 0x3f), 0x80 | ((point >> 6) & 0x3f), 0x80 | (point & 0x3f));
  }
  return Uint8Array.from(bytes);
}

/** Number of bytes of a text in UTF-8. */
export function byteLength(text: string): number {
  return utf8(text).length;
}

/** The fractional parts of a root of the first primes, as SHA-256 defines its constants. */
function constants(count: number, root: (prime: number) => number): Uint32Array {
  const found: number[] = [];
  for (let candidate = 2; found.length < count; candidate++) {
    let isPrime = true;
    for (let divisor = 2; divisor * divisor <= candidate; divisor++) isPrime &&= candidate % divisor !== 0;
    const value = root(candidate);
    if (isPrime) found.push((value - Math.floor(value)) * 2 ** 32);
  }
  return Uint32Array.from(found);
}

let tables: { readonly start: Uint32Array; readonly rounds: Uint32Array } | undefined;

/** Returns SHA-256 of the UTF-8 of a text, as 64 hex digits. */
export function sha256(text: string): string {
  tables ??= { start: constants(8, Math.sqrt), rounds: constants(64, Math.cbrt) };
  const message = utf8(text);
  const blocks = (message.length + 9 + 63) >> 6;
  const padded = new Uint8Array(blocks << 6);
  padded.set(message);
  padded[message.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(message.length / 2 ** 29));
  view.setUint32(padded.length - 4, message.length << 3);
  const state = Uint32Array.from(tables.start);
  const schedule = new Uint32Array(64);
  for (let at = 0; at < padded.length; at += 64) compress(state, schedule, view, at, tables.rounds);
  return [...state].map((word) => word.toString(16).padStart(8, "0")).join("");
}

const rotated = (word: number, by: number): number => (word >>> by) | (word << (32 - by));

function compress(state: Uint32Array, schedule: Uint32Array, view: DataView, at: number, rounds: Uint32Array): void {
  for (let i = 0; i < 16; i++) schedule[i] = view.getUint32(at + 4 * i);
  for (let i = 16; i < 64; i++) {
    const [before, last] = [schedule[i - 15]!, schedule[i - 2]!];
    const small = rotated(before, 7) ^ rotated(before, 18) ^ (before >>> 3);
    const large = rotated(last, 17) ^ rotated(last, 19) ^ (last >>> 10);
    schedule[i] = schedule[i - 16]! + small + schedule[i - 7]! + large;
  }
  let [a, b, c, d, e, f, g, h] = state as unknown as [number, number, number, number, number, number, number, number];
  for (let i = 0; i < 64; i++) {
    const chosen = (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) + ((e & f) ^ (~e & g));
    const first = (h + chosen + rounds[i]! + schedule[i]!) | 0;
    const second = (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = (d + first) | 0;
    d = c;
    c = b;
    b = a;
    a = (first + second) | 0;
  }
  [a, b, c, d, e, f, g, h].forEach((word, i) => (state[i] = state[i]! + word));
}

const WORD = 64;
const wrap = (value: bigint): bigint => BigInt.asUintN(WORD, value);
const rotate = (value: bigint, by: number): bigint => wrap((value << BigInt(by)) | (value >> BigInt(WORD - by)));
/** The primes of XXH64, as texts: older targets of bundlers refuse literals of large integers. */
const primes = (): bigint[] =>
  ["0x9e3779b185ebca87", "0xc2b2ae3d27d4eb4f", "0x165667b19e3779f9", "0x85ebca77c2b2ae63", "0x27d4eb2f165667c5"].map(BigInt);

let P: bigint[] | undefined;

/** Returns XXH64 with seed 0. */
export function xxh64(bytes: Uint8Array): bigint {
  P ??= primes();
  const [p1, p2, p3, p4, p5] = P as [bigint, bigint, bigint, bigint, bigint];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const round = (lane: bigint, input: bigint): bigint => wrap(rotate(wrap(lane + input * p2), 31) * p1);
  let at = 0;
  let hash = p5;
  if (bytes.length >= 32) {
    const lanes = [wrap(p1 + p2), p2, BigInt(0), wrap(-p1)];
    for (; at + 32 <= bytes.length; at += 32) {
      for (let i = 0; i < 4; i++) lanes[i] = round(lanes[i]!, view.getBigUint64(at + 8 * i, true));
    }
    hash = wrap([1, 7, 12, 18].reduce((sum, by, i) => sum + rotate(lanes[i]!, by), BigInt(0)));
    for (const lane of lanes) hash = wrap((hash ^ round(BigInt(0), lane)) * p1 + p4);
  }
  hash = wrap(hash + BigInt(bytes.length));
  for (; at + 8 <= bytes.length; at += 8) hash = wrap(rotate(hash ^ round(BigInt(0), view.getBigUint64(at, true)), 27) * p1 + p4);
  if (at + 4 <= bytes.length) {
    hash = wrap(rotate(hash ^ wrap(BigInt(view.getUint32(at, true)) * p1), 23) * p2 + p3);
    at += 4;
  }
  for (; at < bytes.length; at++) hash = wrap(rotate(hash ^ wrap(BigInt(bytes[at]!) * p5), 11) * p1);
  hash = wrap((hash ^ (hash >> BigInt(33))) * p2);
  hash = wrap((hash ^ (hash >> BigInt(29))) * p3);
  return hash ^ (hash >> BigInt(32));
}

/** The columns of a row, in the order in which its hash covers them. */
export const COLUMNS = ["domainId", "domain", "offset", "dnsStatus", "httpStatus", "httpStatusCode", "leadStatus", "leadScore"] as const;

/** A row as the wire has it: an absent column has no value. */
export type WireRow = { -readonly [C in (typeof COLUMNS)[number]]?: string | number };

/** Returns the hash of a row. */
export function rowHash(row: WireRow): bigint {
  const parts = COLUMNS.map((column) => columnBytes(column, row[column]));
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return xxh64(bytes);
}

function columnBytes(column: string, value: string | number | undefined): Uint8Array {
  if (value === undefined) return Uint8Array.of(0);
  if (typeof value === "string") {
    const text = utf8(value);
    const bytes = new Uint8Array(5 + text.length);
    bytes[0] = 1;
    new DataView(bytes.buffer).setUint32(1, text.length, true);
    bytes.set(text, 5);
    return bytes;
  }
  const bytes = new Uint8Array(9);
  const view = new DataView(bytes.buffer);
  bytes[0] = column === "leadScore" ? 3 : 2;
  if (column === "leadScore") view.setFloat64(1, value === 0 ? 0 : value, true);
  else view.setBigInt64(1, BigInt(value), true);
  return bytes;
}

/** The bucket of a row, 0 to 255. */
export function bucketOf(domainId: string): number {
  return Number(xxh64(utf8(domainId)) >> BigInt(56));
}

/** A digest as the wire writes it. */
export function digestText(sum: bigint): string {
  return wrap(sum).toString(16).padStart(16, "0");
}
