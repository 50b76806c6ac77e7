import { CampaignSync, init } from "campaign-sync";

import { show } from "./stage";

await init();
//# pkg/README.md 9
show({ status: campaign.view().status, total: campaign.domains().total, connects: sync.metrics().connects });
