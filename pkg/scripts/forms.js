/**
 * Makes the published files that the compiler does not write, from its output in `dist` and the modules in `wasm`:
 *
 * - `dist/*-glue.js`: the JavaScript of wasm-bindgen as a function, so that importing it reads no global;
 * - `dist/*-embedded.js`: the modules as base64 of their gzip;
 * - `dist/cjs`: the CommonJS form of every file, with its declarations. A file of `src/cjs` replaces its namesake;
 * - the modules beside the code, and a directory for each subpath, for tools that do not read `exports`.
 */
import { access, copyFile, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { gunzipSync } from "node:zlib";

import { gzipAsync } from "@gfx/zopfli";
import { transform } from "esbuild";

const root = new URL("../", import.meta.url);
const dist = new URL("dist/", root);
const cjs = new URL("cjs/", dist);
const { exports } = JSON.parse(await readFile(new URL("package.json", root), "utf8"));

/** The modules: the name of their files in `dist`, and their directory in `wasm` and in the package. */
const MODULES = { main: "", encrypted: "encrypted/" };

/** Turns wasm-bindgen's JavaScript into the function `glue`. `prelude` is its first statement. */
function glueOf(source, prelude = "") {
  const names = [];
  const body = source.replace(/^export (class|function) (\w+)/gm, (_, keyword, name) => {
    names.push(name);
    return `${keyword} ${name}`;
  });
  // All supported engines have finalization registries, and the package never disposes of the class by `using`.
  const lean = body
    .replaceAll(/\(typeof FinalizationRegistry === 'undefined'\)\s*\? [^\n]*\n\s*: /g, "")
    .replace("if (Symbol.dispose) Client.prototype[Symbol.dispose] = Client.prototype.free;\n", "");
  if (/^(import|export)\b/m.test(lean)) throw new Error("wasm-bindgen's JavaScript has another form than this script knows");
  return `export function glue() {\n${prelude}${lean}\nreturn { ${names.join(", ")} };\n}\n`;
}

/** Compresses a module. The result stays beside the module, because the compression takes seconds. */
async function gzip(directory, module) {
  const file = new URL(`wasm/${directory}campaign_sync_bg.wasm.gz`, root);
  const former = await readFile(file).catch(() => undefined);
  if (former !== undefined && gunzipSync(former).equals(module)) return former;
  const packed = Buffer.from(await gzipAsync(module, { numiterations: 15, blocksplittingmax: 0 }));
  await writeFile(file, packed);
  return packed;
}

async function writeModules() {
  for (const [name, directory] of Object.entries(MODULES)) {
    const module = await readFile(new URL(`wasm/${directory}campaign_sync_bg.wasm`, root));
    const source = await readFile(new URL(`wasm/${directory}campaign_sync_bg.js`, root), "utf8");
    const coders = 'const { TextDecoder, TextEncoder } = coders();\n';
    const embedded = (bytes) => `export const MODULE = "${bytes.toString("base64")}";\n`;
    await writeFile(new URL(`${name}-glue.js`, dist), glueOf(source));
    await writeFile(new URL(`${name}-embedded.js`, dist), embedded(await gzip(directory, module)));
    await writeFile(new URL(`${name}-glue.js`, cjs), `import { coders } from "./text.js";\n${glueOf(source, coders)}`);
    await writeFile(new URL(`${name}-embedded.js`, cjs), embedded(module));
    await mkdir(new URL(directory, root), { recursive: true });
    await copyFile(new URL(`wasm/${directory}campaign_sync_bg.wasm`, root), new URL(`${directory}campaign_sync_bg.wasm`, root));
    const declaration = "/** The address of the module, where a bundler treats `.wasm` files as assets. */\ndeclare const address: string;\nexport default address;\n";
    for (const form of ["ts", "cts"]) await writeFile(new URL(`${directory}campaign_sync_bg.wasm.d.${form}`, root), declaration);
  }
}

const exists = (file) => access(file).then(() => true, () => false);

/** Translates every file of `dist`, unless `dist/cjs` has its own version, and all that `dist/cjs` has. */
async function writeCommonJs() {
  for (const name of await readdir(dist)) {
    if (/\.(js|d\.ts)$/.test(name) && !(await exists(new URL(name, cjs)))) await copyFile(new URL(name, dist), new URL(name, cjs));
  }
  for (const name of (await readdir(cjs)).filter((it) => it.endsWith(".js"))) {
    const source = await readFile(new URL(name, cjs), "utf8");
    // The built-in module is not imported, because bundlers for browsers refuse such an import.
    const own = source.replaceAll("import.meta.url", 'process.getBuiltinModule("url").pathToFileURL(__filename)').replaceAll('"../', '"../../');
    const { code } = await transform(own, { format: "cjs", target: "es2022", platform: "node", sourcefile: name });
    await writeFile(new URL(name, cjs), code);
  }
  await writeFile(new URL("package.json", cjs), '{ "type": "commonjs", "sideEffects": false }\n');
}

/** Writes the directory of each subpath: for TypeScript's `node10`, Parcel, and other tools without `exports`. */
async function writeSubpaths() {
  for (const [subpath, forms] of Object.entries(exports)) {
    if (subpath === "." || forms.module === undefined) continue;
    const up = "../".repeat(subpath.split("/").length - 1);
    const own = (file) => file.replace("./", up);
    const { require: { types, default: main }, import: { default: module } } = forms;
    const directory = new URL(`${subpath}/`, root);
    await mkdir(directory, { recursive: true });
    const content = { main: own(main), module: own(module), types: own(types), sideEffects: false };
    await writeFile(new URL("package.json", directory), `${JSON.stringify(content, null, 2)}\n`);
  }
}

await mkdir(cjs, { recursive: true });
await writeModules();
await writeCommonJs();
await writeSubpaths();
