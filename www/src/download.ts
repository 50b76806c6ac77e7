/** Saves the campaign as a file. The data comes from the view while the campaign is live, else from the server. */
import type { Campaign } from "campaign-sync";
import { getRichCampaignData } from "campaign-sync/cache";

import { byId, setIdle } from "./dom.js";

/** The download button beside the table's title. */
export class Download {
  readonly #button = byId<HTMLButtonElement>("download");
  readonly #showError: (problem: string) => void;
  #campaign: Campaign | undefined;
  #busy = false;

  constructor(showError: (problem: string) => void) {
    this.#showError = showError;
    this.#button.addEventListener("click", () => void this.#download());
  }

  show(campaign: Campaign): void {
    this.#campaign = campaign;
  }

  async #download(): Promise<void> {
    const campaign = this.#campaign;
    if (campaign === undefined || this.#busy) return;
    setIdle(this.#button, (this.#busy = true));
    try {
      // The file is never older than the view.
      const minPosition = campaign.view()?.position ?? null;
      const data = await getRichCampaignData(campaign.campaignId, { minPosition });
      save(`${campaign.campaignId}.json`, JSON.stringify(data, null, 2));
    } catch (problem) {
      this.#showError(`The download failed: ${problem instanceof Error ? problem.message : String(problem)}`);
    } finally {
      setIdle(this.#button, (this.#busy = false));
    }
  }
}

function save(name: string, text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}
