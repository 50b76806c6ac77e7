// Any function that the module imports may throw, because the page may have replaced what it calls. The client works on,
// and the error is reported once. These tests run the compiled module.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { Core } from "../dist/core.js";
import { Loader, wasmClient } from "../dist/module.js";
import { SocketTransport } from "../dist/transport.js";
import { Call } from "./support/calls.js";
import { CAMPAIGN, Stream } from "./support/stream.js";

/** The modules of the package. */
const MODULES = Object.entries({ main: "", encrypted: "encrypted/" }).map(([name, directory]) => {
  const bytes = readFileSync(new URL(`../wasm/${directory}campaign_sync_bg.wasm`, import.meta.url));
  return { name, bytes, imports: WebAssembly.Module.imports(new WebAssembly.Module(bytes)).map((it) => it.name) };
});

/** Only the beginning of a client calls it. */
const BEGINS = /_random$/;

const reports = [];
const { reportError, addEventListener, removeEventListener, document } = globalThis;
before(() => {
  globalThis.reportError = (error) => reports.push(error);
  // Node has no page. An event target stands in for its window and its document.
  const page = new EventTarget();
  globalThis.addEventListener = page.addEventListener.bind(page);
  globalThis.removeEventListener = page.removeEventListener.bind(page);
  globalThis.document = Object.assign(new EventTarget(), { hidden: false });
});
after(() => Object.assign(globalThis, { reportError, addEventListener, removeEventListener, document }));

/** Sockets whose server answers in a later task. */
function socketsOf(stream) {
  return class {
    static latest;
    constructor() {
      this.constructor.latest = this;
      setImmediate(() => this.onopen?.({}));
    }
    send(frame) {
      for (const answer of stream.answer(frame)) setImmediate(() => this.onmessage?.({ data: answer }));
    }
    close() {}
  };
}

let loaded = 0;

/** Starts another instance of a module, with imports that `wrap` may replace, and returns a client of it. `begin` runs before the client. */
async function start({ name: module, bytes, imports }, wrap, begin, options = { log: () => {} }) {
  loaded += 1;
  // The query keeps the fake machine out.
  const { glue: generate } = await import(`../dist/${module}-glue.js?${loaded}`);
  const glue = (hosts) => {
    const generated = generate(hosts);
    for (const name of imports) generated[name] = wrap(name, generated[name]);
    return generated;
  };
  new Loader(glue, () => bytes, loaded).loadSync(bytes);
  begin();
  const stream = new Stream();
  const Sockets = socketsOf(stream);
  const core = new Core(wasmClient(), { ...options, lingerMs: 0 }, {
    dispatch: () => {},
    onLastRelease: () => {},
    transport: (events) => new SocketTransport("ws://host.test/", Sockets, events),
  });
  return { core, stream, Sockets };
}

/** Waits until `holds` is true, for at most ten seconds. */
async function until(holds, what) {
  for (let turn = 0; turn < 1_000; turn++) {
    if (holds()) return;
    await sleep(10);
  }
  assert.fail(`never: ${what}`);
}

/** Runs through everything that a client does, ignoring what a broken import makes of it. */
async function exercise({ core, stream, Sockets }, channel, end = sleep(50)) {
  const quietly = (use) => { try { return use(); } catch (error) { assert.equal(error.name, "CampaignSyncError"); } };
  quietly(() => Sockets.latest.onmessage?.({ data: stream.appendRow() }));
  quietly(() => core.command({ call: Call.retain, campaignId: "" }));
  quietly(() => core.view(channel));
  quietly(() => core.read({ call: Call.metrics }));
  quietly(() => core.read({ call: Call.domains, campaignId: CAMPAIGN }));
  quietly(() => globalThis.document.dispatchEvent(new Event("visibilitychange")));
  quietly(() => core.retain("campaign-2"));
  quietly(() => Sockets.latest.onclose?.({ code: 1006 }));
  await end;
}

for (const [module, name] of MODULES.flatMap((it) => it.imports.map((own) => [it, own]))) {
  test(`client of the ${module.name} module works on after ${name} threw`, async () => {
    const failure = new Error(`thrown by ${name}`);
    let armed = false;
    let thrown = 0;
    const throwing = (call) => (...values) => {
      if (!armed) return call(...values);
      armed = false;
      thrown += 1;
      throw failure;
    };
    const wrap = (own, call) => (own === name ? throwing(call) : call);
    const made = await start(module, wrap, () => (armed = BEGINS.test(name)));
    const { core, stream } = made;
    const channel = core.retain(CAMPAIGN);
    core.command({ call: Call.connect });
    const live = () => core.view(channel).status === "live" && core.view(channel).position?.sequenceNumber === stream.head;
    await until(live, "live at first");
    armed = !BEGINS.test(name);
    await exercise(made, channel);
    armed = false;
    await until(live, "live again");
    core.close();
    await sleep(5);
    assert.equal(thrown, 1, "the import was called");
    assert.equal(reports.filter((error) => error === failure).length, 1, "the error was reported once");
  });
}

/** Functions of the platform that the package calls, each as the object that has it and its name there. */
const PLATFORM = () => [
  ...["setTimeout", "clearTimeout", "setInterval", "clearInterval", "addEventListener", "removeEventListener", "requestAnimationFrame", "cancelAnimationFrame", "reportError"].map((name) => [globalThis, name]),
  ...["addEventListener", "removeEventListener"].map((name) => [globalThis.document, name]),
  ...["debug", "info", "warn", "error"].map((name) => [console, name]),
  [performance, "now"], [Date, "now"], [Math, "random"],
];

test("client works on after any function of the platform threw", async (t) => {
  globalThis.requestAnimationFrame ??= (run) => setTimeout(run, 1);
  globalThis.cancelAnimationFrame ??= (id) => clearTimeout(id);
  const made = await start(MODULES[0], (_, call) => call, () => {}, { log: true });
  const { core, stream, Sockets } = made;
  t.after(() => {
    core.close();
    delete globalThis.requestAnimationFrame;
    delete globalThis.cancelAnimationFrame;
  });
  const channel = core.retain(CAMPAIGN);
  core.command({ call: Call.connect });
  const live = () => core.view(channel).status === "live" && core.view(channel).position?.sequenceNumber === stream.head;
  await until(live, "live at first");
  const genuine = new Map(PLATFORM().map(([object, name]) => [`${name} of ${object === globalThis ? "window" : object.constructor.name}`, [object, name, object[name]]]));
  const broken = (names, message) => {
    for (const name of names) {
      const [object, member] = genuine.get(name);
      object[member] = () => { throw new Error(message); };
    }
  };
  for (const names of [...[...genuine.keys()].map((name) => [name]), [...genuine.keys()]]) {
    broken(names, `thrown by ${names}`);
    const tick = new Promise((resolve) => setImmediate(resolve));
    try {
      await exercise(made, channel, tick);
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    } finally {
      for (const [object, member, own] of genuine.values()) object[member] = own;
    }
    core.command({ call: Call.connect }); // The pauses before attempts grow with each socket that is cut.
    await until(live, `live again after ${names} threw`);
    assert.ok(Sockets.latest.onmessage, "the socket is in use");
  }
});
