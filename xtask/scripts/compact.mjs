/**
 * Makes a finished module smaller in ways that the compiler and wasm-opt lack:
 *
 * * The texts and source positions of panics are overwritten by zeros. After `trap-panics.mjs` no code refers to them,
 *   but wasm-opt cannot know where one text in the data ends and the next begins.
 * * The imports and exports lose the hashes at the end of their names, which do not compress. Exports that the generated
 *   JavaScript does not use are removed.
 *
 * Usage: node compact.mjs <directory of node_modules> <module.wasm> <its generated module.js>
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, wasmPath, jsPath] = process.argv.slice(2);
const { default: binaryen } = await import(pathToFileURL(join(modules, "binaryen/index.js")));

/** Paths of source files, as the compiler writes them into the positions of panics. */
const SOURCE_FILE = /(?:\/rustc\/[0-9a-f]{40}\/library\/|[a-z][\w-]*-\d+\.\d+\.\d+\/src\/|src\/)[\w/]+\.rs/g;
/** The texts of panics of the standard library and of wasm-bindgen. One that is missing here stays in the module. */
const PANIC_TEXT = new RegExp(
  [
    "slice index starts at ", " but ends at ", "index out of bounds: the len is ", " but the index is ", "range (?:start|end) index ",
    " out of range for slice of length ", "min > max\\. min = ", ", max = ", "copy_from_slice: source slice length \\(",
    "\\) does not match destination slice length \\(", "(?:insertion|removal|swap_remove) index \\(is ", "\\) should be <=? len \\(is ",
    "attempted to take ownership of Rust value while it was borrowed", "null pointer passed to rust",
    "recursive use of an object detected which would lead to unsafe aliasing in rust", "FnOnce called more than once",
    "closure invoked recursively or after being dropped", "called `\\w+::unwrap(?:_throw)?\\(\\)` on an? `\\w+` value",
    "Map key is not a string and cannot be an object key", "Tried to shrink to a larger capacity", "capacity overflow",
    "attempt to (?:divide by zero|calculate the remainder with a divisor of zero)", "RefCell already (?:mutably )?borrowed", "LayoutError",
    "0x0123456789ABCDEF", "0001020304050607[0-9]{176}96979899",
  ].join("|"),
  "g",
);
/** A source position: the address and the length of the path, the line and the column, 32 bits each. */
const POSITION_BYTES = 16;
const MAX_LINE = 100_000;

const Section = { IMPORT: 2, EXPORT: 7, DATA: 11 };
const FUNCTION = 0;

/** Reads the binary format: bytes, LEB128 numbers, and strings after their length. */
class Reader {
  #bytes;
  #at = 0;

  constructor(bytes) {
    this.#bytes = bytes;
  }

  atEnd() {
    return this.#at >= this.#bytes.length;
  }

  byte() {
    return this.#bytes[this.#at++];
  }

  take(length) {
    return this.#bytes.subarray(this.#at, (this.#at += length));
  }

