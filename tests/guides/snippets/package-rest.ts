import { campaign, sync } from "./client";
import { live, show } from "./stage";

await live(campaign);
//# pkg/README.md 8
show({ action, view: campaign.view() });
