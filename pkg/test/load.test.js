import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import vm from "node:vm";

import { CampaignSync, CampaignSyncError, ERROR_CODES, init, initSync } from "../dist/index.js";
import { Loader, wasmClient } from "../dist/module.js";
import { CALLS } from "./support/calls.js";
import { MODULE, startPage } from "./support/fixtures.js";

const WASM = { headers: { "content-type": "application/wasm" } };

/** The files that `fetch` finds. `fetched` lists the requested paths. */
const files = new Map([["/good.wasm", () => new Response(MODULE, WASM)]]);
const fetched = [];
globalThis.fetch = async (address) => {
  const path = address instanceof Request ? new URL(address.url).pathname : String(address);
  fetched.push(path);
  return (files.get(path) ?? (() => new Response("", { status: 404 })))();
};

/** Makes a fresh loader, as at the start of a page. */
function freshLoader({ Client = class {}, file = () => "/good.wasm", priority = 0 } = {}) {
  startPage();
  const counts = { starts: 0 };
  const generated = { Client, __wbg_set_wasm: () => (counts.starts += 1) };
  const made = (more = {}) => new Loader(() => ({ ...generated, ...more.generated }), more.file ?? file, more.priority ?? priority);
  return { loader: made(), made, counts };
}

// The tests depend on their order, because the module is loaded once per process.
test("module loads once, a failure can be retried, and earlier use throws a code", async () => {
  assert.throws(() => new CampaignSync(), { name: "CampaignSyncError", code: "not_initialized", message: /await init\(\)/ });

  await assert.rejects(init("/absent.wasm"), (error) => {
    assert.ok(error instanceof CampaignSyncError);
    assert.equal(error.code, "load_failed");
    assert.match(error.cause.message, /404/);
    return true;
  });

  const first = init("/good.wasm");
  assert.equal(init("/other.wasm"), first, "a second call waits for the first");
  await first;
  await init();
  initSync(MODULE);
  assert.deepEqual(fetched, ["/absent.wasm", "/good.wasm"]);
  assert.ok(new CampaignSync({ target: null }) instanceof EventTarget);
});

test("init always returns the same promise", async () => {
  const { loader } = freshLoader();
  const first = loader.load();
  assert.equal(loader.load("/other.wasm"), first, "while it loads");
  await first;
  assert.equal(loader.load(), first, "when it is loaded");
  loader.loadSync(MODULE);
  assert.equal(loader.load(), first, "after initSync");
  assert.equal(init(), init("/absent.wasm"), "the function of the entry, too");

  const { loader: loaded } = freshLoader();
  loaded.loadSync(MODULE);
  assert.equal(loaded.load(), loaded.load(), "initSync came first");
});

test("module loads from every kind of input and from any realm", async () => {
  const foreign = vm.runInNewContext(`Uint8Array.of(${MODULE})`);
  const inputs = {
    "an address": "/good.wasm",
    "a URL": new URL("file:///good.wasm"),
    "a request": new Request("https://app.example/good.wasm"),
    "a response": new Response(MODULE, WASM),
    "a response of an unknown type": new Response(MODULE),
    "bytes": MODULE,
    "a buffer": MODULE.buffer,
    "bytes of another realm": foreign,
    "a buffer of another realm": foreign.buffer,
    "a module": new WebAssembly.Module(MODULE),
    "a module of another realm": vm.runInNewContext("new WebAssembly.Module(bytes)", { bytes: MODULE }),
    "a promise": Promise.resolve(MODULE),
    "nothing": undefined,
  };
  files.set("file:///good.wasm", files.get("/good.wasm"));
  for (const [name, input] of Object.entries(inputs)) {
    const { loader, counts } = freshLoader();
    await loader.load(input);
    assert.equal(counts.starts, 1, name);
  }
  for (const name of ["bytes", "a buffer of another realm", "a module", "a module of another realm"]) {
    const { loader, counts } = freshLoader();
    loader.loadSync(inputs[name]);
    assert.equal(counts.starts, 1, `${name}, at once`);
  }
});

