/** The application: the login, and behind it the list and one campaign. */
import { CampaignSync, init } from "campaign-sync";
import { CampaignSyncProvider, useConnection } from "campaign-sync/react";
import { useEffect, useState } from "react";
import { Campaign } from "./campaign.js";
import { List } from "./list.js";
import { Login } from "./login.js";
import { rest } from "./rest.js";
import { Toasts } from "./toasts.js";

async function createClient(): Promise<CampaignSync> {
  await init();
  return new CampaignSync({ url: "/api/v2/ws" });
}

export function App() {
  const [user, setUser] = useState<string>();
  const [note, setNote] = useState<string>();
  if (user === undefined) return <Login onLogin={setUser} note={note} />;
  const leave = (why?: string) => {
    setNote(why);
    setUser(undefined);
  };
  // Another user gets another client, so nothing of the former one remains.
  return (
    <CampaignSyncProvider key={user} create={createClient} actions={rest}>
      <Page user={user} onLeave={leave} />
    </CampaignSyncProvider>
  );
}

function Page({ user, onLeave }: { user: string; onLeave: (why?: string) => void }) {
  const [selected, select] = useState<string | null>(null);
  const { state, code } = useConnection();
  useEffect(() => {
    if (state === "failed" && code === "unauthorized") onLeave("Your session has ended.");
  }, [state, code, onLeave]);
  return (
    <div className="page">
      <header className="bar">
        <strong>Campaigns</strong>
        <span>{user}</span>
        <button type="button" onClick={() => rest.logout().finally(onLeave)}>
          Log out
        </button>
      </header>
      <List selected={selected} onSelect={select} />
      <main>{selected === null ? <p className="empty">Select a campaign.</p> : <Campaign key={selected} campaignId={selected} />}</main>
      <Toasts />
    </div>
  );
}
