/** The client of the snippets that presuppose one. */
import { CampaignSync, init } from "campaign-sync";

await init();
export const sync = new CampaignSync({ url: "/api/v2/ws" });
sync.connect();
export const campaign = sync.campaign("my-campaign");
