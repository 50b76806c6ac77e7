import { memo } from "react";
import { createRoot, type Root } from "react-dom/client";
import { stage } from "./stage";
import { useCampaign } from "./swr";
import { Campaign } from "./swr-campaign";

const Counted = memo(({ phase }: { phase: string | undefined }) => {
  stage.phases.push(phase);
  return null;
});

function Parent({ id }: { id: string }) {
  const { view } = useCampaign(id);
  stage.statuses.push(view.status);
  return <Counted phase={view.campaign?.currentPhase} />;
}

let root: Root;
stage.mount = (id) => {
  root = createRoot(document.getElementById("root")!);
  root.render([<Campaign key="1" id={id} />, <Parent key="2" id={id} />]);
};
stage.unmount = () => root.unmount();
