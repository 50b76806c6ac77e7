import { follow } from "../../follow.js";

/** Follows the campaign on the server. */
export async function load() {
  const { CAMPAIGN_URL: url, CAMPAIGN_ID: campaignId } = process.env;
  return { outcome: await follow({ url, campaignId }) };
}
