// Freshness through the compiled module: the time of the last proof, statuses that agree with their events, the names of
// campaigns in details, and a reset in a listener.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { CampaignSync } from "../dist/index.js";
import { Loader } from "../dist/module.js";
import { nextFrame } from "./support/fixtures.js";
import { CAMPAIGN, Stream } from "./support/stream.js";

const BYTES = readFileSync(new URL("../wasm/campaign_sync_bg.wasm", import.meta.url));
// The query keeps the fake machine out.
const { glue } = await import("../dist/main-glue.js?freshness");
new Loader(glue, () => BYTES, 1_000).loadSync(BYTES);

/** The public class over the compiled module, with a server behind its own transport. */
async function followed() {
  const stream = new Stream();
  stream.appendRow();
  const sync = new CampaignSync({ target: null, transport: "manual" });
  const frames = [];
  sync.onsend = (frame) => frames.push(...stream.answer(frame));
  const heard = [];
  for (const type of ["statuschange", "phasetransition", "phasestatuschange", "ended", "cacheinvalidated"]) {
    sync.addEventListener(type, ({ detail }) => heard.push([type, detail, sync.status(CAMPAIGN)]));
  }
  const campaign = sync.campaign(CAMPAIGN);
  const pump = () => {
    while (frames.length > 0) sync.receive(frames.shift());
  };
  sync.connect();
  sync.opened();
  pump();
  return { sync, stream, campaign, heard, pump };
}

test("statuschange agrees with the status that its listener reads", async () => {
  const { sync, stream, campaign, heard, pump } = await followed();
  sync.receive(stream.appendRow());
  stream.appendRow();
  sync.receive(stream.appendRow());
  pump();
  sync.closed(4401);
  assert.equal(campaign.view().code, "unauthorized");
  const changes = heard.filter(([type]) => type === "statuschange");
  assert.ok(changes.length >= 3, JSON.stringify(changes));
  for (const [, { status }, read] of changes) assert.equal(read, status);
  assert.deepEqual([changes.at(-1)[1].status, changes.at(-1)[1].reason], ["failed", "unauthorized"]);
  await assert.rejects(campaign.reached(`epoch-a/99`), { code: "unauthorized" });
  sync.close();
});

test("view says when it was proven, and is the same object until that changes", async () => {
  const { sync, campaign } = await followed();
  const { provenAt } = campaign.view();
  assert.ok(Math.abs(Date.now() - provenAt) < 60_000, `${provenAt}`);
  assert.equal(campaign.view(), campaign.view());
  sync.closed(1006);
  assert.equal(campaign.view().status, "stale");
  assert.equal(campaign.view().provenAt, provenAt);
  sync.reset();
  assert.equal(campaign.view().provenAt, null);
  sync.close();
});

test("details carry the name of the campaign", async () => {
  const { sync, stream, heard } = await followed();
  sync.receive(stream.append("campaign.status", { campaignId: CAMPAIGN, phaseStatus: "paused" }));
  const [, initial] = heard.find(([type]) => type === "phasetransition");
  assert.deepEqual([initial.initial, initial.campaignName, initial.newPhase], [true, "n", "domain_generation"]);
  const [, paused] = heard.find(([type]) => type === "phasestatuschange");
  assert.deepEqual([paused.from, paused.to, paused.campaignName], ["in_progress", "paused", "n"]);
  sync.receive(stream.append("campaign.deleted", { campaignId: CAMPAIGN }));
  const [, ended] = heard.find(([type]) => type === "ended");
  assert.deepEqual([ended.reason, ended.campaignName], ["deleted", "n"]);
  sync.close();
});

test("reset in a listener ends the notices of the former user", async () => {
  const { sync, stream, campaign, heard } = await followed();
  const after = [];
  sync.addEventListener("cacheinvalidated", () => {
    if (after.length === 0) sync.reset();
    after.push(campaign.view().campaign);
  });
  heard.length = 0;
  const record = { name: "n", currentPhase: "dns_validation", phaseStatus: "ready", createdAt: "", updatedAt: "" };
  sync.receive(stream.append("campaign.list.update", { action: "update", campaignId: CAMPAIGN, campaign: record }));
  assert.deepEqual(heard.filter(([type]) => type === "phasetransition"), []);
  assert.deepEqual(after, [null, null]);
  assert.equal(campaign.view().status, "idle");
  sync.close();
});

test("reset in a listener of a frame ends the notices that wait behind it", async () => {
  const { sync, stream, campaign, heard } = await followed();
  await nextFrame();
  const record = { name: "n", currentPhase: "dns_validation", phaseStatus: "ready", createdAt: "", updatedAt: "" };
  // Of two listeners of one event, the first lets a transition in, and the second ends the session.
  const listeners = [
    () => sync.receive(stream.append("campaign.list.update", { action: "update", campaignId: CAMPAIGN, campaign: record })),
    () => { heard.length = 0; sync.reset(); },
  ];
  for (const listener of listeners) sync.addEventListener("cacheinvalidated", listener, { once: true });
  sync.receive(stream.appendRow());
  await nextFrame();
  assert.equal(campaign.view().campaign, null);
  assert.deepEqual(heard.map(([type, { reason }]) => [type, reason]), [["cacheinvalidated", "signed_out"], ["statuschange", undefined]]);
  sync.close();
});
