import { CampaignSync, init } from "campaign-sync";

import { show } from "./stage";

const shown: string[] = [];
const showLogin = () => shown.push("login");

await init();
//# docs/IDENTITY.md 1
//# docs/IDENTITY.md 2
//# docs/IDENTITY.md 3
show({ sync, shown, onLoggedIn, logout });
