// The REST client of the package against the reference server, without a browser.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { allowedActions, RestClient } from "../../pkg/dist/rest.js";
import { init, CampaignSync } from "../../pkg/dist/index.js";
import WebSocket from "../../pkg/node_modules/ws/wrapper.mjs";
import { Server } from "./lib/server.mjs";

let server, client, sync;

before(async () => {
  await init();
  server = await Server.start(["--rate", "5000"]);
  sync = new CampaignSync({ url: `${server.origin}/api/v2/ws`, WebSocket, target: null });
  sync.connect();
  client = new RestClient({ baseUrl: `${server.origin}/api/v2`, sync, timeoutMs: 10_000 });
});

after(async () => {
  sync.close();
  await server.stop();
});

/** Creates a campaign, and takes a handle of it. */
async function created(settings = {}) {
  const { campaign: { campaignId } } = await client.create({ name: "Spring", count: 50, rate: 5_000, ...settings });
  const campaign = sync.campaign(campaignId);
  await until(campaign, ({ status }) => status === "live");
  return { campaignId, campaign };
}

const until = (campaign, is) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`it stays ${JSON.stringify(campaign.view())}`)), 10_000);
    const look = () => is(campaign.view()) && (clearTimeout(timer), stop(), resolve());
    const stop = campaign.subscribe(look);
    look();
  });

test("page shows a write when the call returns", async () => {
  const { campaignId, campaign } = await created();
  assert.deepEqual(allowedActions(campaign.view().campaign), ["start"]);
  const { position, campaign: record } = await client.act(campaignId, "start");
  assert.ok(campaign.view().position.sequenceNumber >= position.sequenceNumber);
  assert.equal(record.phaseStatus, "in_progress");
  campaign.release();
});

test("allowed actions drive a campaign through all phases, and the server agrees", async () => {
  const { campaignId, campaign } = await created();
  const taken = [];
  for (;;) {
    const { campaign: record } = campaign.view();
    if (record.phaseStatus === "in_progress") {
      await until(campaign, (view) => view.campaign.phaseStatus === "completed");
      continue;
    }
    const [action] = allowedActions(record);
    if (action === undefined) break;
    await client.act(campaignId, action);
    taken.push(action);
  }
  assert.deepEqual(taken, ["start", "configure-dns", "validate-dns", "configure-http", "validate-http", "configure-analysis", "analyze"]);
  for (const action of ["start", "configure-dns", "pause", "resume", "rollback"]) {
    await assert.rejects(client.act(campaignId, action), ({ code }) => ["illegal_transition", "prerequisites_not_met"].includes(code), action);
  }
  const trail = await client.transitions(campaignId, { all: true });
  assert.ok(trail.length > taken.length && trail.every(({ result }) => typeof result === "string"));
  campaign.release();
});

test("state that the page no longer shows is refused with the server's code", async () => {
  const { campaignId, campaign } = await created();
  await assert.rejects(client.act(campaignId, "start", { expectedState: "analysis" }), { name: "CampaignSyncError", code: "expected_state_mismatch" });
  campaign.release();
});

test("repeated key is executed once", async () => {
  const { campaignId, campaign } = await created();
  const options = { idempotencyKey: "once", expectedState: null };
  const first = await client.act(campaignId, "start", options);
  assert.deepEqual(await client.act(campaignId, "start", options), first);
  campaign.release();
});

test("reads are typed, paged and not older than the page", async () => {
  const { campaignId, campaign } = await created({ count: 25 });
  await client.act(campaignId, "start");
  await until(campaign, (view) => view.campaign.phaseStatus === "completed");
  const { settings, position } = await client.get(campaignId);
  assert.equal(settings.count, 25);
  assert.ok(position.sequenceNumber >= campaign.view().position.sequenceNumber);
  const pages = [];
  for await (const page of client.rows(campaignId, { limit: 10 })) pages.push(page);
  assert.deepEqual(pages.map(({ rows, total }) => [rows.length, total]), [[10, 25], [10, 25], [5, 25]]);
  const snapshot = await client.snapshot(campaignId);
  assert.deepEqual(snapshot.domains.map(({ domain }) => domain), pages.flatMap(({ rows }) => rows.map(({ domain }) => domain)));
  assert.deepEqual([snapshot.domainsDigest, snapshot.domainsCount], [campaign.view().domainsDigest, 25]);
  const ids = [];
  for await (const { campaignId: id } of client.campaigns()) ids.push(id);
  assert.ok(ids.includes(campaignId));
  const { campaigns, next } = await client.list({ limit: 1 });
  assert.deepEqual([campaigns.length, next], [1, campaigns[0].campaignId]);
  campaign.release();
});

test("deleted campaign is unknown afterwards", async () => {
  const { campaignId, campaign } = await created();
  await client.delete(campaignId);
  await until(campaign, ({ status }) => status === "ended");
  await assert.rejects(client.get(campaignId), { code: "unknown_campaign" });
  campaign.release();
});

test("server that is killed and started again answers the repeated request", async () => {
  await server.kill();
  const listing = client.list();
  await server.run();
  assert.ok(Array.isArray((await listing).campaigns));
});
