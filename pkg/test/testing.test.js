// The server of `campaign-sync/testing` with the compiled client.
import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { withFakeClock } from "./support/clock.js";
import { CampaignSync, CampaignSyncError, createTestServer, open, started } from "./support/test-server.js";

const codeOf = (call) => {
  try {
    call();
    return "none";
  } catch (error) {
    return error instanceof CampaignSyncError ? error.code : String(error);
  }
};

/** The events of a type that a client dispatched. */
function events(sync, type) {
  const found = [];
  sync.addEventListener(type, ({ detail }) => found.push(detail));
  return found;
}

/** Checks that a client shows the state of the server. */
function assertEqual(server, id, campaign) {
  const { campaign: record, rows, position } = server.state(id);
  assert.deepEqual(campaign.view().campaign, record);
  assert.deepEqual(campaign.view().position, position);
  const shown = campaign.domains({ limit: 1_000 }).rows.map(({ unconfirmed, ...row }) => Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null)));
  assert.deepEqual(shown, rows);
}

test("client is live with rows once the server is settled", async () => {
  const { server, id, campaign } = started();
  let calls = 0;
  campaign.subscribe(() => (calls += 1));
  await server.settled();
  assert.equal(campaign.view().status, "live");
  assert.ok(calls > 0);
  assertEqual(server, id, campaign);
});

test("changes of record and rows arrive by events", async () => {
  const { server, sync, id, campaign } = started();
  await server.settled();
  const { snapshots } = sync.metrics();
  server.patch(id, { phaseStatus: "in_progress", totalItems: 3, processedItems: 1 });
  server.patch(id, { phaseStatus: "failed", errorMessage: "No more names." });
  server.patch(id, { name: "Summer" });
  server.rows(id, [{ domainId: "domain-1", dnsStatus: "resolved" }, { domainId: "x", domain: "x.example", leadScore: 0.5 }]);
  server.rows(id, 1_500);
  server.removeRows(id, ["domain-2"]);
  await server.settled();
  assert.equal(campaign.view().campaign.errorMessage, "No more names.");
  assert.equal(campaign.view().domainsCount, 1_503);
  assert.equal(campaign.view().counts.dns.resolved, 1);
  assert.equal(sync.metrics().snapshots, snapshots);
  assert.deepEqual(sync.metrics().refused, {});
  server.removeRows(id, server.state(id).rows.slice(3).map(({ domainId }) => domainId));
  await server.settled();
  assertEqual(server, id, campaign);
});

test("message of a record that did not fail is shown, too", async () => {
  const { server, id, campaign } = started();
  await server.settled();
  const { sequenceNumber } = server.state(id).position;
  server.patch(id, {});
  assert.equal(server.state(id).position.sequenceNumber, sequenceNumber);
  server.patch(id, { errorMessage: "Slow names." });
  await server.settled();
  assert.deepEqual([campaign.view().campaign.errorMessage, campaign.view().campaign.phaseStatus], ["Slow names.", "ready"]);
  assertEqual(server, id, campaign);
});

test("phase machine decides about transitions of the test server", async () => {
  const { server, sync, id, campaign } = started();
  await server.settled();
  const transitions = events(sync, "phasetransition");
  assert.equal(codeOf(() => server.transition(id, "analyze")), "illegal_transition");
  server.transition(id, "start");
  server.patch(id, { processedItems: 3, totalItems: 3 });
  server.patch(id, { phaseStatus: "completed" });
  const completed = server.state(id).campaign;
  server.transition(id, "configure-dns", { reason: "ready" });
  await server.settled();
  assert.equal(campaign.view().campaign.currentPhase, "dns_validation");
  assert.deepEqual(transitions.map(({ newPhase, triggerReason }) => [newPhase, triggerReason]), [["dns_validation", "ready"]]);
  server.transition(id, "rollback");
  await server.settled();
  const { currentPhase, phaseStatus, processedItems } = campaign.view().campaign;
  assert.deepEqual([currentPhase, phaseStatus, processedItems], ["domain_generation", "completed", completed.processedItems]);
  server.patch(id, { currentPhase: "cleanup", phaseStatus: "in_progress" });
  await server.settled();
  assert.equal(campaign.view().campaign.currentPhase, "cleanup");
  assertEqual(server, id, campaign);
});

