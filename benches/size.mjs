/**
 * Measures the download of the main entry: the wasm module, and the package's JavaScript with the generated glue,
 * bundled and minified as an application's bundler does it.
 *
 * Usage: node size.mjs <report.json>
 */
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

/** Largest size of both together, in bytes of brotli. */
const BUDGET = 62_000;

const PACKAGE = new URL("../pkg/", import.meta.url);
// The bundler is the package's development dependency, so that measuring and building use the same version.
const { build } = createRequire(new URL("package.json", PACKAGE))("esbuild");

const wasm = await readFile(new URL("wasm/campaign_sync_bg.wasm", PACKAGE));
const js = await bundle();
const report = {
  wasm_raw: wasm.length,
  wasm_gzip: gzipSync(wasm, { level: 9 }).length,
  wasm_brotli: brotli(wasm),
  js_brotli: brotli(js),
};
report.total_brotli = report.wasm_brotli + report.js_brotli;
// An application with sealed content downloads this module instead of the main one.
report.encrypted_wasm_brotli = brotli(await readFile(new URL("wasm/encrypted/campaign_sync_bg.wasm", PACKAGE)));
for (const [name, bytes] of Object.entries(report)) {
  console.log(`${name.padEnd(21)}${String(bytes).padStart(9)} bytes`);
}
const path = process.argv[2];
if (path !== undefined) await writeFile(path, `${JSON.stringify(report, null, 2)}\n`);
if (report.total_brotli > BUDGET) {
  console.error(`the main entry weighs more than its budget of ${BUDGET} bytes in brotli`);
  process.exitCode = 1;
}

async function bundle() {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("dist/index.js", PACKAGE))],
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
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
