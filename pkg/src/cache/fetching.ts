/** Calls the fetcher of the cache, with a limit of time. */
import { noAnswer } from "../answers.js";
import type { LogPosition } from "../position.js";
import { renewalOf, withRenewal } from "../renewal.js";
import { asFetchFailure, type RichCampaignFetch } from "../rich.js";
import { listen } from "../signal.js";

/** Longest duration of one fetch, in milliseconds. */
const FETCH_MS_MAX = 30_000;

/**
 * Calls the fetcher, once more after a renewal of the session of `sync`. Its signal aborts after 30 seconds, and when
 * `stopped` aborts; the call then rejects, although the fetcher may never settle.
 */
export async function ask(sync: object, fetch: RichCampaignFetch, campaignId: string, minPosition: LogPosition | null, stopped: AbortSignal): Promise<unknown> {
  const controller = new AbortController();
  const { signal } = controller;
  const stopListening = listen(stopped, () => controller.abort(stopped.reason));
  const timer = setTimeout(() => controller.abort(noAnswer(undefined, "not within 30 seconds")), FETCH_MS_MAX);
  try {
    const aborted = new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    return await Promise.race([withRenewal(renewalOf(sync), async () => fetch(campaignId, { minPosition, signal })), aborted]);
  } catch (error) {
    throw asFetchFailure(error);
  } finally {
    clearTimeout(timer);
    stopListening();
  }
}
