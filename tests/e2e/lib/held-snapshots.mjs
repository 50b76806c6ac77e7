// A proxy between one page and its server that holds the parts of snapshots until the test lets them pass.

import { FrameProxy } from "./frame-proxy.mjs";

const isPart = ([frame]) => frame.includes('"type":"campaign.snapshot"');

export class HeldSnapshots extends FrameProxy {
  #allowed = 0;
  #isUnplugged = false;
  /** The frames that wait, of the page's present socket, and how they reach the page. */
  #held = [];
  #toPage;

  /** Starts a proxy to a server, on the port whose origin the server accepts. It holds every part. */
  static to(server) {
    return new HeldSnapshots().listen(server);
  }

  /** Lets more parts pass, now or when they come, each with the frames between it and the next one. */
  allow(parts) {
    this.#allowed += parts;
    this.#drain();
  }

  /** Holds every part from now on. */
  hold() {
    this.#allowed = 0;
  }

  /** Cuts the socket, as `FrameProxy` does, and drops what waits for it. */
  cut(code) {
    this.#held = [];
    super.cut(code);
  }

  /** Cuts the socket, and each further one at once. REST requests still pass. */
  unplug() {
    this.#isUnplugged = true;
    this.cut();
  }

  between({ toPage, toServer, cut }) {
    if (this.#isUnplugged) cut();
    const held = [];
    [this.#held, this.#toPage] = [held, toPage];
    const keep = (...frame) => {
      held.push(frame);
      if (held === this.#held) this.#drain();
    };
    return { toPage: keep, toServer };
  }

  #drain() {
    while (this.#held.length > 0) {
      const part = isPart(this.#held[0]);
      if (part && this.#allowed === 0) return;
      if (part) this.#allowed -= 1;
      this.#toPage(...this.#held.shift());
    }
  }
}
