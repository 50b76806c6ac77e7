// A proxy between page and server that carries the sockets frame by frame, so that a test can do something to each.
// REST requests pass unchanged.

import { createServer, request } from "node:http";

import { WebSocket, WebSocketServer } from "ws";

export class FrameProxy {
  #port;
  #server;
  #ends = new Set();

  /** Listens on the port whose origin the server accepts. Returns itself. */
  async listen({ port, cablePort }) {
    this.#port = port;
    this.#server = createServer((message, answer) => this.#pass(message, answer));
    const sockets = new WebSocketServer({ server: this.#server });
    sockets.on("connection", (page, { url, headers }) => this.#carry(page, url, headers));
    await new Promise((resolve, reject) => {
      this.#server.once("error", reject).listen(cablePort, "127.0.0.1", resolve);
    });
    this.origin = `http://127.0.0.1:${cablePort}`;
    return this;
  }

  /**
   * Takes the frames of a new socket: both functions pass a frame on, `cut` ends the socket. Returns the functions that
   * receive the frames instead.
   */
  between({ toPage, toServer }) {
    return { toPage, toServer };
  }

  /** Cuts every socket. With a code, the page receives this close code. */
  cut(code) {
    for (const end of [...this.#ends]) end(code);
  }

  close() {
    this.cut();
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
    const end = (code) => {
      if (code === undefined) page.terminate();
      else page.close(code);
      server.terminate();
      this.#ends.delete(end);
    };
    this.#ends.add(end);
    const opened = new Promise((resolve) => server.once("open", resolve));
    const { toPage, toServer } = this.between({
      toPage: (frame, isBinary) => page.send(frame, { binary: isBinary }),
      toServer: (frame, isBinary) => server.send(frame, { binary: isBinary }),
      cut: () => end(),
    });
    server.on("message", toPage);
    page.on("message", (frame, isBinary) => void opened.then(() => toServer(frame, isBinary)));
    for (const [from, to] of [[page, server], [server, page]]) {
      from.on("error", () => end());
      from.on("close", (code, reason) => {
        this.#ends.delete(end);
        const sendable = code === 1000 || (code >= 3000 && code <= 4999);
        if (sendable && to.readyState === WebSocket.OPEN) to.close(code, reason);
        else if (to.readyState !== WebSocket.CLOSING) to.terminate();
      });
    }
  }
}
