/**
 * Measures what a page downloads for each entry: the package's JavaScript, bundled and minified as an application's
 * bundler does it, and the WebAssembly module where it is a separate file.
 *
 * Usage: node size.mjs [report.json]
 */
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

/**
 * The goals, in bytes of brotli. Both entries have reached them (docs/PERFORMANCE.md). Every change that saves bytes
 * lowers the limits, and no change may raise them.
 */
const GOALS = { default_total_brotli: 70_000, external_total_brotli: 60_000 };
/** Largest totals, in bytes of brotli. */
const LIMITS = { default_total_brotli: 59_300, external_total_brotli: 58_000 };

const PACKAGE = new URL("../pkg/", import.meta.url);
// The bundler is the package's development dependency, so that measuring and building use the same version.
const { build } = createRequire(new URL("package.json", PACKAGE))("esbuild");

const wasm = await readFile(new URL("wasm/campaign_sync_bg.wasm", PACKAGE));
const encrypted = await readFile(new URL("wasm/encrypted/campaign_sync_bg.wasm", PACKAGE));
const report = {
  wasm_raw: wasm.length,
  wasm_gzip: gzipSync(wasm, { level: 9 }).length,
  wasm_brotli: brotli(wasm),
  external_js_brotli: brotli(await bundle("external")),
  default_total_brotli: brotli(await bundle("index")),
  cache_brotli: brotli(await bundle("cache")),
  rest_brotli: brotli(await bundle("rest")),
  react_brotli: brotli(await bundle("react")),
  tanstack_query_brotli: brotli(await bundle("tanstack-query")),
  testing_brotli: brotli(await bundle("testing")),
  encrypted_wasm_brotli: brotli(encrypted),
  encrypted_total_brotli: brotli(await bundle("encrypted")),
  encrypted_external_total_brotli: brotli(await bundle("encrypted-external")) + brotli(encrypted),
};
report.external_total_brotli = report.wasm_brotli + report.external_js_brotli;
for (const [name, bytes] of Object.entries(report)) {
  console.log(`${name.padEnd(31)}${String(bytes).padStart(9)} bytes`);
}
const path = process.argv[2];
if (path !== undefined) await writeFile(path, `${JSON.stringify(report, null, 2)}\n`);
for (const [name, limit] of Object.entries(LIMITS)) {
  if (report[name] > GOALS[name]) console.log(`${name} is ${report[name] - GOALS[name]} bytes above its goal`);
  if (report[name] <= limit) continue;
  console.error(`${name} is above its limit of ${limit} bytes`);
  process.exitCode = 1;
}

async function bundle(entry) {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`dist/${entry}.js`, PACKAGE))],
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    external: ["react"],
    target: "es2022",
    write: false,
    logLevel: "warning",
  });
  return outputFiles[0].contents;
}

function brotli(bytes) {
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  return brotliCompressSync(bytes, { params }).length;
}
