import { useSyncExternalStore } from "react";
import { createRoot } from "react-dom/client";

import { sync } from "./client";

const list = sync.campaigns();

function List() {
  //# pkg/README.md 5
  return <p>{`${status}: ${campaigns.map(({ campaignId }) => campaignId).join()}`}</p>;
}

createRoot(document.getElementById("root")!).render(<List />);
