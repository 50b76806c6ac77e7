/** Formats names, numbers and times as this application shows them. */
import type { CampaignRecord, CampaignView, Phase } from "campaign-sync";

export const PHASES = ["domain_generation", "dns_validation", "http_keyword_validation", "analysis"] as const;

const PHASE_NAMES: Partial<Record<Phase, string>> = {
  setup: "Set-up",
  domain_generation: "Generating domains",
  dns_validation: "Validating DNS",
  http_keyword_validation: "Searching for keywords",
  analysis: "Analysing leads",
};

const ACTION_NAMES: Record<string, string> = {
  start: "Generate domains",
  "configure-dns": "Configure DNS validation",
  "validate-dns": "Validate DNS",
  "configure-http": "Configure the keyword search",
  "validate-http": "Search for keywords",
  "configure-analysis": "Configure the analysis",
  analyze: "Analyse",
  pause: "Pause",
  resume: "Resume",
};

export function phaseName(phase: Phase): string {
  return PHASE_NAMES[phase] ?? plain(phase);
}

export function actionName(action: string): string {
  return ACTION_NAMES[action] ?? plain(action);
}

/** A word of the protocol in plain English. */
export function plain(word: string): string {
  return word.replaceAll("_", " ");
}

export function number(value: number): string {
  return value.toLocaleString("en");
}

export function time(at: number | string): string {
  return new Date(at).toLocaleTimeString("en-GB");
}

export function stateOf({ currentPhase, phaseStatus }: CampaignRecord): string {
  return `${phaseName(currentPhase)}: ${plain(phaseStatus)}`;
}

export function progressOf({ processedItems, totalItems, failedItems }: CampaignRecord): string {
  const failed = failedItems === 0 ? "" : `, ${number(failedItems)} failed`;
  return `${number(processedItems)} of ${number(totalItems)}${failed}`;
}

type Tone = "good" | "busy" | "bad";

/** Describes for the banner how fresh the shown state is. */
export function freshness({ status, staleReason, code, loading, campaign }: CampaignView): { tone: Tone; text: string } {
  switch (status) {
    case "live":
      return { tone: "good", text: "Live" };
    case "idle":
    case "connecting":
      return { tone: "busy", text: "Connecting" };
    case "loading":
      return { tone: "busy", text: loading === null ? "Loading" : `Loading, ${number(loading.rows)} rows so far` };
    case "recovering":
      return { tone: "busy", text: "Catching up" };
    case "stale":
      return { tone: "bad", text: staleReason === "disconnected" ? "Offline" : "Not proven to be current" };
    case "ended":
      return { tone: "bad", text: "This campaign is gone" };
    case "failed":
      return { tone: "bad", text: campaign === null ? `Cannot be shown (${code})` : `No longer updated (${code})` };
  }
}
