/** The counts of the campaign and the metrics of the client. */
import type { CampaignView, Histogram, Metrics } from "campaign-sync";

import { byId, Definitions } from "./dom.js";

const sum = (values: Readonly<Record<string, number>>): number => Object.values(values).reduce((a, b) => a + b, 0);
const named = (values: Readonly<Record<string, number>>, ...names: string[]): number =>
  names.reduce((total, name) => total + (values[name] ?? 0), 0);

/** The tiles under "Counts". */
export class Counts {
  readonly #tiles = new Definitions(byId("counts"), [
    ["total-count", "Domains"],
    ["resolved-count", "Resolve"],
    ["http-count", "Answer"],
    ["lead-count", "Leads"],
    ["unconfirmed-count", "Unconfirmed"],
  ]);

  render(view: CampaignView): void {
    const { dns, http, lead } = view.counts;
    this.#tiles.set("total-count", view.totalDomainCount);
    this.#tiles.set("resolved-count", named(dns, "resolved", "valid", "ok"));
    this.#tiles.set("http-count", named(http, "success", "valid", "ok"));
    this.#tiles.set("lead-count", named(lead, "match"));
    this.#tiles.set("unconfirmed-count", view.unconfirmedCount);
  }
}

/** The table under "Integrity". */
export class Counters {
  readonly #list = new Definitions(byId("counters"), [
    ["metric-applied", "Events applied"],
    ["metric-duplicates", "Duplicates dropped"],
    ["metric-redelivered", "Redelivered by replays"],
    ["metric-out-of-order", "Out of order"],
    ["metric-corrupt", "Corrupt"],
    ["metric-refused", "Refused"],
    ["metric-gaps", "Gaps"],
    ["metric-divergences", "Divergences"],
    ["metric-recoveries", "Recoveries"],
    ["metric-snapshots", "Snapshots"],
    ["metric-retries", "Retries"],
    ["metric-consistency", "Consistency checks, failed"],
    ["metric-repairs", "Repairs"],
    ["metric-connects", "Connections"],
    ["metric-recovery-ms", "Recovery, mean and worst"],
    ["metric-rtt-ms", "Round trip, mean and worst"],
  ]);

  render(metrics: Metrics): void {
    const set = (name: string, value: number | string): void => this.#list.set(`metric-${name}`, value);
    set("applied", metrics.applied);
    set("duplicates", metrics.duplicates);
    set("redelivered", metrics.redelivered);
    set("out-of-order", metrics.outOfOrder);
    set("corrupt", metrics.corrupt);
    set("refused", sum(metrics.refused));
    set("gaps", metrics.gaps);
    set("divergences", metrics.divergences);
    set("recoveries", metrics.recoveries);
    set("snapshots", metrics.snapshots);
    set("retries", metrics.retries);
    const { consistencyChecksPassed: passed, consistencyChecksFailed: failed } = metrics;
    set("consistency", `${(passed + failed).toLocaleString("en")}, ${failed.toLocaleString("en")}`);
    set("repairs", metrics.repairs);
    set("connects", metrics.connects);
    set("recovery-ms", milliseconds(metrics.recoveryMs));
    set("rtt-ms", milliseconds(metrics.rttMs));
  }
}

function milliseconds({ count, sum: total, max }: Histogram): string {
  return count === 0 ? "–" : `${Math.round(total / count)} / ${Math.round(max)} ms`;
}