  number() {
    for (let value = 0, shift = 0; ; shift += 7) {
      const byte = this.byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  }

  string() {
    return this.take(this.number()).toString("utf8");
  }
}

const bytes = Buffer.from(await readFile(wasmPath));
const sections = readSections(bytes);
eraseUnused(sections, constantsOf(bytes));
const shortened = new Map();
const js = await readFile(jsPath, "utf8");
const compacted = sections.map((section) => {
  if (section.id === Section.IMPORT) return { ...section, content: renameImports(section.content, shortened) };
  if (section.id === Section.EXPORT) return { ...section, content: usedExports(section.content, shortened) };
  return section;
});
await writeFile(wasmPath, writeSections(bytes, compacted));
await writeFile(jsPath, [...shortened].reduce((text, [long, short]) => text.replaceAll(long, short), js));

/** All constants and offsets in the code: whatever the code refers to is among them, and numbers besides. */
function constantsOf(wasm) {
  const text = binaryen.readBinary(wasm).emitText();
  return new Set(Array.from(text.matchAll(/i32\.const (-?\d+)|offset=(\d+)/g), ([, constant, offset]) => Number(constant ?? offset) >>> 0));
}

/** Overwrites the texts and positions of panics in the data, except those whose address is in the code. */
function eraseUnused(sections, constants) {
  for (const { base, data } of sections.filter(({ id }) => id === Section.DATA).flatMap(({ content }) => dataSegments(content))) {
    const isUsed = (start, length) => Array.from({ length }, (_, index) => base + start + index).some((address) => constants.has(address));
    const matches = (pattern) => Array.from(data.toString("latin1").matchAll(pattern), ({ index, 0: text }) => ({ start: index, length: text.length }));
    const paths = matches(SOURCE_FILE);
    const kept = new Set();
    for (let start = -base & 3; start + POSITION_BYTES <= data.length; start += 4) {
      const path = pathOfPosition(data, start, base, paths);
      if (path === undefined) continue;
      if (isUsed(start, POSITION_BYTES)) kept.add(path);
      else data.fill(0, start, start + POSITION_BYTES);
    }
    const unused = [...paths.filter((path) => !kept.has(path)), ...matches(PANIC_TEXT)].filter(({ start, length }) => !isUsed(start, length));
    for (const { start, length } of unused) data.fill(0, start, start + length);
  }
}

/** The path that a source position at this place of the data would name, if these bytes are one. */
function pathOfPosition(data, start, base, paths) {
  const [address, length, line] = [0, 4, 8].map((offset) => data.readUInt32LE(start + offset));
  if (line > MAX_LINE) return undefined;
  return paths.find((path) => path.start <= address - base && address - base + length <= path.start + path.length);
}

/** The active segments of the data section. Their bytes are views of the section. */
function dataSegments(content) {
  const reader = new Reader(content);
  return Array.from({ length: reader.number() }, () => {
    if (reader.number() !== 0 || reader.byte() !== 0x41) throw new Error("a data segment has no constant address");
    const base = reader.number(); // Signed, but an address of static data is positive and small.
    if (reader.byte() !== 0x0b) throw new Error("the address of a data segment is computed");
    return { base, data: reader.take(reader.number()) };
  });
}

function renameImports(content, shortened) {
  const reader = new Reader(content);
  const count = reader.number();
  const parts = [encoded(count)];
  for (let index = 0; index < count; index += 1) {
    parts.push(encodedString(reader.string()), encodedString(shorten(reader.string(), shortened)));
    if (reader.byte() !== FUNCTION) throw new Error("the module imports something that is not a function");
    parts.push(Buffer.from([FUNCTION]), encoded(reader.number()));
  }
  return Buffer.concat(parts);
}

function usedExports(content, shortened) {
  const reader = new Reader(content);
  const exported = Array.from({ length: reader.number() }, () => ({ name: reader.string(), kind: reader.byte(), index: reader.number() }));
  const used = exported.filter(({ name }) => js.includes(`.${name}`));
  return Buffer.concat([
    encoded(used.length),
    ...used.flatMap(({ name, kind, index }) => [encodedString(shorten(name, shortened)), Buffer.from([kind]), encoded(index)]),
  ]);
}

/** Names without the hashes and counters of wasm-bindgen; `shortened` collects what was renamed. */
function shorten(name, shortened) {
  const hashed = /^(.*?)_*h?[0-9a-f]{16}$/.exec(name);
  if (hashed === null) return name;
  if (!shortened.has(name)) {
    const used = new Set(shortened.values());
    let short = hashed[1];
    for (let count = 2; used.has(short); count += 1) short = `${hashed[1]}${count}`;
    shortened.set(name, short);
  }
  return shortened.get(name);
}

function readSections(wasm) {
  const reader = new Reader(wasm);
  reader.take(8);
  const found = [];
  while (!reader.atEnd()) found.push({ id: reader.byte(), content: reader.take(reader.number()) });
  return found;
}

function writeSections(wasm, sections) {
  return Buffer.concat([wasm.subarray(0, 8), ...sections.flatMap(({ id, content }) => [Buffer.from([id]), encoded(content.length), content])]);
}

function encoded(number) {
  const bytes = [];
  let rest = number;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}

function encodedString(text) {
  const bytes = Buffer.from(text);
  return Buffer.concat([encoded(bytes.length), bytes]);
}
