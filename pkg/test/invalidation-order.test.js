// The event `cacheinvalidated` and its place among the other events of a client.
import assert from "node:assert/strict";
import { test } from "node:test";

import { makeSync, nextFrame } from "./support/fixtures.js";

const position = (sequenceNumber) => ({ epoch: "e1", sequenceNumber, eventId: `ev-${sequenceNumber}` });

/** The invalidations of a client, in order. */
function recorder(sync) {
  const seen = [];
  sync.addEventListener("cacheinvalidated", ({ detail }) => seen.push(detail));
  return seen;
}

// R16.19
test("record and rows are announced once per frame, before subscribers run", async () => {
  const { sync, machine } = makeSync();
  const seen = recorder(sync);
  const campaign = sync.campaign("c");
  campaign.subscribe(() => seen.push("subscriber"));
  for (const number of [1, 2, 3]) machine.change("c", { position: position(number) }, number === 2 ? 1 : 2);
  campaign.view();
  assert.deepEqual(seen, [], "nothing before the frame");
  await nextFrame();
  const at = { epoch: "e1", sequenceNumber: 3 };
  assert.deepEqual(seen, [{ campaignId: "c", reason: "status", ...at }, { campaignId: "c", reason: "rows", ...at }, "subscriber"]);
  await nextFrame();
  assert.equal(seen.length, 3);
  machine.change("c", { position: position(4) });
  await nextFrame();
  assert.deepEqual(seen.slice(3), ["subscriber"], "an event without an effect on the data");
});

// R16.19
test("any other event of the client comes after the invalidation", async () => {
  const { sync, machine } = makeSync();
  const seen = [];
  for (const type of ["cacheinvalidated", "statuschange", "connectionchange"]) sync.addEventListener(type, ({ detail }) => seen.push([type, detail.reason]));
  sync.campaign("c");
  for (const [type, detail] of [["statuschange", { campaignId: "c", status: "live" }], ["connectionchange", { state: "open", attempt: 0 }]]) {
    machine.change("c", { position: position(1) }, 2);
    machine.host.dispatch(type, detail);
    assert.deepEqual(seen.splice(0), [["cacheinvalidated", "rows"], [type, undefined]]);
  }
});

// R16.20
test("last release announces unwatched at once, on the client and on the window", () => {
  const target = new EventTarget();
  const { sync } = makeSync({ target });
  const seen = recorder(sync);
  target.addEventListener("campaign_cache_invalidated", ({ detail }) => seen.push(detail));
  const [one, other] = [sync.campaign("c"), sync.campaign("c")];
  one.release();
  assert.deepEqual(seen, [], "one handle is left");
  other.release();
  const expected = { campaignId: "c", reason: "unwatched" };
  assert.deepEqual(seen, [expected, expected]);
});

