import { CampaignSync, init } from "campaign-sync";
import { CampaignSyncProvider, useCampaign, useDomains } from "campaign-sync/react";
import { createRoot } from "react-dom/client";

//# README.md 2
createRoot(document.getElementById("root")!).render(app);
