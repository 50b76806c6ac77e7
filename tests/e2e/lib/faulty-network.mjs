// A proxy between page and server that damages what it carries, frame by frame, by a seed: it drops, doubles, holds,
// corrupts, truncates and shuffles frames, and cuts and half-opens sockets. REST requests pass unchanged.

import { FrameProxy } from "./frame-proxy.mjs";

/** The number of frames of a thousand that each kind of fault meets. The rest passes. */
const PER_MILLE = { dropped: 40, doubled: 60, held: 60, corrupted: 40, truncated: 30, shuffled: 60, cut: 5, half_opened: 3 };
/** The longest delay of a frame that is held, in milliseconds. */
const HOLD_MS_MAX = 3_000;
/** The number of frames after which a shuffled frame follows. */
const SHUFFLE_FRAMES_MAX = 5;

/** A generator of random numbers (mulberry32). */
export function randomOf(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

export class FaultyNetwork extends FrameProxy {
  /** The number of faults so far, by kind. */
  counts = Object.fromEntries(Object.keys(PER_MILLE).map((kind) => [kind, 0]));
  /** Whether faults happen. */
  active = true;
  #random;

  /** Starts a proxy to a server, on the port whose origin the server accepts. */
  static to(server, seed) {
    const network = new FaultyNetwork();
    network.#random = randomOf(seed);
    return network.listen(server);
  }

  /** Ends all faults. Half-opened sockets stay silent until an end gives them up. */
  heal() {
    this.active = false;
  }

  between({ toPage, toServer, cut }) {
    const link = { silent: false };
    return { toPage: this.#damaging(link, toPage, cut), toServer: this.#damaging(link, toServer, cut) };
  }

  /** Returns a function that passes a frame on, or does something else to it. */
  #damaging(link, send, cut) {
    const shuffled = [];
    const pass = (frame, isBinary) => {
      send(frame, isBinary);
      for (const late of shuffled) late.after -= 1;
      while (shuffled[0]?.after <= 0) send(...shuffled.shift().frame);
    };
    return (frame, isBinary) => {
      if (link.silent) return;
      const fault = this.active ? this.#draw() : undefined;
      if (fault !== undefined) this.counts[fault] += 1;
      switch (fault) {
        case "dropped":
          return;
        case "doubled":
          pass(frame, isBinary);
          return pass(frame, isBinary);
        case "held":
          setTimeout(pass, this.#random(HOLD_MS_MAX), frame, isBinary);
          return;
        case "corrupted":
          return pass(this.#corrupted(frame), isBinary);
        case "truncated":
          return pass(frame.subarray(0, this.#random(frame.length)), isBinary);
        case "shuffled":
          shuffled.push({ frame: [frame, isBinary], after: 1 + this.#random(SHUFFLE_FRAMES_MAX) });
          return;
        case "cut":
          return cut();
        case "half_opened":
          link.silent = true;
          return;
        default:
          pass(frame, isBinary);
      }
    };
  }

  #draw() {
    let number = this.#random(1_000);
    for (const [kind, share] of Object.entries(PER_MILLE)) {
      if (number < share) return kind;
      number -= share;
    }
    return undefined;
  }

  /** A copy with one bit of one ASCII character flipped, so that the frame stays UTF-8. */
  #corrupted(frame) {
    const copy = Buffer.from(frame);
    const start = this.#random(copy.length);
    for (let step = 0; step < copy.length; step += 1) {
      const at = (start + step) % copy.length;
      if (copy[at] >= 0x80) continue;
      copy[at] ^= 1 << this.#random(5);
      break;
    }
    return copy;
  }
}
