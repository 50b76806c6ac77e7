/** Starts the code of docs/CACHING.md. The test calls its functions. */
import { createRoot } from "react-dom/client";
import { getRichCampaignData } from "campaign-sync/cache";
import { exportDomains } from "./export";
import { notes } from "./own-cache";
import { cache, sync } from "./setup";
import { Invalidation, Resolved } from "./swr";
import { act, actElsewhere } from "./write";

const page = {
  sync,
  cache,
  notes,
  exportDomains,
  getRichCampaignData,
  act,
  actElsewhere,
  names: async (id: string) => (await import("./own-fetcher")).names(id),
  showSwr(id: string) {
    createRoot(document.getElementById("root")!).render([<Invalidation key="1" />, <Resolved key="2" id={id} />]);
  },
  async live(id: string) {
    const campaign = sync.campaign(id);
    while (campaign.view().status !== "live") await new Promise((resolve) => setTimeout(resolve, 5));
    return campaign;
  },
};

Object.assign(globalThis, { page });
