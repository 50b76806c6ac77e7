// The server of `campaign-sync/testing` in the process of the tests, with Jest's timers and its fake ones.
const { CampaignSync, init } = require("campaign-sync");
const { createTestServer, fakeView } = require("campaign-sync/testing");

beforeAll(() => init());
afterEach(() => jest.useRealTimers());

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
  jest.useFakeTimers();
  await follow();
  jest.advanceTimersByTime(1);
  expect(jest.getTimerCount()).toBe(0);
});

test("view of a fake is complete", () => expect(fakeView().status).toBe("live"));
