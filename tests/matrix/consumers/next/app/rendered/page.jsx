import { follow } from "../../follow.js";

export const dynamic = "force-dynamic";

/** Follows the campaign on the server. */
export default async function Page() {
  const { CAMPAIGN_URL: url, CAMPAIGN_ID: campaignId } = process.env;
  return <pre>{`outcome ${JSON.stringify(await follow({ url, campaignId }))}`}</pre>;
}
