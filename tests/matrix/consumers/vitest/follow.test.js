import { expect, test } from "vitest";

import { follow } from "./follow.js";

const { CAMPAIGN_URL: url, CAMPAIGN_ID: campaignId } = process.env;

test("campaign is live with rows", async () => {
  const outcome = await follow({ url, campaignId, WebSocket: globalThis.WebSocket });
  console.log(`outcome ${JSON.stringify(outcome)}`);
  expect(outcome.status).toBe("live");
}, 30_000);
