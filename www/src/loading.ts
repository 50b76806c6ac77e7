/** The progress of a snapshot that is arriving. */
import type { CampaignView } from "campaign-sync";

import { byId, setText } from "./dom.js";
import { count } from "./words.js";

/** The bar above the table. */
export class LoadingBar {
  readonly #place = byId("loading");
  readonly #bar = byId<HTMLProgressElement>("loading-bar");
  readonly #text = byId("loading-text");

  render({ status, staleReason, loading }: CampaignView): void {
    // The client keeps the parts for its next socket after a session has ended, and while it polls. Nothing arrives then.
    const arriving = status === "failed" || staleReason === "polling" ? null : loading;
    this.#place.hidden = arriving === null;
    if (arriving === null) return;
    const { received, total, rows } = arriving;
    this.#bar.max = total;
    this.#bar.value = received;
    setText(this.#text, `${count(rows, "row")}, ${Math.floor((100 * received) / total)} %`);
  }
}
