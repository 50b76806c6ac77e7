/**
 * Takes the hashes out of the names that a module and its generated JavaScript call each other by. The hashes do not
 * compress, and appear in both files.
 *
 * Usage: node shorten-names.mjs <directory of wasm-bindgen's output>
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const IMPORTS = 2;
const EXPORTS = 7;

const directory = process.argv[2];
const [modulePath, scriptPath] = ["campaign_sync_bg.wasm", "campaign_sync_bg.js"].map((name) => join(directory, name));
const module = readFileSync(modulePath);
const script = readFileSync(scriptPath, "utf8");
const names = shortNames(new WebAssembly.Module(module), script);
const shortened = withNames(module, names);
new WebAssembly.Module(shortened); // Throws if the result is no module.
writeFileSync(modulePath, shortened);
writeFileSync(scriptPath, script.replace(/\w+/g, (word) => names.get(word) ?? word));

/** Each name with a hash, and a name without it that the script does not use. */
function shortNames(compiled, text) {
  const used = new Set(text.match(/\w+/g));
  const all = [...WebAssembly.Module.imports(compiled), ...WebAssembly.Module.exports(compiled)].map(({ name }) => name);
  const short = new Map();
  for (const name of all.filter((it) => /_h?[0-9a-f]{16}$/.test(it))) {
    const base = name.replace(/_+h?[0-9a-f]{16}$/, "");
    let own = base;
    for (let number = 2; used.has(own); number++) own = `${base}_${number}`;
    used.add(own);
    short.set(name, own);
  }
  return short;
}

/** Writes the module again, with the names replaced. All other bytes stay. */
function withNames(bytes, replacements) {
  const parts = [bytes.subarray(0, 8)];
  const reader = { bytes, at: 8 };
  while (reader.at < bytes.length) {
    const start = reader.at;
    const section = bytes[reader.at++];
    const length = readNumber(reader);
    const end = reader.at + length;
    if (section === IMPORTS || section === EXPORTS) {
      const content = section === IMPORTS ? renamed(reader, 2, replacements) : renamed(reader, 1, replacements);
      if (reader.at !== end) throw new Error(`section ${section} has another form than this script knows`);
      parts.push(Buffer.from([section, ...number(content.length), ...content]));
    } else {
      parts.push(bytes.subarray(start, end));
    }
    reader.at = end;
  }
  return Buffer.concat(parts);
}

/** The content of a section of imports or exports. Before the kind, an entry of it has this many names. */
function renamed(reader, namesPerEntry, replacements) {
  const count = readNumber(reader);
  const content = [...number(count)];
  for (let entry = 0; entry < count; entry++) {
    for (let name = 0; name < namesPerEntry; name++) {
      const length = readNumber(reader);
      const text = reader.bytes.toString("utf8", reader.at, reader.at + length);
      reader.at += length;
      const own = Buffer.from(replacements.get(text) ?? text);
      content.push(...number(own.length), ...own);
    }
    const start = reader.at;
    const kind = reader.bytes[reader.at++];
    if (namesPerEntry === 2 && kind !== 0) throw new Error("the module imports something other than functions");
    readNumber(reader);
    content.push(...reader.bytes.subarray(start, reader.at));
  }
  return content;
}

/** An unsigned number of up to 32 bits in LEB128. */
function number(value) {
  const digits = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return [...digits, rest];
    digits.push((rest & 0x7f) | 0x80);
  }
}

function readNumber(reader) {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const digit = reader.bytes[reader.at++];
    value |= (digit & 0x7f) << shift;
    if (digit < 0x80) return value >>> 0;
  }
}
