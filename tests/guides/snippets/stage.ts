/** The interface between the test and the page of a snippet. */
import type { Campaign } from "campaign-sync";

/** Waits until a campaign is live. */
export async function live(it: Campaign): Promise<void> {
  while (it.view().status !== "live") await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Gives the test what a snippet has made. */
export function show(page: Readonly<Record<string, unknown>>): void {
  Object.assign(globalThis, { page });
}
