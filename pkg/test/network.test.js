// The browser's word about its network, in the connection.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { makeSync } from "./support/fixtures.js";
const navigator = Object.getOwnPropertyDescriptor(globalThis, "navigator");
const events = new EventTarget();

/** Gives the platform a network that goes and comes back. */
function network(onLine) {
  Object.defineProperty(globalThis, "navigator", { value: { onLine }, configurable: true });
  globalThis.addEventListener = events.addEventListener.bind(events);
  globalThis.removeEventListener = events.removeEventListener.bind(events);
}

function goes(onLine) {
  Object.defineProperty(globalThis, "navigator", { value: { onLine }, configurable: true });
  events.dispatchEvent(new Event(onLine ? "online" : "offline"));
}

afterEach(() => {
  if (navigator) Object.defineProperty(globalThis, "navigator", navigator);
  else delete globalThis.navigator;
  delete globalThis.addEventListener;
  delete globalThis.removeEventListener;
});

test("offline by the browser's word shows in the connection at once", () => {
  network(true);
  const { sync, machine } = makeSync();
  const heard = [];
  sync.addEventListener("connectionchange", ({ detail }) => heard.push([detail.state, detail.offline]));
  machine.host.dispatch("connectionchange", { state: "open", attempt: 0 });
  assert.equal("offline" in sync.connection, false);
  goes(false);
  assert.equal(sync.connection.offline, true);
  goes(false);
  goes(true);
  assert.equal("offline" in sync.connection, false);
  assert.deepEqual(heard, [["open", undefined], ["open", true], ["open", undefined]]);
});

test("client that connects without a network says so", () => {
  network(false);
  const { sync, machine } = makeSync();
  machine.host.dispatch("connectionchange", { state: "connecting", attempt: 0 });
  assert.equal(sync.connection.offline, true);
});

test("closed client no longer listens to the network", () => {
  network(true);
  const { sync, machine } = makeSync();
  let heard = 0;
  sync.addEventListener("connectionchange", () => (heard += 1));
  machine.host.dispatch("connectionchange", { state: "open", attempt: 0 });
  sync.close();
  const before = heard;
  goes(false);
  assert.equal(heard, before);
});
