/** Dispatches the events of a client. */
import { callSafely } from "./frame.js";

/** Dispatches events one after the other, also if a listener causes the next event. */
export class Dispatcher {
  readonly #target: EventTarget;
  readonly #after: (type: string, detail: object) => void;
  readonly #queue: (readonly [type: string, detail: object])[] = [];
  #running = false;

  /** Drops the queued events, because their session is over. The state of the connection is reported again. */
  signOut(): void {
    this.#queue.splice(0);
  }

  /** `after` runs after the listeners of each event. */
  constructor(target: EventTarget, after: (type: string, detail: object) => void) {
    this.#target = target;
    this.#after = after;
  }

  /**
   * Dispatches an event, or queues it if a dispatch is under way. Without the queue, an event that a listener causes
   * would reach the later listeners before the first event does.
   */
  dispatch(type: string, detail: object): void {
    this.#queue.push([type, Object.freeze(detail)]);
    if (this.#running) return;
    this.#running = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      const [name, content] = next;
      // The platform reports an error that a listener throws, and calls the next listener.
      callSafely(() => this.#target.dispatchEvent(new CustomEvent(name, { detail: content })));
      callSafely(() => this.#after(name, content));
    }
    this.#running = false;
  }
}
