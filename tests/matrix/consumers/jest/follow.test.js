// Jest without a configuration: CommonJS, in its environments `node` and `jsdom`.
const { follow } = require("./follow.cjs");

const { CAMPAIGN_URL: url, CAMPAIGN_ID: campaignId } = process.env;

test("campaign is live with rows", async () => {
  // Node 20 has no WebSocket, and the package `ws` is for Node alone; jsdom has its own.
  const WebSocket = globalThis.WebSocket ?? require("ws").WebSocket;
  const outcome = await follow({ url, campaignId, WebSocket });
  process.stdout.write(`outcome ${JSON.stringify(outcome)}\n`);
  expect(outcome.status).toBe("live");
}, 30_000);
