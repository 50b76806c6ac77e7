/** The progress of a snapshot that is arriving. */
import type { CampaignView } from "campaign-sync";

import { byId, setText } from "./dom.js";
import { count } from "./words.js";

/** The bar above the table. */
export class LoadingBar {
  readonly #place = byId("loading");
  readonly #bar = byId<HTMLProgressElement>("loading-bar");
  readonly #text = byId("loading-text");

  render({ loading }: CampaignView): void {
    this.#place.hidden = loading === null;
    if (loading === null) return;
    const { received, total, rows } = loading;
    this.#bar.max = total;
    this.#bar.value = received;
    setText(this.#text, `${count(rows, "row")}, ${Math.floor((100 * received) / total)} %`);
  }
}
