// The server of `campaign-sync/testing` with the option `act`, and with the compiled client.
import assert from "node:assert/strict";
import { test } from "node:test";

import { createTestServer, open, started } from "./support/test-server.js";

test("application that never rests is reported with act, too", async () => {
  const server = createTestServer({ act: async (work) => (await work(), void server.fetch(`${server.baseUrl}/campaigns`)) });
  open.push(server);
  await assert.rejects(server.settled(), { code: "timed_out" });
});

test("application that asks again after every answer is reported without act", async () => {
  for (const pause of [async () => {}, () => new Promise((resolve) => setTimeout(resolve, 1))]) {
    const server = createTestServer();
    let isOpen = true;
    const asked = (async () => {
      for (; isOpen; await pause()) await server.fetch(`${server.baseUrl}/campaigns`);
    })();
    await assert.rejects(server.settled(), { code: "timed_out" });
    isOpen = false;
    await asked;
    await server.settled();
    server.close();
  }
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
