// A proxy between page and server that damages what it carries, frame by frame, by a seed: it drops, doubles, holds,
// corrupts, truncates and shuffles frames, and cuts and half-opens sockets. REST requests pass unchanged.

import { createServer, request } from "node:http";

import { WebSocket, WebSocketServer } from "ws";

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

export class FaultyNetwork {
  /** The number of faults so far, by kind. */
  counts = Object.fromEntries(Object.keys(PER_MILLE).map((kind) => [kind, 0]));
  /** Whether faults happen. */
  active = true;
  #random;
  #port;
  #server;
  #pairs = new Set();

  /** Starts a proxy to a server, on the port whose origin the server accepts. */
  static async to({ port, cablePort }, seed) {
    const network = new FaultyNetwork();
    network.#random = randomOf(seed);
    network.#port = port;
    network.#server = createServer((message, answer) => network.#pass(message, answer));
    const sockets = new WebSocketServer({ server: network.#server });
    sockets.on("connection", (page, { url, headers }) => network.#carry(page, url, headers));
    await new Promise((resolve, reject) => {
      network.#server.once("error", reject).listen(cablePort, "127.0.0.1", resolve);
    });
    network.origin = `http://127.0.0.1:${cablePort}`;
    return network;
  }

  /** Ends all faults. Half-opened sockets stay silent until an end gives them up. */
  heal() {
    this.active = false;
  }

  close() {
    for (const end of this.#pairs) end();
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #pass(message, answer) {
    const { method, url: path, headers } = message;
    const onward = request({ host: "127.0.0.1", port: this.#port, method, path, headers }, (response) => {
      answer.writeHead(response.statusCode, response.headers);
      response.pipe(answer);
    });
    onward.on("error", () => answer.destroy());
    message.pipe(onward);
  }

  #carry(page, url, { origin, cookie }) {
    const headers = { origin, ...(cookie !== undefined && { cookie }) };
    const server = new WebSocket(`ws://127.0.0.1:${this.#port}${url}`, { headers });
    const link = { silent: false };
    const end = () => {
      page.terminate();
      server.terminate();
      this.#pairs.delete(end);
    };
    this.#pairs.add(end);
    const opened = new Promise((resolve) => server.once("open", resolve));
    const toPage = this.#damaging(link, (frame, isBinary) => page.send(frame, { binary: isBinary }), end);
    const toServer = this.#damaging(link, (frame, isBinary) => server.send(frame, { binary: isBinary }), end);
    server.on("message", toPage);
    page.on("message", (frame, isBinary) => void opened.then(() => toServer(frame, isBinary)));
    for (const [from, to] of [[page, server], [server, page]]) {
      from.on("error", end);
      from.on("close", (code, reason) => {
        this.#pairs.delete(end);
        const sendable = code === 1000 || (code >= 3000 && code <= 4999);
        if (sendable && to.readyState === WebSocket.OPEN) to.close(code, reason);
        else to.terminate();
      });
    }
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
