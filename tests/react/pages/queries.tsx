/** The page of the tests of campaign-sync/tanstack-query: one query beside the view. */
import { CampaignSync, init } from "campaign-sync";
import { CampaignSyncProvider, useCampaign } from "campaign-sync/react";
import { bindQueryClient, campaignQuery } from "campaign-sync/tanstack-query";
import { QueryClient, QueryClientProvider, useQuery } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

const id = new URLSearchParams(location.search).get("campaign");
await init();
const sync = new CampaignSync({ url: "/api/v2/ws" });
const queries = new QueryClient();
bindQueryClient(sync, queries);
sync.connect();

interface Rendered {
  shown?: string | undefined;
  queried?: string | undefined;
}

function Page() {
  const shown = useCampaign(id, ({ campaign, status }) => (status === "live" ? `${campaign?.currentPhase}/${campaign?.phaseStatus}` : undefined));
  const { data } = useQuery(campaignQuery<{ currentPhase: string; phaseStatus: string }>(sync, id));
  const queried = data && `${data.body.currentPhase}/${data.body.phaseStatus}`;
  (globalThis.rendered ??= []).push({ shown, queried });
  return <p id="both">{`${shown} ${queried}`}</p>;
}

declare global {
  var rendered: Rendered[];
}

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <CampaignSyncProvider sync={sync}>
        <Page />
      </CampaignSyncProvider>
    </QueryClientProvider>
  </StrictMode>,
);
