// The published forms of the package: the modules inside it, its CommonJS form, and two copies of it on one page. Each
// test runs in a separate process, with the compiled modules.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { VERSION } from "../dist/version.js";

const PACKAGE = fileURLToPath(new URL("../", import.meta.url));
const require = createRequire(import.meta.url);

/** Runs a module in a new process, in which the package finds itself by its name, and returns what it prints as JSON. */
async function run(source, ...flags) {
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, "--input-type=module", "-e", source], { cwd: PACKAGE });
  return JSON.parse(stdout);
}

/** The part that the processes share. */
const HELPERS = `
  import { createRequire } from "node:module";
  import { readFileSync } from "node:fs";
  const require = createRequire(${JSON.stringify(`${PACKAGE}package.json`)});
  const print = (value) => console.log(JSON.stringify(value));
  const codeOf = (call) => { try { call(); return "none"; } catch (error) { return error.code ?? String(error); } };
`;

const { exports } = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8"));
/** Every entry with code: its name, and the name of its file. */
const ALL = Object.entries(exports).filter(([, forms]) => forms.module !== undefined)
  .map(([subpath, { module }]) => [subpath.replace(".", "campaign-sync"), /([^/]+)\.js$/.exec(module)[1]]);
/** The entries that load a module. */
const ENTRIES = ["campaign-sync", "campaign-sync/external", "campaign-sync/encrypted", "campaign-sync/encrypted/external"];

for (const entry of ENTRIES) {
  for (const form of ["import", "require"]) {
    test(`${entry} loads its module in Node by ${form}`, async () => {
      const loaded = await run(`${HELPERS}
        const { init, CampaignSync } = ${form === "import" ? `await import("${entry}")` : `require("${entry}")`};
        const before = codeOf(() => new CampaignSync());
        const promise = init();
        const same = promise === init();
        await promise;
        const sync = new CampaignSync({ target: null });
        sync.connect();
        print({ before, same: same && promise === init(), state: sync.connection.state, applied: sync.receive("no JSON") });
        sync.close();
      `);
      assert.deepEqual(loaded, { before: "not_initialized", same: true, state: "connecting", applied: 0 });
    });
  }
}

test("both forms of the package share one module, whichever loads it", async () => {
  for (const [first, second] of [["import", "require"], ["require", "import"]]) {
    const result = await run(`${HELPERS}
      const forms = { import: await import("campaign-sync"), require: require("campaign-sync") };
      const { compile, instantiate, instantiateStreaming } = WebAssembly;
      let started = 0;
      // Node's fetch starts another module.
      const counted = (call) => (...values) => ((started += "./campaign_sync_bg.js" in (values[1] ?? {})), call.apply(WebAssembly, values));
      Object.assign(WebAssembly, { instantiate: counted(instantiate), instantiateStreaming: counted(instantiateStreaming) });
      const loading = forms.${first}.init();
      const same = loading === forms.${second}.init();
      await loading;
      const sync = new forms.${second}.CampaignSync({ target: null });
      sync.connect();
      print({ same, started, distinct: forms.import.CampaignSync !== forms.require.CampaignSync, state: sync.connection.state });
      sync.close();
    `);
    assert.deepEqual(result, { same: true, started: 1, distinct: true, state: "connecting" }, first);
  }
});

test("an error of one form is an instance of the other form's class", async () => {
  const result = await run(`${HELPERS}
    const [esm, cjs] = [await import("campaign-sync"), require("campaign-sync")];
    class Own extends esm.CampaignSyncError {}
    const errors = [new esm.CampaignSyncError("closed"), new cjs.CampaignSyncError("closed"), new Own("closed"), new Error("closed"), null, 1,
      { name: "CampaignSyncError" }];
    print([esm, cjs].map(({ CampaignSyncError }) => errors.map((error) => error instanceof CampaignSyncError))
      .concat([errors.map((error) => error instanceof Own)]));
  `);
  const expected = [true, true, true, false, false, false, false];
  assert.deepEqual(result, [expected, expected, [false, false, true, false, false, false, false]]);
});

