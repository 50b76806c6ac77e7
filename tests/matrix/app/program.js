/** The start of a program outside browsers. Node 20 has no WebSocket. */
import { follow } from "./follow.js";

const { CAMPAIGN_URL: url, CAMPAIGN_ID: campaignId } = process.env;

async function run() {
  const WebSocket = globalThis.WebSocket ?? (await import("ws")).WebSocket;
  const outcome = JSON.stringify(await follow({ url, campaignId, WebSocket }));
  // The program ends at once, whatever the platform keeps open.
  process.stdout.write(`outcome ${outcome}\n`, () => process.exit());
}

run().catch((error) => {
  console.error(error);
  process.exit(1);
});
