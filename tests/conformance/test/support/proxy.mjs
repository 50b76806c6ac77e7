// A proxy between the runner and a server that breaks one thing: the documents that the server sends (`down`), the
// messages that it receives (`up`), the frames that it receives (`frame`), or its routes (`http`).

import { createHash } from "node:crypto";
import { createServer } from "node:http";
import WebSocket, { WebSocketServer } from "ws";

import { readDocument } from "../../reader/frame.mjs";

/** One connection through the proxy, with the state that the breaks use. */
class Line {
  /** The last number of the current replay, by campaign. */
  replayTo = new Map();
  kept = [];
  asked = 0;

  constructor(client) {
    this.client = client;
  }

  /** Whether the runner reads so slowly that this process keeps more than a megabyte for it. */
  isSlow() {
    return this.client.bufferedAmount > 1_000_000;
  }

  isReplayed({ sequence }) {
    return sequence !== undefined && sequence.sequenceNumber <= (this.replayTo.get(sequence.campaignId) ?? 0);
  }
}

/** Returns the event after `change`, with its new hash. */
export function rewritten(document, change) {
  const event = structuredClone(document);
  change(event);
  event.sequence.eventHash = "0".repeat(64);
  const { hashed } = readDocument(JSON.stringify(event));
  event.sequence.eventHash = createHash("sha256").update(hashed).digest("hex");
  return JSON.stringify(event);
}

export async function startProxy(upstream, { down, up, frame, http }) {
  const server = createServer((request, answer) => forward(upstream, request, answer, http));
  // A connection that the runner keeps must not close just as it is used again.
  server.keepAliveTimeout = 120_000;
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (client, request) => {
    const line = new Line(client);
    const remote = new WebSocket(`ws://127.0.0.1:${upstream}${request.url}`);
    const waiting = [];
    const pass = (text) => {
      const message = JSON.parse(text);
      // A break rewrites the messages of the runner, and no text that a case spells out.
      const isWritten = JSON.stringify(message) === text;
      const passed = up && isWritten ? up(message, line, { text, close: (code) => client.close(code) }) : text;
      if (passed !== undefined) remote.send(passed);
    };
    const relay = (received) => {
      const text = frame ? frame(received) : received;
      try {
        pass(text);
      } catch {
        remote.send(text);
      }
    };
    client.on("message", (bytes) => (remote.readyState === WebSocket.OPEN ? relay(bytes.toString()) : waiting.push(bytes.toString())));
    remote.on("open", () => waiting.splice(0).forEach(relay));
    remote.on("message", (bytes) => {
      const said = bytes.toString().split("\n").filter(Boolean).flatMap((source) => broken(source, line, down));
      if (said.length > 0) client.send(said.join("\n"));
    });
    client.on("close", () => remote.terminate());
    remote.on("close", () => client.close());
    remote.on("error", () => client.terminate());
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const stop = async () => {
    for (const client of sockets.clients) client.terminate();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { port: server.address().port, stop };
}

/** Returns the documents that replace one document of the server: none, itself, or others. */
function broken(source, line, down) {
  const document = JSON.parse(source);
  const { type, data } = document;
  if (type === "event_recovery" && data.outcome === "replay") line.replayTo.set(data.campaignId, data.toSequenceNumber);
  const said = down ? down(document, line, source) : source;
  const list = said === undefined ? [source] : [said].flat();
  return list.map((item) => (typeof item === "string" ? item : JSON.stringify(item)));
}

async function forward(upstream, request, answer, http = {}) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const url = http.url ? http.url(request.url) : request.url;
  const { host, connection, "content-length": length, ...headers } = request.headers;
  const body = chunks.length > 0 ? Buffer.concat(chunks) : undefined;
  const got = await fetch(`http://127.0.0.1:${upstream}${url}`, { method: request.method, headers, body });
  const hides = http.only === undefined || http.only.test(request.url) ? (http.hides ?? []) : [];
  const kept = [...got.headers].filter(([name]) => name !== "content-length" && !hides.includes(name));
  answer.writeHead(got.status, Object.fromEntries(kept));
  const text = await got.text();
  answer.end(http.body ? http.body(text, request.url) : text);
}
