import { CampaignSync, init } from "campaign-sync";

import { show } from "./stage";

await init();
//# pkg/README.md 11
sync.connect();
show({ sync, campaign: sync.campaign("my-campaign") });
