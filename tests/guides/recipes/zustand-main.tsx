import { createRoot, type Root } from "react-dom/client";
import { stage } from "./stage";
import { useCampaign } from "./zustand";
import { Campaign } from "./zustand-campaign";

function Counted({ id }: { id: string }) {
  stage.phases.push(useCampaign(id, ({ view }) => view.campaign?.currentPhase));
  return null;
}

function Status({ id }: { id: string }) {
  stage.statuses.push(useCampaign(id, ({ view }) => view.status));
  return null;
}

let root: Root;
stage.mount = (id) => {
  root = createRoot(document.getElementById("root")!);
  root.render([<Campaign key="1" id={id} />, <Counted key="2" id={id} />, <Status key="3" id={id} />]);
};
stage.unmount = () => root.unmount();