test("refused transition shows its error and changes nothing", async () => {
  const { server, id, campaign } = started({ campaign: { phaseStatus: "completed" } });
  await server.settled();
  server.transition(id, "configure-dns", { refused: "integrity_check_failed" });
  await server.settled();
  assert.equal(campaign.view().error.code, "integrity_check_failed");
  assert.equal(campaign.view().campaign.currentPhase, "domain_generation");
  server.transition(id, "configure-dns");
  await server.settled();
  assert.equal(campaign.view().error, null);
});

test("message for people reaches the listeners", async () => {
  const { server, sync, id } = started();
  await server.settled();
  const notifications = events(sync, "notification");
  server.notify(id, "Maintenance at noon", "warning");
  await server.settled();
  assert.deepEqual(notifications.map(({ level, message }) => [level, message]), [["warning", "Maintenance at noon"]]);
});

test("removed campaign has ended", async () => {
  const { server, id, campaign } = started();
  await server.settled();
  server.remove(id);
  await server.settled();
  assert.equal(campaign.view().status, "ended");
  assert.equal(codeOf(() => server.patch(id, {})), "unknown_campaign");
});

test("client is stale after a drop and recovers what it missed", async () => {
  const { server, sync, id, campaign } = started();
  await server.settled();
  server.drop();
  await server.settled();
  assert.deepEqual([campaign.view().status, campaign.view().staleReason], ["stale", "disconnected"]);
  server.rows(id, 2);
  await server.connected();
  assert.equal(campaign.view().status, "live");
  assert.equal(sync.metrics().recoveryRequests.reconnect, 1);
  assertEqual(server, id, campaign);
});

test("dropped client is disconnected however soon it connects again", () => withFakeClock(async (clock) => {
  const { server, sync, campaign } = started();
  await server.settled();
  // A client makes at most two attempts a second.
  await clock.tickAsync(1_000);
  const states = [];
  sync.addEventListener("connectionchange", ({ detail: { state } }) => {
    states.push(state);
    if (state === "waiting") sync.connect();
  });
  server.drop();
  await server.settled();
  assert.deepEqual([campaign.view().status, states], ["stale", ["waiting", "connecting"]]);
  await server.settled();
  assert.equal(campaign.view().status, "live");
}));

test("stopped server takes no socket and no request", async () => {
  const { server, sync, campaign } = started();
  await server.settled();
  server.stop();
  sync.reconnect();
  await server.settled();
  assert.equal(sync.connection.state, "waiting");
  assert.equal(campaign.view().status, "stale");
  await assert.rejects(server.fetch(`${server.baseUrl}/campaigns`), TypeError);
  server.resume();
  await server.connected();
  assert.equal(campaign.view().status, "live");
});

test("held data leaves a new campaign loading", async () => {
  const { server, campaign } = started();
  server.hold();
  await server.settled();
  assert.equal(campaign.view().status, "loading");
  server.resume();
  await server.settled();
  assert.equal(campaign.view().status, "live");
});

test("silent server turns the client stale, in faked time", () => withFakeClock(async (clock) => {
  const { server, sync, campaign } = started();
  await server.settled();
  assert.equal(campaign.view().status, "live");
  server.silence();
  await clock.tickAsync(10_100);
  assert.notEqual(campaign.view().status, "live");
  await clock.tickAsync(5_000);
  assert.equal(campaign.view().status, "stale");
  server.resume();
  await server.connected();
  assert.equal(campaign.view().status, "live");
  // The heartbeats of a quarter of an hour need no real time.
  await clock.tickAsync(900_000);
  await server.settled();
  assert.equal(campaign.view().status, "live");
  sync.close();
  server.close();
  // The client frees its memory in a later task.
  clock.tick(1);
  assert.equal(clock.countTimers(), 0);
}));

test("timers of another kind are moved by the option", async () => {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  try {
    const { server, campaign } = started({ advanceTimers: (ms) => mock.timers.tick(ms) });
    let calls = 0;
    campaign.subscribe(() => (calls += 1));
    await server.settled();
    assert.equal(campaign.view().status, "live");
    assert.ok(calls > 0);
    server.drop();
    await server.connected();
    assert.equal(campaign.view().status, "live");
  } finally {
    mock.timers.reset();
  }
});

