/** The phase of the campaign, its progress and its last transition. */
import type { CampaignView, LastTransition } from "campaign-sync";

import { byId, element, setText } from "./dom.js";
import { clock, duration, phaseName, PHASES, plain } from "./words.js";

interface Step {
  readonly item: HTMLElement;
  readonly state: HTMLElement;
  readonly bar: HTMLProgressElement;
}

/** The phase panel. */
export class Stepper {
  readonly #steps: readonly Step[];
  readonly #phase = byId("phase");
  readonly #status = byId("phase-status");
  readonly #transition = byId("transition");

  constructor() {
    this.#steps = PHASES.map((phase) => {
      const state = element("span", { class: "muted" });
      const bar = element("progress", { max: "100", value: "0", "aria-label": `${phaseName(phase)}: progress` });
      const item = element("li", { "data-phase": phase }, element("span", { class: "step-name" }, phaseName(phase)), state, bar);
      byId("stepper").append(item);
      return { item, state, bar };
    });
  }

  render({ campaign, lastTransition }: CampaignView): void {
    // Data attributes hold the names of the protocol, for programs that read the page.
    this.#phase.dataset["phase"] = campaign?.currentPhase ?? "";
    this.#status.dataset["status"] = campaign?.phaseStatus ?? "";
    setText(this.#phase, campaign === null ? "–" : phaseName(campaign.currentPhase));
    setText(this.#status, campaign === null ? "–" : plain(campaign.phaseStatus));
    const current = campaign === null ? -1 : PHASES.indexOf(campaign.currentPhase);
    for (const [index, step] of this.#steps.entries()) {
      const isCurrent = index === current;
      // Only past phases and a completed current phase are done. A completed phase says nothing about the next one.
      const isDone = index < current || (isCurrent && campaign?.phaseStatus === "completed");
      step.item.dataset["state"] = isDone ? "done" : isCurrent ? "current" : "ahead";
      if (isCurrent) step.item.setAttribute("aria-current", "step");
      else step.item.removeAttribute("aria-current");
      const progress = isDone ? 100 : isCurrent ? (campaign?.progressPercentage ?? 0) : 0;
      step.bar.value = progress;
      setText(step.state, isDone ? "done" : isCurrent ? this.#progressText(campaign, progress) : "ahead");
    }
    setText(this.#transition, lastTransition === null ? "No transition since this page opened." : describe(lastTransition));
  }

  #progressText(campaign: CampaignView["campaign"], progress: number): string {
    if (campaign === null) return "";
    const failed = campaign.failedItems > 0 ? `, ${campaign.failedItems.toLocaleString("en")} failed` : "";
    const { processedItems, totalItems } = campaign;
    return `${processedItems.toLocaleString("en")} of ${totalItems.toLocaleString("en")} (${Math.floor(progress)} %)${failed}`;
  }
}

/** Describes a transition in one sentence. */
function describe(transition: LastTransition): string {
  const { previousPhase, newPhase, transitionType, triggerReason, estimatedDuration, timestamp } = transition;
  const way = previousPhase === undefined ? phaseName(newPhase) : `${phaseName(previousPhase)} → ${phaseName(newPhase)}`;
  const reason = triggerReason === undefined ? plain(transitionType) : `${plain(transitionType)}: ${plain(triggerReason)}`;
  const estimate = estimatedDuration === undefined ? "" : `, expected to take ${duration(estimatedDuration)}`;
  return `${way} at ${clock(new Date(timestamp))} (${reason})${estimate}.`;
}
