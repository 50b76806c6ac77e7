/** The two chips in the header: the state of the connection and the status of the view. */
import type { CampaignSync, CampaignView } from "campaign-sync";

import { byId, setText } from "./dom.js";
import { phaseName, plain } from "./words.js";

/** The two chips and the text for screen readers. */
export class StateChips {
  readonly #connection = byId("connection");
  readonly #status = byId("status");
  readonly #announcer = byId("announcer");

  constructor(sync: CampaignSync) {
    sync.addEventListener("connectionchange", ({ detail: { state, code, offline } }) => {
      this.#connection.dataset["state"] = state;
      const why = offline ? "offline" : state === "open" || code === undefined ? undefined : plain(code);
      setText(this.#connection, why === undefined ? state : `${state} (${why})`);
    });
  }

  render({ status, staleReason, code, provenAt, campaign, error }: CampaignView): void {
    const why = staleReason ?? (status === "failed" ? code : undefined);
    this.#status.dataset["state"] = status;
    setText(this.#status, why === undefined ? status : `${status} (${plain(why)})`);
    this.#status.title = provenAt === null ? "" : `As of ${new Date(provenAt).toLocaleTimeString()}`;
    const phase = campaign === null ? "" : `${phaseName(campaign.currentPhase)}: ${plain(campaign.phaseStatus)}. `;
    const problem = error === null ? "" : ` Problem: ${plain(error.code)}.`;
    // A screen reader reads the text when it changes. So it has the phase and the status, but no counter.
    setText(this.#announcer, `${phase}The view is ${plain(status)}.${problem}`);
  }
}
