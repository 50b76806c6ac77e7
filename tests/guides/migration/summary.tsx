/** A component that reads the cache when the user asks for it. */
import { useState } from "react";
import { getRichCampaignData } from "./service";

export function Summary({ id }: { id: string }) {
  const [text, setText] = useState("");
  const show = async () => {
    const { campaign, domains } = await getRichCampaignData(id);
    setText(`${campaign.currentPhase} with ${domains.length} domains`);
  };
  return (
    <p>
      <button onClick={show}>Summary</button>
      <output>{text}</output>
    </p>
  );
}
