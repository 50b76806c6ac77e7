// The parts of campaign-sync/react that need no browser. tests/react runs the hooks.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";

import { isEqual, throttled } from "../dist/react/store.js";

/** The files that a file imports, also through others. */
async function graph(file, found = new Set()) {
  if (found.has(file)) return found;
  found.add(file);
  const text = await readFile(new URL(`../dist/${file}`, import.meta.url), "utf8");
  for (const [, name] of text.matchAll(/^(?:import|export) .*?from "(\..*)";$/gm)) await graph(join(dirname(file), name), found);
  return found;
}

test("adapters import no entry with a module", async () => {
  const files = [...(await graph("react.js")), ...(await graph("tanstack-query.js")), ...(await graph("testing.js"))];
  assert.ok(files.includes("react/domains.js") && files.includes("testing/session.js"), "the graph is read");
  const heavy = files.filter((it) => /embedded|glue|module|load|client|core|index/.test(it));
  assert.deepEqual(heavy, []);
});

test("entry is a client component for bundlers of server components", async () => {
  for (const form of ["", "cjs/"]) assert.match(await readFile(new URL(`../dist/${form}react.js`, import.meta.url), "utf8"), /^"use client";/);
});

/** A source of changes, and the listener's calls in milliseconds of the mocked clock. */
function source(t, ms) {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: 0 });
  const listeners = new Set();
  const calls = [];
  const stop = throttled((listener) => (listeners.add(listener), () => listeners.delete(listener)), ms)(() => calls.push(Date.now()));
  const change = () => listeners.forEach((listener) => listener());
  return { calls, change, stop, listeners };
}

test("throttled listener never misses the last change", (t) => {
  const { calls, change, stop, listeners } = source(t, 100);
  change();
  for (let at = 0; at < 25; at++) {
    t.mock.timers.tick(10);
    change();
  }
  for (let at = 0; at < 100; at++) t.mock.timers.tick(10);
  assert.deepEqual(calls, [0, 100, 200, 300]);
  change();
  assert.equal(calls.length, 5, "after a pause the next change is heard at once");
  change();
  stop();
  t.mock.timers.tick(1_000);
  assert.deepEqual([calls.length, listeners.size], [5, 0], "nothing is heard after the end");
});

test("listener without a throttle hears every change", (t) => {
  const { calls, change } = source(t, 0);
  change();
  change();
  assert.equal(calls.length, 2);
});

test("throttle may last longer than a timer of the platform", (t) => {
  for (const ms of [2 ** 31, Infinity]) {
    const { calls, change } = source(t, ms);
    change();
    change();
    t.mock.timers.tick(2 ** 31 - 1);
    assert.equal(calls.length, 1, String(ms));
    t.mock.timers.reset();
  }
});

test("content is equal by value, and everything else by identity", () => {
  const date = new Date(0);
  const equal = [[1, 1], [NaN, NaN], [null, null], [{}, {}], [[], []], [{ a: [1, { b: null }] }, { a: [1, { b: null }] }], [date, date]];
  const different = [[0, -0], [1, "1"], [null, {}], [{}, []], [{ a: 1 }, { b: 1 }], [{ a: undefined }, {}], [{ a: undefined }, { b: undefined }],
    [[1], [1, 2]], [date, new Date(0)], [new Map(), new Map()], [{ a: { b: 1 } }, { a: { b: 2 } }]];
  for (const [a, b] of equal) assert.ok(isEqual(a, b) && isEqual(b, a), String([a, b]));
  for (const [a, b] of different) assert.ok(!isEqual(a, b) && !isEqual(b, a), String([a, b]));
});
