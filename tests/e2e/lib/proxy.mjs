// A TCP proxy between page and server that a test can cut, unplug and plug in again.

import { connect, createServer } from "node:net";

const UPGRADE = /^GET \/api\/v2\/ws /;

export class Cable {
  /** Starts a proxy to a server, on the port whose origin the server accepts. */
  static async to({ port, cablePort }) {
    const cable = new Cable();
    cable.plugged = true;
    cable.port = port;
    cable.sockets = new Set();
    cable.server = createServer((client) => cable.#carry(client));
    await new Promise((resolve, reject) => {
      cable.server.once("error", reject).listen(cablePort, "127.0.0.1", resolve);
    });
    cable.origin = `http://127.0.0.1:${cablePort}`;
    return cable;
  }

  #carry(client) {
    client.on("error", () => client.destroy());
    client.once("data", (head) => {
      const isSocket = UPGRADE.test(head.toString("latin1"));
      if (isSocket && !this.plugged) return client.destroy();
      const upstream = connect(this.port, "127.0.0.1");
      const close = () => {
        client.destroy();
        upstream.destroy();
        this.sockets.delete(close);
      };
      upstream.on("error", close).on("close", close);
      client.on("close", close);
      upstream.write(head);
      client.pipe(upstream);
      upstream.pipe(client);
      if (isSocket) this.sockets.add(close);
    });
  }

  /** Cuts every socket. The page may reconnect at once. */
  cut() {
    for (const close of [...this.sockets]) close();
  }

  /** Cuts every socket and refuses new ones. REST requests still pass. */
  unplug() {
    this.plugged = false;
    this.cut();
  }

  /** Connects to another server from now on, and cuts the sockets to the former one. */
  leadTo({ port }) {
    this.port = port;
    this.cut();
  }

  plug() {
    this.plugged = true;
  }

  close() {
    this.cut();
    this.server.close();
  }
}
