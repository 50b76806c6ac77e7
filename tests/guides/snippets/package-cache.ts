import { sync } from "./client";
import { show } from "./stage";

const ownCache = { dropped: [] as string[], drop: (id: string) => ownCache.dropped.push(id) };

//# pkg/README.md 7
//# pkg/README.md 6
show({ sync, campaign, domains, ownCache });
