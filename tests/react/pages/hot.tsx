/** The page of the tests of hot replacement: each version of a component replaces the former one, as bundlers do it. */
import "./refresh.js";
import { CampaignSync, init } from "campaign-sync";
import { CampaignSyncProvider, useCampaign } from "campaign-sync/react";
import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import { performReactRefresh, register, setSignature } from "react-refresh/runtime";

const id = new URLSearchParams(location.search).get("campaign");

async function create() {
  await init();
  return new CampaignSync({ url: "/api/v2/ws" });
}

/** Makes a version of the two components. Another `signature` means that their hooks changed, so that their state is lost. */
function load(words: string, signature: string) {
  function Shown() {
    const [mounted] = useState(words);
    return <p id="shown">{`${words} ${mounted} ${useCampaign(id, ({ status }) => status)}`}</p>;
  }
  function App() {
    useState(words);
    return <CampaignSyncProvider create={create}><Shown /></CampaignSyncProvider>;
  }
  for (const [type, name] of [[Shown, "Shown"], [App, "App"]] as const) {
    register(type, name);
    setSignature(type, signature, false);
  }
  return App;
}

const First = load("one", "a");
globalThis.replace = (words, signature) => {
  load(words, signature);
  performReactRefresh();
};
createRoot(document.getElementById("root")!).render(<StrictMode><First /></StrictMode>);

declare global {
  var replace: (words: string, signature: string) => void;
}
