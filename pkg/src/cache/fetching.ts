/** Calls the functions of the application that the cache waits for, with a limit of time. */
import { noAnswer } from "../answers.js";
import type { LogPosition } from "../position.js";
import { renewalOf, withRenewal } from "../renewal.js";
import { asFetchFailure, type RichCampaignFetch } from "../rich.js";
import { listen } from "../signal.js";
import { startTimer } from "../frame.js";

/** Longest duration of one fetch or pause, in milliseconds. */
const WORK_MS_MAX = 30_000;

/** Calls the fetcher, once more after a renewal of the session of `sync`. */
export function ask(sync: object, fetch: RichCampaignFetch, campaignId: string, minPosition: LogPosition | null, stopped: AbortSignal): Promise<unknown> {
  return limited((signal) => withRenewal(renewalOf(sync), async () => fetch(campaignId, { minPosition, signal })), stopped);
}

/**
 * Waits for `work`. Its signal aborts after 30 seconds, and when `stopped` aborts; the call then rejects, although the
 * work may never settle.
 */
export async function limited<T>(work: (signal: AbortSignal) => Promise<T>, stopped: AbortSignal): Promise<T> {
  const controller = new AbortController();
  const { signal } = controller;
  const stopListening = listen(stopped, () => controller.abort(stopped.reason));
  const stopTimer = startTimer(WORK_MS_MAX, () => controller.abort(noAnswer(undefined, "not within 30 seconds")));
  try {
    const aborted = new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    return await Promise.race([work(signal), aborted]);
  } catch (error) {
    throw asFetchFailure(error);
  } finally {
    stopTimer();
    stopListening();
  }
}
