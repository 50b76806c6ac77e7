import { CampaignSync, init } from "campaign-sync";

import { show } from "./stage";

await init();
//# docs/DEVELOPMENT.md 2
sync.connect();
show({ campaign: sync.campaign("my-campaign") });
