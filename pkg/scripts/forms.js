/**
 * Makes the published files that the compiler does not write, from its output in `dist` and the modules in `wasm`:
 *
 * - `dist/*-glue.js`: the JavaScript of wasm-bindgen as a function, so that importing it reads no global;
 * - `dist/*-embedded.js`: the modules as text (`embed.js`);
 * - `dist/cjs`: the CommonJS form of every file, with its declarations. A file of `src/cjs` replaces its namesake;
 * - the modules beside the code, and a directory for each subpath, for tools that do not read `exports`.
 */
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";

import { transform } from "esbuild";

import { embed } from "./embed.js";
import { builtFiles, entries, leftovers, MODULES, replacements } from "./published.js";

const root = new URL("../", import.meta.url);
const dist = new URL("dist/", root);

/** Writes a file unless it has this content: others may read it while the package is built again. */
async function write(file, content) {
  const bytes = Buffer.from(content);
  if ((await readFile(file).catch(() => undefined))?.equals(bytes)) return;
  await mkdir(new URL(".", file), { recursive: true });
  await writeFile(file, bytes);
}

/** The module has no `realloc`, so a text that turns out not to be ASCII is encoded beside it and copied. */
const NOT_ASCII = `    if (offset !== len) {
        wasm.__wbindgen_free(ptr, len, 1);
        return passArray8ToWasm0(cachedTextEncoder.encode(arg), malloc);
    }
`;

/**
 * Parts of wasm-bindgen's JavaScript that the package does not need: `Core` frees the class in the end, also after the engine has
 * collected its client; the package never disposes of the class by `using`; ASCII is written in place; and all arguments have
 * the declared types, so none needs a conversion.
 */
const SUPERFLUOUS = [
  [/^const ClientFinalization = .*\n.*\n.*\n/m],
  [/^ +ClientFinalization\..*\n/gm],
  [/^if \(Symbol\.dispose\) .*\n/m],
  [/, malloc, realloc\) \{\n {4}if \(realloc === undefined\) \{\n[^}]*\n {4}\}\n([^]*?) {4}if \(offset !== len\) \{\n[^]*?^ {4}\}\n/m, `, malloc) {\n$1${NOT_ASCII}`],
  [/^ {8}try \{\n([^}]*)^ {8}\} catch \(e\) \{\n.*\n.*\n {12}throw e;\n {8}\}\n/gm, "$1"],
  [/ = \+(\w+);$/gm, " = $1;"],
];

/** Turns wasm-bindgen's JavaScript into the function `glue`. `prelude` is its first statement. */
function glueOf(source, prelude = "") {
  const names = [];
  const body = source.replace(/^export (class|function) (\w+)/gm, (_, keyword, name) => {
    names.push(name);
    return `${keyword} ${name}`;
  });
  const lean = SUPERFLUOUS.reduce((text, [part, rest = ""]) => {
    if (text.search(part) < 0) throw new Error(`wasm-bindgen's JavaScript lacks ${part}`);
    return text.replace(part, rest);
  }, body);
  if (/^(import|export)\b/m.test(lean)) throw new Error("wasm-bindgen's JavaScript has another form than this script knows");
  return `export function glue(hosts) {\n${prelude}${lean}\nreturn { ${names.join(", ")} };\n}\n`;
}

/** The generated files of a module in the CommonJS form, as ESM. */
const commonJsSources = new Map();

async function writeModules() {
  for (const [name, directory] of Object.entries(MODULES)) {
    const module = await readFile(new URL(`wasm/${directory}campaign_sync_bg.wasm`, root));
    const source = await readFile(new URL(`wasm/${directory}campaign_sync_bg.js`, root), "utf8");
    const coders = "const { TextDecoder, TextEncoder } = coders();\n";
    await write(new URL(`${name}-glue.js`, dist), glueOf(source));
    await write(new URL(`${name}-embedded.js`, dist), `export const MODULE = "${embed(module)}";\n`);
    commonJsSources.set(`${name}-glue`, `import { coders } from "./text.js";\n${glueOf(source, coders)}`);
    const file = `${directory}campaign_sync_bg.wasm`;
    await write(new URL(file, root), module);
    const declaration = "/** The address of the module, where a bundler treats `.wasm` files as assets. */\ndeclare const address: string;\nexport default address;\n";
    for (const form of ["ts", "cts"]) await write(new URL(`${file}.d.${form}`, root), declaration);
  }
}

/** Translates every file of `dist`, or the file of `src/cjs` that replaces it, and copies its declarations. */
async function writeCommonJs() {
  await write(new URL("dist/cjs/package.json", root), '{ "type": "commonjs", "sideEffects": false }\n');
  for (const file of builtFiles()) {
    const [, name, kind] = /^dist\/cjs\/([\w/-]+)\.(js|d\.ts)$/.exec(file) ?? [];
    if (name === undefined) continue;
    const isOwn = replacements.includes(name);
    if (kind === "js") await translate(name, isOwn);
    else if (!isOwn) await write(new URL(file, root), await readFile(new URL(`${name}.d.ts`, dist)));
  }
}

/** The beginning of the address of a module, which is beside `dist`. */
const MODULE_ADDRESS = /(new URL\(")(?=\.\.\/)/g;

/** The compiler has written a file that replaces another already, as ESM. */
async function translate(name, isOwn) {
  const file = new URL(`cjs/${name}.js`, dist);
  const source = commonJsSources.get(name) ?? (await readFile(isOwn ? file : new URL(`${name}.js`, dist), "utf8"));
  // The built-in module is not imported, because bundlers for browsers refuse such an import.
  const own = source.replaceAll("import.meta.url", 'process.getBuiltinModule("url").pathToFileURL(__filename)').replaceAll(MODULE_ADDRESS, '$1../');
  const { code } = await transform(own, { format: "cjs", target: "es2022", platform: "node", sourcefile: `${name}.js` });
  await write(file, code);
}

/** Writes the directory of each entry: for TypeScript's `node10`, Parcel, and other tools without `exports`. */
async function writeDirectories() {
  for (const [subpath, { require: { types, default: main }, module }] of entries) {
    if (subpath === ".") continue;
    const up = "../".repeat(subpath.split("/").length - 1);
    const own = (file) => file.replace("./", up);
    const content = { main: own(main), module: own(module), types: own(types), sideEffects: false };
    await write(new URL(`${subpath}/package.json`, root), `${JSON.stringify(content, null, 2)}\n`);
  }
}

await writeModules();
await writeCommonJs();
await writeDirectories();
// The compiler keeps the files of sources that are gone.
for (const file of await leftovers()) await rm(new URL(file, root));
