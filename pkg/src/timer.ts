/** Timers of any length. The page may have replaced the platform's timers by functions that throw. */
import { callSafely, report } from "./frame.js";

/** The longest delay of a timer. Browsers fire at once if the delay is longer. */
const DELAY_MS_MAX = 2 ** 31 - 1;

/** Calls `run` after `ms` milliseconds, and never after `Infinity`. Returns a function that stops the timer. */
export function startTimer(ms: number, run: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  // A timer that could not be cleared fires, and must do nothing.
  let stopped = ms === Infinity;
  const arm = (left: number): void => {
    const delay = Math.min(left, DELAY_MS_MAX);
    const fire = (): void => {
      if (stopped) return;
      if (left > delay) arm(left - delay);
      else run();
    };
    try {
      timer = setTimeout(fire, delay);
    } catch (error) {
      report(error);
      // The platform has one more clock. It takes whole milliseconds.
      callSafely(() => (AbortSignal.timeout(Math.ceil(delay)).onabort = fire));
    }
  };
  if (!stopped) arm(ms);
  return () => {
    stopped = true;
    callSafely(() => clearTimeout(timer));
  };
}
