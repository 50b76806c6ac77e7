import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { CampaignSync, CampaignSyncError, ERROR_CODES, init, initSync } from "../dist/index.js";
import { loading } from "./support/machine.js";

// One story: the module is loaded once per process, so the order matters.
test("the module is loaded once, a failure can be tried again, and use before it is a clear error", async () => {
  assert.throws(() => new CampaignSync(), { name: "CampaignSyncError", code: "not_initialized", message: /await init\(\)/ });

  loading.failure = new Error("404");
  await assert.rejects(init("/broken.wasm"), (error) => {
    assert.ok(error instanceof CampaignSyncError);
    assert.equal(error.code, "load_failed");
    assert.equal(error.cause, loading.failure);
    return true;
  });
  loading.failure = undefined;

  const first = init("/good.wasm");
  assert.equal(init("/other.wasm"), first, "a second call waits for the first");
  await first;
  await init();
  initSync(new Uint8Array());
  assert.deepEqual(loading.inputs, ["/broken.wasm", "/good.wasm"]);
  assert.ok(new CampaignSync({ target: null }) instanceof EventTarget);
});

test("encrypted module makes the clients once both are loaded", async () => {
  const encrypted = await import("../dist/encrypted.js");
  await encrypted.init("/encrypted.wasm");
  encrypted.initSync(new Uint8Array());
  await init();
  new CampaignSync({ target: null }).connect();
  const fake = await import("./support/machine.js?encrypted");
  assert.deepEqual(fake.loading.inputs, ["/encrypted.wasm"]);
  assert.equal(fake.machines.length, 1);
});

test("encrypted module keeps its priority in either loading order", async () => {
  const module = (Client) => ({ Client, initSync() {}, async default() {} });
  for (const [order, loads] of ["main first", "encrypted first"].entries()) {
    // The query makes a loader without a module, as at the start of a page.
    const { Loader, wasmClient } = await import(`../dist/module.js?order=${order}`);
    const [main, encrypted] = [class Main {}, class Encrypted {}];
    const loaders = [new Loader(module(main), 0), new Loader(module(encrypted), 1)];
    assert.throws(wasmClient, { code: "not_initialized" });
    for (const loader of order === 0 ? loaders : loaders.reverse()) await loader.load();
    assert.equal(wasmClient(), encrypted, loads);
  }
});

test("the list of codes begins with the machine's own list", async () => {
  const source = await readFile(new URL("../../src/protocol/code.rs", import.meta.url), "utf8");
  const codes = (pattern) => [...source.matchAll(pattern)].map((match) => match[1]);
  const sealed = codes(/^ {4}#\[cfg\(feature = "encrypted"\)\]\n {4}[A-Z]\w+ = "(\w+)",$/gm);
  const main = codes(/^ {4}[A-Z]\w+ = "(\w+)",$/gm).filter((code) => !sealed.includes(code));
  assert.ok(main.length > 20 && sealed.length === 3);
  assert.deepEqual(ERROR_CODES.slice(0, main.length), main);
  await import("../dist/encrypted.js");
  for (const code of sealed) assert.notEqual(new CampaignSyncError(code).message, code, "it has words");
});
