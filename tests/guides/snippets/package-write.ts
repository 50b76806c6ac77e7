import { campaign } from "./client";
import { live, show } from "./stage";

await live(campaign);
//# pkg/README.md 4
show({ position, view: campaign.view() });
