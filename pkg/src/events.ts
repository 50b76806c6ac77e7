/** Dispatches the events of a client. */

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
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        // The platform reports an error that a listener throws, and calls the next listener.
        this.#target.dispatchEvent(new CustomEvent(next[0], { detail: next[1] }));
        this.#after(next[0], next[1]);
      }
    } finally {
      this.#running = false;
    }
  }
}