// The rule of docs/PROTOCOL.md, chapter 16, also holds between two copies on one page.
test("cache of one form is voided by a client of the other form", async () => {
  for (const [clientForm, cacheForm] of [["import", "require"], ["require", "import"]]) {
    const result = await run(`${HELPERS}
      const load = async (form, entry) => (form === "import" ? import(entry) : require(entry));
      const { init, CampaignSync } = await load("${clientForm}", "campaign-sync");
      const { RichCampaignCache } = await load("${cacheForm}", "campaign-sync/cache");
      await init();
      const sync = new CampaignSync({ target: null });
      sync.connect();
      const handle = sync.campaign("spring-1");
      let fetches = 0;
      const data = { campaignId: "spring-1", campaign: {}, position: null, partial: false, domains: [], dnsValidatedDomains: [], httpKeywordResults: [], leads: [] };
      sync.status = () => "live"; // Only \`live\` data is stored.
      const cache = new RichCampaignCache({ sync, fetch: async () => ((fetches += 1), data) });
      await cache.get("spring-1", { source: "fetch" });
      await cache.get("spring-1", { source: "fetch" });
      const stored = [cache.size, fetches];
      handle.release(); // The last release voids what is cached.
      print({ stored, after: cache.size });
      sync.close();
    `);
    assert.deepEqual(result, { stored: [1, 1], after: 0 }, `client by ${clientForm}`);
  }
});

test("cache that one form configured serves the other form", async () => {
  const result = await run(`${HELPERS}
    const [esm, cjs] = [await import("campaign-sync/cache"), require("campaign-sync/cache")];
    const { init, CampaignSync } = await import("campaign-sync");
    await init();
    const before = codeOf(() => cjs.clearRichDataCache("spring-1"));
    const sync = new CampaignSync({ target: null });
    esm.configureCache({ sync });
    print([before, codeOf(() => cjs.clearRichDataCache("spring-1")), (await cjs.getRichCampaignData("!").catch((it) => it)).code]);
    sync.close();
  `);
  assert.deepEqual(result, ["not_configured", "none", "invalid_campaign_id"]);
});

