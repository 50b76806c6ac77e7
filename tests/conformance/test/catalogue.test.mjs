// The watcher of the list accepts what crosses a client that leaves it, and nothing later.

import assert from "node:assert/strict";
import { test } from "node:test";

import { CatalogueWatcher } from "../runner/catalogue.mjs";

const TIMESTAMP = "2026-01-01T00:00:00.000Z";
const CHANGE = { epoch: "e", previousSequenceNumber: 1, sequenceNumber: 2, total: 0, part: 1, parts: 1, campaigns: [] };
const HEAD = { epoch: "e", lastSequenceNumber: 1, lagMs: 0 };

/** A watcher of a connection that has an empty list, and what it reports. */
function withList() {
  const breaches = [];
  const watcher = new CatalogueWatcher((_duty, expected) => breaches.push(expected));
  watcher.subscribe({ requestId: "r" });
  watcher.part({ ...CHANGE, requestId: "r", previousSequenceNumber: null, sequenceNumber: 1 }, TIMESTAMP, "");
  return { watcher, breaches };
}

test("changes and pongs that cross unsubscribe_catalogue are accepted", () => {
  const { watcher, breaches } = withList();
  watcher.pinged(1);
  watcher.unsubscribe();
  watcher.part(CHANGE, TIMESTAMP, "");
  watcher.pong(HEAD, undefined, "");
  watcher.pong(HEAD, 1, "");
  watcher.pinged(2);
  watcher.part(CHANGE, TIMESTAMP, "");
  watcher.pong(undefined, 2, "");
  assert.deepEqual(breaches, []);
});

test("changes and heads after the pong that follows unsubscribe_catalogue are reported", () => {
  const { watcher, breaches } = withList();
  watcher.unsubscribe();
  watcher.pinged(1);
  watcher.pong(HEAD, 1, "");
  watcher.part(CHANGE, TIMESTAMP, "");
  assert.deepEqual(breaches, ["no catalogue in the pong yet", "no part without a subscription"]);
});

test("changes before the first subscribe_catalogue are reported", () => {
  const breaches = [];
  new CatalogueWatcher((_duty, expected) => breaches.push(expected)).part(CHANGE, TIMESTAMP, "");
  assert.deepEqual(breaches, ["no part without a subscription"]);
});
