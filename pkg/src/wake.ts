/** Wakes the machine: its one timer, and the signals of the page after which time may have passed unnoticed. */
import type { Wake } from "./bridge.js";
import * as Call from "./calls.js";
import { callSafely, startTimer } from "./frame.js";
import { platform } from "./platform.js";

/** The timer and the listeners of one machine. */
export class Waker {
  readonly #wake: (wake: Wake) => void;
  readonly #networkChanged: () => void;
  /** Stops the timer. */
  #stop = (): void => {};

  constructor(wake: (wake: Wake) => void, networkChanged: () => void) {
    this.#wake = wake;
    this.#networkChanged = networkChanged;
  }

  /** Arms the timer in place of the former one; `null` for none. */
  arm(ms: number | null): void {
    this.#stop();
    this.#stop = startTimer(ms ?? Infinity, () => this.#wake(Call.timer));
  }

  /** Listens for the signals of the page. Listening again changes nothing. */
  listen(): void {
    this.#eachSignal((target, type) => target.addEventListener?.(type, this.#onSignal));
  }

  /** Clears the timer and removes the listeners. */
  end(): void {
    this.arm(null);
    this.#eachSignal((target, type) => target.removeEventListener?.(type, this.#onSignal));
  }

  #eachSignal(use: (target: Partial<EventTarget>, type: string) => void): void {
    for (const type of ["online", "offline", "pageshow"]) callSafely(() => use(platform, type));
    callSafely(() => platform.document && use(platform.document, "visibilitychange"));
  }

  readonly #onSignal = ({ type }: Event): void => {
    if (type === "online" || type === "offline") this.#networkChanged();
    if (type === "online") this.#wake(Call.online);
    if (type === "pageshow") this.#wake(Call.pageShow);
    if (type === "visibilitychange" && !platform.document?.hidden) this.#wake(Call.visible);
  };
}