test("invalid input fails with a code, and the next call tries again", async () => {
  files.set("/damaged.wasm", () => new Response(MODULE.slice(0, 20), WASM));
  files.set("/page.html", () => new Response("<!doctype html>", { headers: { "content-type": "text/html" } }));
  const bad = ["/damaged.wasm", "/page.html", "/absent.wasm", MODULE.slice(0, 20), new Uint8Array(), () => Promise.reject(new Error("no"))];
  for (const input of bad) {
    const { loader, made, counts } = freshLoader();
    await assert.rejects(loader.load(typeof input === "function" ? input() : input), { code: "load_failed" }, String(input));
    await loader.load("/good.wasm");
    assert.equal(counts.starts, 1);
    startPage();
    if (typeof input === "object") assert.throws(() => made().loadSync(input), { code: "load_failed" });
  }
  for (const input of [12345, {}, [], Symbol("x")]) {
    const { loader, made } = freshLoader();
    await assert.rejects(loader.load(input), { code: "invalid_argument", message: /^input must be/ });
    assert.throws(() => made().loadSync(input), { code: "invalid_argument" });
  }
});

test("synchronous load wins over a download that is under way", async () => {
  const { loader, counts } = freshLoader();
  const download = loader.load("/good.wasm");
  loader.loadSync(MODULE);
  await download;
  assert.equal(counts.starts, 1);
});

test("synchronous load starts the module beside an input that never arrives", () => {
  const restore = startPage();
  let starts = 0;
  const loader = new Loader(() => ({ Client: class {}, __wbg_set_wasm: () => (starts += 1) }), () => "/good.wasm", 0);
  void loader.load(new Promise(() => {}));
  loader.loadSync(MODULE);
  assert.equal(starts, 1);
  assert.ok(wasmClient());
  restore();
});

test("encrypted module makes the clients once both are loaded", async () => {
  const encrypted = await import("../dist/encrypted.js");
  await encrypted.init("/good.wasm");
  encrypted.initSync(MODULE);
  await init();
  new CampaignSync({ target: null }).connect();
  const fake = await import("./support/machine.js?encrypted");
  assert.equal(fake.starts, 1);
  assert.equal(fake.machines.length, 1);
});

test("encrypted module keeps its priority in either loading order", async () => {
  for (const order of ["main first", "encrypted first"]) {
    const { made } = freshLoader();
    const [main, encrypted] = [class Main {}, class Encrypted {}];
    const loaders = [made({ generated: { Client: main } }), made({ generated: { Client: encrypted }, priority: 1 })];
    assert.throws(wasmClient, { code: "not_initialized" });
    for (const loader of order === "main first" ? loaders : loaders.reverse()) await loader.load();
    assert.equal(wasmClient(), encrypted, order);
  }
});

test("list of codes begins with the list of the Rust code", async () => {
  const source = await readFile(new URL("../../src/protocol/code.rs", import.meta.url), "utf8");
  const [main, sealed] = source.split(/^ {4}sealing:$/m).map((part) => [...part.matchAll(/^ {4}[A-Z]\w+ = "(\w+)",$/gm)].map((match) => match[1]));
  assert.ok(main.length > 20 && sealed.length === 3);
  assert.deepEqual(ERROR_CODES.slice(0, main.length), main);
  await import("../dist/encrypted.js");
  for (const code of sealed) assert.notEqual(new CampaignSyncError(code).message, code, "it has words");
});

test("calls have the numbers of the Rust code", async () => {
  const source = await readFile(new URL("../../src/browser/call.rs", import.meta.url), "utf8");
  const names = [...source.matchAll(/^ {4}Call::(?:Do|Ask)\((?:Action|Query)::(\w)(\w*)\),$/gm)];
  assert.deepEqual(CALLS, names.map(([, first, rest]) => first.toLowerCase() + rest));
  assert.ok(CALLS.length > 30);
});
