// Stands before a server and gives its pages another Content-Security-Policy, each page by the query of its address.

import { createServer, request } from "node:http";
import { connect } from "node:net";

/** Listens at `port`, an origin that the server admits, and passes everything on to `to`. Returns a function that ends it. */
export async function withPolicies(port, to) {
  const sockets = new Set();
  const proxy = createServer((incoming, outgoing) => {
    const { pathname, searchParams } = new URL(incoming.url, "http://page");
    const policy = searchParams.get("policy");
    request({ host: "127.0.0.1", port: to, path: pathname, method: incoming.method }, (answer) => {
      const { "content-security-policy": _, ...headers } = answer.headers;
      outgoing.writeHead(answer.statusCode, { ...headers, ...(policy && { "content-security-policy": policy }) });
      answer.pipe(outgoing);
    }).end();
  });
  proxy.on("upgrade", ({ method, url, rawHeaders }, socket) => {
    const lines = rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${rawHeaders[at + 1]}`] : []));
    const server = connect(to, "127.0.0.1", () => server.write(`${method} ${url} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`));
    for (const [from, into] of [[socket, server], [server, socket]]) {
      sockets.add(from.pipe(into));
      from.on("error", () => into.destroy());
      from.on("close", () => into.destroy());
    }
  });
  await new Promise((resolve) => proxy.listen(port, "127.0.0.1", resolve));
  return () => {
    for (const socket of sockets) socket.destroy();
    proxy.closeAllConnections();
    proxy.close();
  };
}