test("unknown faked timers reject instead of hanging", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const { server } = started();
    await assert.rejects(server.settled(), { code: "timed_out", message: /advanceTimers/ });
  } finally {
    mock.timers.reset();
  }
});

test("expired session ends the client or is renewed by it", async () => {
  const { server, sync, campaign } = started();
  await server.settled();
  server.expire();
  await server.settled();
  assert.deepEqual([sync.connection.state, sync.connection.code], ["failed", "unauthorized"]);
  assert.equal((await server.fetch(`${server.baseUrl}/campaigns`)).status, 401);

  const asked = [];
  const renewed = started({ client: { onUnauthorized: ({ attempt }) => (asked.push(attempt), renewed.server.admit(), true) } });
  await renewed.server.settled();
  renewed.server.expire();
  await renewed.server.connected();
  assert.deepEqual(asked, [1]);
  assert.equal(renewed.campaign.view().status, "live");
  server.admit();
  sync.connect();
  await server.connected();
  assert.equal(campaign.view().status, "live");
});

test("another user sees nothing of the former one", async () => {
  const { server, sync, campaign } = started({ campaign: { owner: "ada" } });
  server.admit("ada");
  await server.settled();
  assert.equal(campaign.view().status, "live");
  server.admit("bob");
  server.drop();
  await server.connected();
  assert.deepEqual([campaign.view().status, campaign.view().code, campaign.view().campaign], ["failed", "unknown_campaign", null]);
  const list = sync.campaigns();
  await server.settled();
  assert.equal(list.view().total, 0);
});

test("token of the application belongs to the admitted session", async () => {
  const { server, sync, campaign } = started({ client: { token: () => "a token of its server" } });
  await server.settled();
  assert.equal(campaign.view().status, "live");
  const token = server.admit("ada");
  server.expire("ada");
  const authorization = `Bearer ${token}`;
  server.admit("ada");
  assert.equal((await server.fetch(`${server.baseUrl}/campaigns`, { headers: { authorization } })).status, 401);
  assert.equal((await server.fetch(`${server.baseUrl}/campaigns`)).status, 200);
  assert.equal(sync.connection.state, "open");
});

test("tokens give two clients two users at once", async () => {
  const { server, id, campaign } = started({ campaign: { owner: "ada" } });
  const tokens = { ada: server.admit("ada"), bob: server.admit("bob") };
  const follow = (user) => {
    const sync = new CampaignSync({ ...server.options, target: null, token: () => tokens[user] });
    open.push(sync);
    sync.connect();
    return sync.campaign(id);
  };
  const [ada, bob] = [follow("ada"), follow("bob")];
  await server.settled();
  assert.deepEqual([ada.view().status, bob.view().status, campaign.view().status], ["live", "failed", "failed"]);
  server.setOwner(id, "bob");
  await server.settled();
  assert.deepEqual([ada.view().status, ada.view().code], ["failed", "forbidden"]);
});

test("refusal meets the next request, or the one that matches", async () => {
  const { server, id, campaign } = started();
  server.refuse("forbidden");
  await server.settled();
  assert.deepEqual([campaign.view().status, campaign.view().code], ["failed", "forbidden"]);

  const other = started();
  const withdraw = other.server.refuse("forbidden", () => true);
  withdraw();
  other.server.refuse("unknown_campaign", ({ kind, campaignId }) => kind === "http" && campaignId === other.id);
  await other.server.settled();
  assert.equal(other.campaign.view().status, "live");
  const refused = await other.server.fetch(`${other.server.baseUrl}/campaigns/${other.id}`);
  assert.deepEqual([refused.status, (await refused.json()).error.code], [404, "unknown_campaign"]);
  assert.equal((await other.server.fetch(`${other.server.baseUrl}/campaigns/${other.id}`)).status, 200);
  assert.equal(id, other.id);
});

test("lost, damaged and repeated events are recovered", async () => {
  const { server, sync, id, campaign } = started();
  await server.settled();
  server.lose();
  server.rows(id, 1);
  server.rows(id, 1);
  await server.settled();
  assert.equal(sync.metrics().gaps, 1);
  server.damage();
  server.rows(id, 1);
  await server.settled();
  assert.equal(sync.metrics().corrupt, 1);
  server.repeat();
  await server.settled();
  assert.equal(sync.metrics().duplicates, 1);
  assertEqual(server, id, campaign);
});

