/** Runs work once per animation frame and after a time, and isolates errors of the application's functions. */

import { platform } from "./platform.js";

/** Longest wait if the browser paints no frames, in milliseconds. */
const HIDDEN_MS = 250;
/** Wait on a platform without animation frames, in milliseconds. */
const HEADLESS_MS = 16;

/** Runs one task at the next animation frame, at most once per frame. */
export class FrameTask {
  readonly #task: () => void;
  #frame: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(task: () => void) {
    this.#task = task;
  }

  /** Schedules a run, unless one is scheduled already. */
  schedule(): void {
    if (this.#timer !== undefined) return;
    const paints = typeof platform.requestAnimationFrame === "function";
    try {
      // A hidden page paints no frames, and a page may become hidden after the request for a frame. So the timer
      // always runs as well; the frame usually comes first.
      this.#timer = setTimeout(() => this.#run(), paints ? HIDDEN_MS : HEADLESS_MS);
      if (paints) this.#frame = requestAnimationFrame(() => this.#run());
    } catch (error) {
      report(error);
      // The machine reports a change once, so the run must not be lost.
      if (this.#timer === undefined) void Promise.resolve().then(() => this.#run());
    }
  }

  /** Cancels the scheduled run. */
  cancel(): void {
    const [timer, frame] = [this.#timer, this.#frame];
    this.#timer = this.#frame = undefined;
    callSafely(() => clearTimeout(timer));
    // A stub of the page may have only one of the two functions.
    if (frame !== undefined) callSafely(() => platform.cancelAnimationFrame?.(frame));
  }

  #run(): void {
    this.cancel();
    this.#task();
  }
}

/** The longest delay of a timer. Browsers fire at once if the delay is longer. */
const DELAY_MS_MAX = 2 ** 31 - 1;

/**
 * Calls `run` after `ms` milliseconds, and never after `Infinity`. Returns a function that stops the timer. The page may
 * have replaced the platform's timers by functions that throw.
 */
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

/** Calls a function of the application. An error that it throws goes to `reportError` and does not propagate. */
export function callSafely(call: () => void): void {
  try {
    call();
  } catch (error) {
    report(error);
  }
}

/** Reports an error of the application's or the page's code. It never throws. */
export function report(error: unknown): void {
  try {
    if (typeof reportError === "function") reportError(error);
    else console.error(error);
  } catch {
    // The page replaced these functions as well, so there is no place left for the error.
  }
}
