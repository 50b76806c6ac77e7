// A broadcast by `ws`, as its documentation shows it: one serialisation, no compression.

import { WebSocketServer } from "ws";
import { run } from "./publisher.mjs";

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, backlog: 1024, perMessageDeflate: false });
server.on("listening", () =>
  run(server.address().port, (event) => {
    const bytes = Buffer.from(JSON.stringify(event));
    for (const client of server.clients) client.send(bytes, { binary: false });
  }),
);
