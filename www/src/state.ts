/** The two chips: the connection, and how far the view can be trusted. */
import type { CampaignSync, CampaignView } from "campaign-sync";

import { byId, setText } from "./dom.js";
import { phaseName, plain } from "./words.js";

/** Connection and freshness, in the header. */
export class StateChips {
  readonly #connection = byId("connection");
  readonly #status = byId("status");
  readonly #announcer = byId("announcer");

  constructor(sync: CampaignSync) {
    sync.addEventListener("connectionchange", ({ detail: { state, code } }) => {
      this.#connection.dataset["state"] = state;
      setText(this.#connection, code === undefined || state === "open" ? state : `${state} (${plain(code)})`);
    });
  }

  render({ status, staleReason, code, campaign, error }: CampaignView): void {
    const why = staleReason ?? (status === "failed" ? code : undefined);
    this.#status.dataset["state"] = status;
    setText(this.#status, why === undefined ? status : `${status} (${plain(why)})`);
    const phase = campaign === null ? "" : `${phaseName(campaign.currentPhase)}: ${plain(campaign.phaseStatus)}. `;
    const problem = error === null ? "" : ` Problem: ${error.message ?? plain(error.code)}.`;
    // Only when the words change are they read out: phase and status, not every number.
    setText(this.#announcer, `${phase}The view is ${plain(status)}.${problem}`);
  }
}
