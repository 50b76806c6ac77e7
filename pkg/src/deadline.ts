/** Requests with a deadline, and their repetition. */
import { CampaignSyncError } from "./errors.js";
import { startTimer } from "./frame.js";

/** Statuses of answers after which the same request may succeed. */
const PASSING = new Set([429, 502, 503, 504]);
const ATTEMPTS_MAX = 4;
/** Base of the pause before a repetition, in milliseconds. It doubles with each attempt. */
const PAUSE_MS = 200;
/** Longest pause that the server may request, in milliseconds. */
const PAUSE_MS_MAX = 10_000;

/** The failure of one attempt. */
export interface Failure {
  readonly error: CampaignSyncError;
  /** The status of the answer; 0 without an answer. */
  readonly status: number;
  /** The pause that the server requested, in milliseconds. */
  readonly retryAfterMs: number | undefined;
}

/** The result of one attempt. */
export type Result<T> = { readonly value: T; readonly failure?: undefined } | { readonly failure: Failure };

/**
 * Runs `run` until it succeeds, its failure lasts, or the deadline passes. Rejects with the last failure, with
 * `timed_out` after `timeoutMs`, and with the reason of `signal`. Without `repeatable` it runs once.
 */
export async function attempts<T>(
  run: (signal: AbortSignal) => Promise<Result<T>>,
  { signal, timeoutMs, repeatable }: { readonly signal: AbortSignal | undefined; readonly timeoutMs: number; readonly repeatable: boolean },
): Promise<T> {
  if (signal?.aborted) throw signal.reason;
  const own = new AbortController();
  let stop: (reason: unknown) => void = () => {};
  const stopped = new Promise<never>((_, reject) => {
    stop = (reason) => {
      reject(reason);
      own.abort(reason);
    };
  });
  const onAbort = (): void => stop(signal?.reason);
  signal?.addEventListener("abort", onAbort);
  const stopTimer = startTimer(timeoutMs, () => stop(new CampaignSyncError("timed_out", { message: `No answer within ${timeoutMs} ms: raise \`timeoutMs\`, or try again.` })));
  try {
    return await Promise.race([repeat(run, own.signal, repeatable), stopped]);
  } finally {
    stopTimer();
    signal?.removeEventListener("abort", onAbort);
  }
}

async function repeat<T>(run: (signal: AbortSignal) => Promise<Result<T>>, signal: AbortSignal, repeatable: boolean): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const result = await run(signal);
    if (result.failure === undefined) return result.value;
    const { error, status, retryAfterMs } = result.failure;
    const passing = status === 0 || PASSING.has(status);
    if (!repeatable || !passing || attempt === ATTEMPTS_MAX || signal.aborted) throw error;
    const pause = Math.min(retryAfterMs ?? PAUSE_MS * 2 ** attempt, PAUSE_MS_MAX);
    await paused(pause, signal);
    if (signal.aborted) throw error;
  }
}

/** Waits, at most until the signal aborts, and leaves no timer. */
async function paused(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      stop();
      signal.removeEventListener("abort", end);
      resolve();
    };
    const stop = startTimer(ms, end);
    signal.addEventListener("abort", end);
  });
}
