/** Work that is done once per animation frame, and errors of other people's functions. */

/** Longest wait when the browser paints no frames, in milliseconds. */
const HIDDEN_MS = 250;
/** Wait where there are no frames at all, in milliseconds. */
const HEADLESS_MS = 16;

/** Runs one task at the next animation frame, however often it is asked for. */
export class FrameTask {
  readonly #task: () => void;
  #frame: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(task: () => void) {
    this.#task = task;
  }

  /** Asks for a run. */
  schedule(): void {
    if (this.#timer !== undefined) return;
    const paints = typeof requestAnimationFrame === "function";
    // A hidden page paints nothing, and a page may become hidden after the frame was asked for: the
    // timer is always there, the frame usually wins.
    this.#timer = setTimeout(() => this.#run(), paints ? HIDDEN_MS : HEADLESS_MS);
    if (paints) this.#frame = requestAnimationFrame(() => this.#run());
  }

  /** Withdraws the request. */
  cancel(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
    this.#timer = this.#frame = undefined;
  }

  #run(): void {
    this.cancel();
    this.#task();
  }
}

/** Calls a function of the application; what it throws is reported and harms nobody else. */
export function callSafely(call: () => void): void {
  try {
    call();
  } catch (error) {
    if (typeof reportError === "function") reportError(error);
    else console.error(error);
  }
}
