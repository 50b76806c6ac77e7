/** Starts the page before the migration. */
import { createRoot } from "react-dom/client";
import { CampaignPage } from "./campaign-page";

const id = new URLSearchParams(location.search).get("campaign")!;
createRoot(document.getElementById("root")!).render(<CampaignPage id={id} />);
