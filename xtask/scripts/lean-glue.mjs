/**
 * Takes out of the generated JavaScript what a page need not download, and shortens the names by which
 * it and the module know each other: wasm-bindgen puts a hash of 16 digits into each, in both files,
 * which no compression takes away.
 *
 * Every step must find what it looks for: with another wasm-bindgen, look at what it generates.
 *
 * Usage: node lean-glue.mjs <module.wasm> <glue.js>
 */
import { readFile, writeFile } from "node:fs/promises";

import { SECTIONS, encoded, moduleOf, number, sectionsOf, text } from "./wasm.mjs";

const HASHED = /__wbg_\w+?_[0-9a-f]{16}|__wbindgen_generic_[0-9a-f]{16}|wasm_bindgen__convert\w+?__h[0-9a-f]{16}\w*/g;

const [modulePath, gluePath] = process.argv.slice(2);
const bytes = await readFile(modulePath);
const sections = sectionsOf(bytes);
const imports = sections.find(({ id }) => id === SECTIONS.imports);
const used = new Set(importedNames(imports.content));

let glue = await readFile(gluePath, "utf8");
glue = withoutUnused(glue);
const names = new Map([...new Set(glue.match(HASHED))].map((name, index) => [name, `i${index.toString(36)}`]));
glue = glue.replace(HASHED, (name) => names.get(name));
// The address, the answer and the bytes come in one way only: `pkg/src/module.ts` is all that calls this.
glue = replaced(glue, /if \(Object\.getPrototypeOf\((\w+)\) === Object\.prototype\) \{\s+\(\{\1\} = \1\)\s+\} else \{\s+console\.warn\([^)]*(?:\(\)[^)]*)?\)\s+\}/g, 2, "({$1} = $1)");
// A server that calls the module something else than `application/wasm` is no reason for words in a console.
glue = replaced(glue, /async function __wbg_load\(.*?\n\}\n/gs, 1, LOAD());
// Browsers that have reference types have had this for longer.
glue = replaced(glue, /\nif \(!\('encodeInto' in cachedTextEncoder\)\) \{.*?\n\}\n/gs, 1, "\n");

for (const section of sections) {
  if (section.id === SECTIONS.imports || section.id === SECTIONS.exports) section.content = renamed(section.content);
}
await writeFile(modulePath, moduleOf(bytes, sections));
await writeFile(gluePath, glue);

function LOAD() {
  return `async function __wbg_load(source, imports) {
    if (typeof Response === 'function' && source instanceof Response) {
        if (!source.ok) throw new Error(\`\${source.status} \${source.url}\`);
        try {
            return await WebAssembly.instantiateStreaming(source.clone(), imports);
        } catch {
            source = await source.arrayBuffer();
        }
    }
    const made = await WebAssembly.instantiate(source, imports);
    return made instanceof WebAssembly.Instance ? { instance: made, module: source } : made;
}
`;
}

/** Without the functions that wasm-opt found nobody to import. */
function withoutUnused(source) {
  const entry = /^ {8}(\w+): function\(.*?\n {8}\}[^\n]*,\n/gms;
  let left = 0;
  const lean = source.replace(entry, (whole, name) => {
    if (!used.has(name)) return "";
    left += 1;
    return whole;
  });
  if (left !== used.size) throw new Error(`the module imports ${used.size} functions and the JavaScript offers ${left}`);
  return lean;
}

function replaced(source, pattern, times, by) {
  const found = source.match(pattern)?.length ?? 0;
  if (found !== times) throw new Error(`${pattern} stands ${found} times in the generated code, not ${times}`);
  return source.replace(pattern, by);
}

function* importedNames(content) {
  let [count, at] = number(content, 0);
  for (; count > 0; count -= 1) {
    const [name, after] = text(content, text(content, at)[1]);
    yield name;
    at = number(content, after + 1)[1];
  }
}

/** A section with short names: a name is its length and its text, and none occurs elsewhere. */
function renamed(content) {
  const parts = [];
  let from = 0;
  for (const { 0: name, index } of content.toString("latin1").matchAll(HASHED)) {
    if (content[index - 1] !== name.length) throw new Error(`${name} is not a name of its own`);
    const short = names.get(name);
    if (short === undefined) throw new Error(`the JavaScript does not offer ${name}`);
    parts.push(content.subarray(from, index - 1), encoded(short.length), Buffer.from(short));
    from = index + name.length;
  }
  if (from === 0) throw new Error("the names are not what they were: look at the generated code");
  return Buffer.concat([...parts, content.subarray(from)]);
}