// Two bundles on one page, each with its own copy of the package, of different versions.
test("copies of different versions load apart, and void the caches of each other", async () => {
  const { build } = require("esbuild");
  const entry = 'export * from "./dist/index.js"; export { RichCampaignCache } from "./dist/cache.js";';
  const options = { stdin: { contents: entry, resolveDir: PACKAGE }, bundle: true, format: "esm", write: false };
  const { text } = (await build(options)).outputFiles[0];
  const directory = await mkdtemp(join(tmpdir(), "campaign-sync-"));
  try {
    await writeFile(join(directory, "own.mjs"), text);
    await writeFile(join(directory, "other.mjs"), text.replace(`VERSION = "${VERSION}"`, 'VERSION = "0.0.1"'));
    const result = await run(`${HELPERS}
      const [own, other] = await Promise.all(["own", "other"].map((name) => import("${directory}/" + name + ".mjs")));
      await own.init();
      const before = codeOf(() => new other.CampaignSync());
      await other.init();
      const sync = new other.CampaignSync({ target: null });
      const handle = sync.campaign("spring-1");
      const data = { campaignId: "spring-1", campaign: {}, position: null, partial: false, domains: [], dnsValidatedDomains: [], httpKeywordResults: [], leads: [] };
      sync.status = () => "live"; // Only \`live\` data is stored.
      const cache = new own.RichCampaignCache({ sync, fetch: async () => data });
      await cache.get("spring-1");
      const stored = cache.size;
      handle.release(); // The last release voids what is cached.
      print({ before, stored, after: cache.size });
      sync.close();
    `);
    assert.deepEqual(result, { before: "not_initialized", stored: 1, after: 0 });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

test("sealed fetcher of one form takes a client of the other form", async () => {
  const result = await run(`${HELPERS}
    const [esm, cjs] = [await import("campaign-sync/encrypted"), require("campaign-sync/encrypted")];
    await esm.init();
    const sync = new cjs.CampaignSync({ target: null, keys: { k: new Uint8Array(32) } });
    print([typeof esm.sealedRestFetcher(sync), codeOf(() => sync.open("c", "snapshot", "{}"))]);
    sync.close();
  `);
  assert.deepEqual(result, ["function", "not_sealed"]);
});

test("import reads no global of the platform but EventTarget and adds none", async () => {
  for (const form of ["import", "require"]) {
    const result = await run(`${HELPERS}
      // A new realm has the globals of the language alone. All others become traps.
      const { runInNewContext } = await import("node:vm");
      const language = new Set(runInNewContext("Reflect.ownKeys(globalThis)"));
      const entries = ${JSON.stringify(ALL.map(([entry]) => entry))};
      // Node's loader uses some globals itself; it keeps the ones that it has read before.
      const load = (name) => (${form === "import"} ? import(name) : require(name));
      await import("data:text/javascript,1");
      await import("react"); // React reads some globals, too.
      const touched = [];
      const kept = {};
      const before = Reflect.ownKeys(globalThis).map(String).sort();
      for (const name of Reflect.ownKeys(globalThis)) {
        if (language.has(name) || name === "globalThis" || name === "EventTarget") continue;
        const own = Object.getOwnPropertyDescriptor(globalThis, name);
        if (!own.configurable) continue;
        kept[name] = own;
        const trap = (kind) => function () {
          const stack = new Error().stack;
          if (stack.includes("/dist/")) touched.push(kind + " " + String(name));
          return own.get ? own.get.call(globalThis) : own.value;
        };
        Object.defineProperty(globalThis, name, { get: trap("read"), set: trap("write"), configurable: true });
      }
      for (const entry of entries) await load(entry);
      const after = Reflect.ownKeys(globalThis).map(String).sort();
      Object.defineProperties(globalThis, kept);
      print({ touched, added: after.filter((it) => !before.includes(it)), traps: Object.keys(kept).length > 20 });
    `);
    assert.deepEqual(result, { touched: [], added: [], traps: true }, form);
  }
});

test("engine that lacks a feature is reported as unsupported_browser", async () => {
  // Node's fetch needs WebAssembly as well, and rejects aside.
  const message = (source, ...flags) => run(`${HELPERS}process.on("unhandledRejection", () => {});${source}`, ...flags);
  const load = `
    const { init, initSync } = await import("campaign-sync");
    const bytes = readFileSync("campaign_sync_bg.wasm");
    const refusals = [await init().catch((it) => it), await init(bytes).catch((it) => it)];
    try { initSync(bytes) } catch (error) { refusals.push(error) }
    print(refusals.map(({ code, message }) => [code, /README/.test(message)]));
  `;
  const lacking = ["unsupported_browser", true];
  // A real engine without WebAssembly, as in the lockdown mode of iOS.
  assert.deepEqual(await message(load, "--jitless", "--no-warnings"), [lacking, lacking, lacking]);
  // An engine that refuses every module, because it lacks a feature that each of them has.
  const refuse = `
    const refuse = () => { throw new WebAssembly.CompileError("unknown type") };
    Object.assign(WebAssembly, { validate: () => false, instantiate: refuse, instantiateStreaming: refuse, Module: refuse });
  `;
  assert.deepEqual(await message(refuse + load), [lacking, lacking, lacking]);
  // A page whose policy forbids WebAssembly: the engine has the features.
  const forbid = refuse.replace("validate: () => false, ", "");
  assert.deepEqual((await message(forbid + load)).map(([code]) => code), ["load_failed", "load_failed", "load_failed"]);
});

test("CommonJS form runs without TextEncoder and TextDecoder", async () => {
  const result = await run(`${HELPERS}
    for (const name of ["TextEncoder", "TextDecoder"]) delete globalThis[name];
    const { init, CampaignSync } = require("campaign-sync");
    await init();
    const sync = new CampaignSync({ target: null });
    const sent = [];
    sync.onsend = (frame) => sent.push(frame);
    sync.connect();
    sync.campaign("spring-1");
    print([JSON.parse(sent[0]).type, sync.receive('{"ü €😀":}') + sync.receive(new Uint8Array([0xff])), sync.metrics().refused]);
    sync.close();
  `);
  assert.deepEqual(result, ["connection_init", 0, { invalid_message: 1, invalid_utf8: 1 }]);
});

test("module inside each default entry is the file beside the code", async () => {
  for (const [name, directory] of [["main", ""], ["encrypted", "encrypted/"]]) {
    const file = await readFile(`${PACKAGE}${directory}campaign_sync_bg.wasm`);
    for (const form of ["dist", "dist/cjs"]) {
      const [{ unpack }, { MODULE }] = await Promise.all(["embedded", `${name}-embedded`].map((it) => import(`../${form}/${it}.js`)));
      assert.ok(file.equals(unpack(MODULE)), `${form}/${name}`);
      // A string of these characters needs no escape, in any quotes that a minifier chooses between and in a page of HTML.
      assert.match(MODULE, /^[ !#-;=-[\]-~]+$/);
    }
  }
});

test("stand-ins for the text coders agree with the platform", () => {
  const stand = ["TextDecoder", "TextEncoder"].map((name) => {
    const own = globalThis[name];
    delete globalThis[name];
    return [name, own];
  });
  const { TextDecoder: Decoder, TextEncoder: Encoder } = require("../dist/cjs/text.js").coders();
  Object.assign(globalThis, Object.fromEntries(stand));
  assert.notEqual(Decoder, TextDecoder);
  const texts = ["", "plain", "\u007f\u0080\u07ff\u0800\uffff", "é€😀\u{10ffff}", "\ufeffmark", "lone \ud800 and \udc00 halves", "\ud83d"];
  for (let point = 0; point < 0x110000; point += 0x3f1) texts.push(String.fromCodePoint(point));
  for (const text of texts) {
    const bytes = new TextEncoder().encode(text);
    assert.deepEqual(new Encoder().encode(text), bytes, text);
    assert.equal(new Decoder().decode(bytes), new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes));
  }
  assert.equal(new Decoder().decode(), "");
});

test("entries bring only the module that they name into a page", async () => {
  const { build } = require("esbuild");
  const filesOf = async (entry) => {
    const options = { entryPoints: [`${PACKAGE}dist/${entry}.js`], bundle: true, format: "esm", external: ["react"], write: false, metafile: true };
    const { metafile } = await build(options);
    return Object.keys(metafile.inputs).map((file) => file.replace(/^.*dist\//, ""));
  };
  const modules = async (entry) => (await filesOf(entry)).filter((file) => /-(glue|embedded)\.js$/.test(file)).sort();
  assert.deepEqual(await modules("index"), ["main-embedded.js", "main-glue.js"]);
  assert.deepEqual(await modules("external"), ["main-glue.js"]);
  assert.deepEqual(await modules("encrypted"), ["encrypted-embedded.js", "encrypted-glue.js"]);
  assert.deepEqual(await modules("encrypted-external"), ["encrypted-glue.js"]);
  const adapters = ALL.filter(([entry]) => !ENTRIES.includes(entry)).map(([, file]) => file);
  assert.ok(adapters.includes("cache"));
  // An adapter works with any client, and loads nothing.
  for (const adapter of adapters) assert.deepEqual((await modules(adapter)).concat((await filesOf(adapter)).filter((file) => file === "module.js")), [], adapter);
});

test("every JavaScript entry has both forms and a directory for tools without exports", async () => {
  const entries = Object.entries(exports).filter(([subpath]) => !/\.(wasm|json)$/.test(subpath));
  assert.ok(entries.length >= 5);
  for (const [subpath, { import: esm, module, require: cjs }] of entries) {
    const name = /^\.\/dist\/(.*)\.js$/.exec(esm.default)[1];
    assert.deepEqual([esm, module, cjs], [
      { types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` }, `./dist/${name}.js`,
      { types: `./dist/cjs/${name}.d.ts`, default: `./dist/cjs/${name}.js` },
    ]);
    if (subpath === ".") continue;
    const at = new URL(`../${subpath}/`, import.meta.url);
    const { main, module: own, types } = JSON.parse(await readFile(new URL("package.json", at), "utf8"));
    const found = [main, own, types].map((file) => new URL(file, at).href);
    assert.deepEqual(found, [cjs.default, module, cjs.types].map((file) => new URL(`../${file}`, import.meta.url).href));
  }
});

test("version in the code is the version of the package", async () => {
  const { version } = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8"));
  assert.equal(VERSION, version);
});
