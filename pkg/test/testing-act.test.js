// The server of `campaign-sync/testing` with the option `act`, and with the compiled client.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { afterEach, before, test } from "node:test";

const require = createRequire(import.meta.url);
const { CampaignSync, init } = require("../dist/cjs/index.js");
const { createTestServer } = require("../dist/cjs/testing.js");

const open = [];
before(() => init());
afterEach(() => {
  for (const it of open.splice(0)) it.close();
});

/** A server, and a client that follows a campaign with three rows. */
function started({ client = {}, campaign = {}, ...options } = {}) {
  const server = createTestServer(options);
  const id = server.create({ name: "Spring", rows: 3, ...campaign });
  const sync = new CampaignSync({ ...server.options, target: null, ...client });
  open.push(sync, server);
  sync.connect();
  return { server, sync, id, campaign: sync.campaign(id) };
}

test("application that never rests is reported with act, too", async () => {
  const server = createTestServer({ act: async (work) => (await work(), void server.fetch(`${server.baseUrl}/campaigns`)) });
  open.push(server);
  await assert.rejects(server.settled(), { code: "timed_out" });
});

test("act that does not wait is refused", async () => {
  for (const act of [() => {}, (work) => void work()]) {
    const server = createTestServer({ act });
    await assert.rejects(server.settled(), { code: "invalid_argument" });
    server.close();
  }
});

test("acts of several servers do not overlap", async () => {
  let [running, overlaps] = [0, 0];
  const act = async (work) => {
    overlaps += running > 0;
    running += 1;
    await work();
    running -= 1;
  };
  const [{ server, campaign }, other] = [started({ act }), started({ act })];
  await Promise.all([server.settled(), other.server.settled(), server.connected()]);
  assert.deepEqual([overlaps, campaign.view().status, other.campaign.view().status], [0, "live", "live"]);
  server.stop();
  const back = server.connected();
  await server.settled();
  server.resume();
  await back;
  assert.deepEqual([overlaps, campaign.view().status], [0, "live"]);
});
