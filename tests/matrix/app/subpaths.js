/** Uses the other entries beside the main one: their module and their state must be the same. */
import { RichCampaignCache } from "campaign-sync/cache";
import { CampaignSync, init } from "campaign-sync/encrypted";

import { follow } from "./follow.js";
import { start } from "./page.js";

start(async (options) => {
  await init();
  const sync = new CampaignSync({ target: null });
  new RichCampaignCache({ sync, fetch: async () => ({}) }).dispose();
  sync.close();
  return follow(options);
});