test("truncated and restored logs bring snapshots", async () => {
  const { server, sync, id, campaign } = started({ partRows: 2 });
  await server.settled();
  const before = sync.metrics().snapshots;
  server.drop();
  server.rows(id, 4);
  server.truncate(id);
  await server.connected();
  assert.equal(sync.metrics().snapshots, before + 1);
  const { epoch } = campaign.view().position;
  server.restore();
  await server.connected();
  assert.notEqual(campaign.view().position.epoch, epoch);
  assert.equal(campaign.view().status, "live");
  assertEqual(server, id, campaign);
});

test("draining server is away as long as it says", () => withFakeClock(async (clock) => {
  const { server, sync } = started();
  await server.settled();
  server.drain(5_000);
  await clock.tickAsync(4_900);
  assert.deepEqual([sync.connection.state, sync.connection.lastCloseCode], ["waiting", 1012]);
  await server.connected();
  assert.equal(sync.connection.state, "open");
}));

test("list follows creation, change and removal", async () => {
  const { server, sync, id } = started();
  const list = sync.campaigns();
  await server.settled();
  assert.deepEqual(list.view().campaigns.map(({ campaignId }) => campaignId), [id]);
  const second = server.create();
  server.patch(id, { name: "Autumn" });
  await server.settled();
  assert.deepEqual(list.view().campaigns.map(({ campaign: { name } }) => name), ["Autumn", second]);
  server.remove(second);
  await server.settled();
  assert.deepEqual([list.view().status, list.view().total], ["live", 1]);
});

test("requests of the application can be inspected", async () => {
  const { server, id } = started();
  await server.settled();
  await server.fetch(`${server.baseUrl}/campaigns/${id}/start`, { method: "POST", body: '{"reason":"now"}' });
  const { kind, type, campaignId, content } = server.requests.at(-1);
  assert.deepEqual({ kind, type, campaignId, content }, { kind: "http", type: `POST /campaigns/${id}/start`, campaignId: id, content: { reason: "now" } });
  assert.deepEqual(server.requests.slice(0, 2).map(({ type }) => type), ["connection_init", "subscribe_campaign"]);
});

test("installed server replaces the sockets and requests of a page", async () => {
  const { WebSocket, fetch } = globalThis;
  const server = createTestServer();
  server.install();
  const id = server.create();
  const sync = new CampaignSync({ url: "ws://localhost/api/v2/ws", target: null });
  sync.connect();
  const campaign = sync.campaign(id);
  await server.settled();
  assert.equal(campaign.view().status, "live");
  assert.equal((await globalThis.fetch("https://localhost/api/v2/campaigns")).status, 200);
  await assert.rejects(globalThis.fetch("data:no"), TypeError);
  sync.close();
  server.close();
  assert.deepEqual([globalThis.WebSocket, globalThis.fetch], [WebSocket, fetch]);
});

test("closed server refuses every verb", async () => {
  const { server, id } = started();
  await server.settled();
  server.close();
  server.close();
  for (const verb of ["create", "drop", "stop", "silence", "hold", "resume", "drain", "expire", "admit", "lose", "damage", "repeat", "restore", "install"]) {
    assert.equal(codeOf(() => server[verb]()), "closed", verb);
  }
  assert.equal(codeOf(() => server.patch(id, {})), "closed");
  await assert.rejects(server.settled(), { code: "closed" });
});

test("slips of a test are refused with a code", () => {
  const { server, id } = started();
  const refused = [
    () => createTestServer({ partRow: 3 }), () => server.create({ nam: "x" }), () => server.create({ campaignId: "a b" }), () => server.create({ campaignId: id }),
    () => server.create({ phaseStatus: "running" }), () => server.patch(id, { totalItems: -1 }), () => server.rows(id, [{ domainId: "new" }]),
    () => server.rows(id, [{ domainId: "domain-1", dnsStatu: "x" }]), () => server.transition(id, "explode"), () => server.refuse("no_code"), () => server.lose(0),
  ];
  const codes = refused.map(codeOf);
  assert.deepEqual(codes.filter((code) => code !== "invalid_argument"), ["invalid_campaign_id"]);
  assert.equal(codeOf(() => server.patch("nobody", {})), "unknown_campaign");
});
