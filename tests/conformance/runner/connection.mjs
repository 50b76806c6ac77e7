// One WebSocket to the server under test: every frame is watched and kept for the report, and every wait ends.

import WebSocket from "ws";

import { Failure, Unusable, shortened } from "./failure.mjs";
import { Watcher } from "./watch.mjs";

const OPEN_MS = 10_000;
/** How much of a conversation a report shows. */
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

  /** Opens the socket; a server that refuses or says nothing makes the run impossible. */
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

  #note(who, text) {
    this.journal.push(`${who} ${shortened(text)}`);
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

  /** Sends a message, or a text that is none; what is waited for next comes after it. */
  send(message) {
    this.mark = this.inbox.length;
    if (typeof message !== "string") this.watcher.sent(message);
    const text = typeof message === "string" ? message : JSON.stringify(message);
    this.#note("C", text);
    this.socket.send(text);
  }

  /** Waits until `find` finds something; `expected` says what for the report. */
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

  close() {
    this.socket?.on("error", () => {});
    this.socket?.terminate();
  }
}
