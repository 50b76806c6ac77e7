/** The page before the migration. */
import { useEffect } from "react";
import { Controls } from "./controls";
import { Header } from "./header";
import { openSocket } from "./socket";
import { useCampaignDetailsStore } from "./store";
import { Summary } from "./summary";
import { Table } from "./table";
import { Toast } from "./toast";

export function CampaignPage({ id }: { id: string }) {
  useEffect(() => {
    const { load, reset, updateFromWebSocket } = useCampaignDetailsStore.getState();
    const reload = () => void load(id);
    reset();
    reload();
    window.addEventListener("force_campaign_refresh", reload);
    const close = openSocket(id, updateFromWebSocket);
    return () => {
      close();
      window.removeEventListener("force_campaign_refresh", reload);
    };
  }, [id]);
  return (
    <main>
      <Toast />
      <Header id={id} />
      <Summary id={id} />
      <Controls id={id} />
      <Table id={id} />
    </main>
  );
}
