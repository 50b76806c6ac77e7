// The server of `campaign-sync/testing` in the process of the tests, with the timers of Vitest and its fake ones.
import { afterEach, beforeAll, expect, test, vi } from "vitest";

import { CampaignSync, init } from "campaign-sync";
import { createTestServer, fakeView } from "campaign-sync/testing";

beforeAll(() => init());
afterEach(() => vi.useRealTimers());

async function follow() {
  const server = createTestServer();
  const sync = new CampaignSync(server.options);
  const campaign = sync.campaign(server.create({ rows: 40 }));
  let calls = 0;
  campaign.subscribe(() => (calls += 1));
  sync.connect();
  await server.settled();
  expect(campaign.view()).toMatchObject({ status: "live", domainsCount: 40 });
  expect(calls).toBeGreaterThan(0);
  server.drop();
  await server.connected();
  expect(campaign.view().status).toBe("live");
  expect((await server.fetch(`${server.baseUrl}/campaigns/campaign-1`)).status).toBe(200);
  sync.close();
  server.close();
}

test("client follows the test server", follow);

test("client follows the test server with faked timers", async () => {
  vi.useFakeTimers();
  await follow();
  vi.advanceTimersByTime(1);
  expect(vi.getTimerCount()).toBe(0);
});

test("view of a fake is complete", () => expect(fakeView().status).toBe("live"));
