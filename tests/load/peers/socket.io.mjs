// A Socket.IO broadcast over WebSocket only, without compression. With `--recovery` the server keeps the
// events that a client misses ("connection state recovery").

import { createServer } from "node:http";
import { Server } from "socket.io";
import { run } from "./publisher.mjs";

const http = createServer();
const server = new Server(http, {
  transports: ["websocket"],
  serveClient: false,
  perMessageDeflate: false,
  httpCompression: false,
  ...(process.argv.includes("--recovery") && {
    connectionStateRecovery: { maxDisconnectionDuration: 10 * 60 * 1000, skipMiddlewares: true },
  }),
});
http.listen({ host: "127.0.0.1", port: 0, backlog: 1024 }, () =>
  run(http.address().port, (event) => server.emit("event", event)),
);
