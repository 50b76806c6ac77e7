/** Turns names and numbers of the protocol into text for people. */
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

/** Returns the name of a phase for people. */
export function phaseName(phase: string): string {
  return PHASE_NAMES[phase] ?? phase;
}

/** Returns a name of the protocol with spaces instead of underscores. */
export function plain(word: string): string {
  return word.replaceAll("_", " ");
}

/** Returns a count with its noun. */
export function count(n: number, noun: string): string {
  return `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
}

/** Returns a duration as text, rounded to seconds, minutes or hours. */
export function duration(seconds: number): string {
  if (seconds < 1) return "less than a second";
  if (seconds < 100) return count(Math.round(seconds), "second");
  if (seconds < 6000) return count(Math.round(seconds / 60), "minute");
  return count(Math.round(seconds / 3600), "hour");
}

/** Returns the time of day. */
export function clock(time: Date): string {
  return time.toLocaleTimeString("en-GB");
}
