/** Words for people. */
import type { Phase } from "campaign-sync";

/** The phases of the demo, in order. */
export const PHASES: readonly Phase[] = ["domain_generation", "dns_validation", "http_keyword_validation", "analysis"];

const PHASE_NAMES: Readonly<Record<string, string>> = {
  setup: "Setup",
  domain_generation: "Domain generation",
  dns_validation: "DNS validation",
  http_keyword_validation: "HTTP validation",
  extraction: "Extraction",
  enrichment: "Enrichment",
  analysis: "Analysis",
  cleanup: "Cleanup",
};

/** A phase's name. */
export function phaseName(phase: string): string {
  return PHASE_NAMES[phase] ?? phase;
}

/** A word of the protocol as people write it. */
export function plain(word: string): string {
  return word.replaceAll("_", " ");
}

/** A count with its noun. */
export function count(n: number, noun: string): string {
  return `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
}

/** Seconds as people say them. */
export function duration(seconds: number): string {
  if (seconds < 1) return "less than a second";
  if (seconds < 100) return count(Math.round(seconds), "second");
  if (seconds < 6000) return count(Math.round(seconds / 60), "minute");
  return count(Math.round(seconds / 3600), "hour");
}

/** The time of day. */
export function clock(time: Date): string {
  return time.toLocaleTimeString("en-GB");
}
