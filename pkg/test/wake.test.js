// The machine's timer and the signals of the page that wake it.
import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";

import { Waker } from "../dist/wake.js";
import { CALLS } from "./support/calls.js";
import { collectReports, makeSync } from "./support/fixtures.js";

const { addEventListener, removeEventListener, document } = globalThis;
/** Stands in for the window and its document, and counts listeners. */
class Page extends EventTarget {
  listeners = 0;
  addEventListener(...values) {
    this.listeners += 1;
    super.addEventListener(...values);
  }
  removeEventListener(...values) {
    this.listeners -= 1;
    super.removeEventListener(...values);
  }
}
let page;
beforeEach(() => {
  page = { window: new Page(), document: Object.assign(new Page(), { hidden: false }) };
  globalThis.addEventListener = (...values) => page.window.addEventListener(...values);
  globalThis.removeEventListener = (...values) => page.window.removeEventListener(...values);
  globalThis.document = page.document;
});
after(() => Object.assign(globalThis, { addEventListener, removeEventListener, document }));

function makeWaker() {
  const woken = [];
  return { woken, waker: new Waker((wake) => woken.push(CALLS[wake]), () => woken.push("network")) };
}

test("each signal of the page wakes the machine", () => {
  const { waker, woken } = makeWaker();
  waker.listen();
  for (const type of ["online", "offline", "pageshow"]) page.window.dispatchEvent(new Event(type));
  page.document.dispatchEvent(new Event("visibilitychange"));
  assert.deepEqual(woken, ["network", "online", "network", "pageShow", "visible"]);
});

test("page that becomes hidden does not wake the machine", () => {
  const { waker, woken } = makeWaker();
  waker.listen();
  page.document.hidden = true;
  page.document.dispatchEvent(new Event("visibilitychange"));
  assert.deepEqual(woken, []);
});

test("platform without events and documents gives no signals", () => {
  for (const name of ["addEventListener", "removeEventListener", "document"]) delete globalThis[name];
  const { waker } = makeWaker();
  waker.listen();
  waker.end();
});

test("end removes every listener and the timer", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { waker, woken } = makeWaker();
  waker.listen();
  assert.deepEqual([page.window.listeners, page.document.listeners], [3, 1]);
  waker.arm(10);
  waker.end();
  t.mock.timers.tick(20);
  assert.deepEqual([page.window.listeners, page.document.listeners, woken], [0, 0, []]);
});

test("client that never connected has no listener on the page", () => {
  const { sync, machine } = makeSync();
  sync.campaign("c");
  assert.equal(page.window.listeners + page.document.listeners, 0);
  machine.host.dispatch("connectionchange", { state: "connecting", attempt: 0 });
  assert.ok(page.window.listeners > 0);
  sync.close();
});

test("timer fires once, and arming replaces it", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { waker, woken } = makeWaker();
  waker.arm(10);
  waker.arm(30);
  t.mock.timers.tick(20);
  assert.deepEqual(woken, []);
  t.mock.timers.tick(100);
  assert.deepEqual(woken, ["timer"]);
  waker.arm(10);
  waker.arm(null);
  t.mock.timers.tick(100);
  assert.deepEqual(woken, ["timer"]);
});

test("machine is woken although setTimeout and setInterval throw", async () => {
  const { setTimeout, setInterval } = globalThis;
  const { waker, woken } = makeWaker();
  const reports = await collectReports(() => {
    globalThis.setTimeout = globalThis.setInterval = () => { throw new Error("no timer"); };
    waker.arm(10);
    Object.assign(globalThis, { setTimeout, setInterval });
  });
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.deepEqual([woken, reports.map(({ message }) => message)], [["timer"], ["no timer"]]);
});

test("timer that could not be cleared does not wake the machine", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const genuine = globalThis.clearTimeout;
  const { waker, woken } = makeWaker();
  waker.arm(10);
  const reports = await collectReports(() => {
    globalThis.clearTimeout = () => { throw new Error("no clearing"); };
    waker.arm(null);
    globalThis.clearTimeout = genuine;
  });
  t.mock.timers.tick(100);
  assert.deepEqual([woken, reports.length], [[], 1]);
});
