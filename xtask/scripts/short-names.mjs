/**
 * Gives what a module imports short names, in the module and in the JavaScript that offers it.
 * wasm-bindgen puts a hash of 16 digits into each name, in both files, which no compression takes away.
 *
 * Usage: node short-names.mjs <module.wasm> <glue.js>
 */
import { readFile, writeFile } from "node:fs/promises";

const HASHED = /__wbg_\w+?_[0-9a-f]{16}/g;
const IMPORTS = 2;
const HEADER = 8; // The magic number and the version.

const [modulePath, gluePath] = process.argv.slice(2);
const bytes = await readFile(modulePath);
const glue = await readFile(gluePath, "utf8");
const names = new Map([...new Set(glue.match(HASHED))].map((name, index) => [name, `i${index.toString(36)}`]));

const sections = [];
let renamed = 0;
for (let at = HEADER; at < bytes.length; ) {
  const id = bytes[at];
  const [size, from] = number(bytes, at + 1);
  const content = bytes.subarray(from, from + size);
  const written = id === IMPORTS ? rename(content) : content;
  sections.push(Buffer.of(id), encoded(written.length), written);
  at = from + size;
}
if (renamed === 0) throw new Error("the names are not what they were: look at the generated code");
await writeFile(modulePath, Buffer.concat([bytes.subarray(0, HEADER), ...sections]));
await writeFile(gluePath, glue.replace(HASHED, (name) => names.get(name)));

/** The section of imports with short names: a name is its length and its text, and none occurs elsewhere. */
function rename(content) {
  const parts = [];
  let from = 0;
  for (const { 0: name, index } of content.toString("latin1").matchAll(HASHED)) {
    if (content[index - 1] !== name.length) throw new Error(`${name} is not a name of its own`);
    const short = names.get(name);
    if (short === undefined) throw new Error(`the JavaScript does not offer ${name}`);
    parts.push(content.subarray(from, index - 1), Buffer.of(short.length), Buffer.from(short));
    from = index + name.length;
    renamed += 1;
  }
  return Buffer.concat([...parts, content.subarray(from)]);
}

/** A number in LEB128 at a place, and the place after it. */
function number(from, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = from[at++];
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return [value, at];
  }
}

function encoded(value) {
  const digits = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return Buffer.of(...digits, rest);
    digits.push((rest & 0x7f) | 0x80);
  }
}
