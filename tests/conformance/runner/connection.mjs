// One WebSocket to the server under test. It watches every frame, keeps the last ones for the report, and limits every
// wait.

import WebSocket from "ws";

import { Failure, Unusable, shortened } from "./failure.mjs";
import { Watcher } from "./watch.mjs";

const OPEN_MS = 10_000;
/** Lines of a conversation that a report shows. */
const JOURNAL_LINES = 12;

export class Connection {
  #waiters = new Set();
  inbox = [];
  journal = [];
  mark = 0;

  constructor(url, memory) {
    this.url = url;
    this.watcher = new Watcher(memory);
  }

  /** Opens the socket. Rejects with `Unusable` if the server refuses or does not answer. */
  open() {
    this.socket = new WebSocket(this.url, { handshakeTimeout: OPEN_MS, maxPayload: 64 << 20 });
    this.socket.on("message", (bytes) => this.#receive(bytes));
    this.socket.on("close", (code) => {
      this.closeCode = code;
      this.#note("X", `closed with ${code}`);
      this.#wake();
    });
    return new Promise((resolve, reject) => {
      this.socket.once("open", resolve);
      this.socket.on("error", (error) => reject(new Unusable(`cannot connect to ${this.url}: ${error.message || error.code}`)));
    });
  }

  #note(sender, text) {
    this.journal.push(`${sender} ${shortened(text)}`);
    if (this.journal.length > JOURNAL_LINES) this.journal.shift();
  }

  #receive(bytes) {
    for (const line of bytes.toString().split("\n")) if (line.trim() !== "") this.#note("S", line);
    this.inbox.push(...this.watcher.received(bytes));
    this.#wake();
  }

  #wake() {
    for (const waiter of this.#waiters) waiter();
  }

  /** Sends a message, or any text. The next wait considers only documents that arrive after it. */
  send(message) {
    this.mark = this.inbox.length;
    for (const document of typeof message === "string" ? readable(message) : [message]) this.watcher.sent(document);
    const text = typeof message === "string" ? message : JSON.stringify(message);
    this.#note("C", text);
    this.socket.send(text);
  }

  /** Waits until `find` returns a value. `expected` describes it in the report. */
  async until(find, expected, withinMs) {
    let timer;
    let wake;
    const found = () => find(this.inbox.slice(this.mark));
    try {
      return await new Promise((resolve, reject) => {
        const fail = (seen) => reject(new Failure(expected, seen));
        wake = () => {
          try {
            const value = found();
            if (value !== undefined && value !== false) return resolve(value);
          } catch (error) {
            return reject(error);
          }
          if (this.closeCode !== undefined) fail(`the connection closed with ${this.closeCode}`);
        };
        timer = setTimeout(() => fail(`nothing of it within ${withinMs} ms; last: ${this.#last()}`), withinMs);
        this.#waiters.add(wake);
        wake();
      });
    } finally {
      clearTimeout(timer);
      this.#waiters.delete(wake);
    }
  }

  #last() {
    return this.journal.filter((line) => line.startsWith("S")).at(-1) ?? "no frame at all";
  }

  /** Reads nothing from the socket until `resume`. */
  pause() {
    this.socket.pause();
  }

  resume() {
    this.socket.resume();
  }

  close() {
    this.socket?.on("error", () => {});
    this.socket?.terminate();
  }
}

/** The lines of a text that are JSON objects: the messages that a server can understand. */
function readable(text) {
  return text.split("\n").flatMap((line) => {
    try {
      const document = JSON.parse(line);
      return document !== null && typeof document === "object" && !Array.isArray(document) ? [document] : [];
    } catch {
      return [];
    }
  });
}
