/** Renders a tree to HTML, as a server does. */
import { StrictMode } from "react";
import { renderToString } from "react-dom/server";
import { CampaignSyncProvider, emptyView, useCampaign, useCampaignAction, useCampaigns, useConnection, useDomains, useSyncEvent } from "campaign-sync/react";

let created = 0;

function Page({ id }: { id: string | null }) {
  const view = useCampaign(id);
  const { total, row } = useDomains(id);
  const { campaigns } = useCampaigns();
  const { pending, allowed } = useCampaignAction(id);
  useSyncEvent("gap", () => {});
  return <p>{[view.status, view.code, total, row(0)?.domain, campaigns.length, useConnection().state, pending, allowed.length].join(" ")}</p>;
}

/** Returns the HTML, and whether a client was created. */
export function render(id: string | null) {
  const create = () => {
    created += 1;
    throw new Error("no client on a server");
  };
  return { html: renderToString(<StrictMode><CampaignSyncProvider create={create}><Page id={id} /></CampaignSyncProvider></StrictMode>), created };
}

export { emptyView };
