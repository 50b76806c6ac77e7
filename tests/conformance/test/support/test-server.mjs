// Puts the server of `campaign-sync/testing` behind real sockets and real HTTP, and lets its campaigns run as those of the
// reference server do.

import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

import { WebSocketServer } from "ws";

import { createTestServer } from "../../../../pkg/dist/testing.js";

/** The rows of one slice are generated at once, and then the rate decides about the pause. */
const SLICES_PER_SECOND = 20;
const ROWS_MAX = 1_000;

/** Starts the server. Returns its port and a function that stops it. */
export async function startTestServer(options = {}) {
  const server = createTestServer(options);
  let isStopped = false;
  const http = createServer((request, response) => {
    answer(server, request, response).catch((error) => {
      // A campaign may be deleted while it runs, and the server may stop.
      if (!isStopped && error.code !== "unknown_campaign") throw error;
    });
  });
  const sockets = new WebSocketServer({ server: http });
  sockets.on("connection", (socket) => connect(server, socket));
  await new Promise((resolve) => http.listen(0, "127.0.0.1", resolve));
  const stop = async () => {
    isStopped = true;
    server.close();
    for (const socket of sockets.clients) socket.terminate();
    sockets.close();
    await new Promise((resolve) => http.close(resolve));
  };
  return { port: http.address().port, stop };
}

/** Passes frames between a real socket and one of the test server. */
function connect(server, socket) {
  const inner = new server.WebSocket(server.url);
  const early = [];
  inner.onopen = () => early.forEach((frame) => inner.send(frame));
  inner.onmessage = ({ data }) => socket.send(data);
  inner.onclose = ({ code }) => (code === 1006 ? socket.terminate() : socket.close(code));
  socket.on("message", (bytes) => (inner.readyState === inner.CONNECTING ? early.push(String(bytes)) : inner.send(String(bytes))));
  socket.on("close", () => inner.close());
}

async function answer(server, request, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString();
  const { method, url, headers } = request;
  const init = { method, headers, ...(body !== "" && { body }) };
  const inner = await server.fetch(new URL(url, server.baseUrl), init);
  response.writeHead(inner.status, Object.fromEntries(inner.headers));
  response.end(await inner.text());
  const [, campaignId, action] = /\/campaigns\/([^/]+)\/(start|validate-dns)$/.exec(url) ?? [];
  if (method !== "POST" || !inner.ok || action === undefined) return;
  const { settings } = await (await server.fetch(`${server.baseUrl}/campaigns/${campaignId}`)).json();
  await RUNS[action](server, campaignId, settings);
}

/** The work that a server does by itself after an action. */
const RUNS = {
  async start(server, campaignId, { count, rate, batch }) {
    for await (const slice of slices(count, rate, batch)) {
      for (const [from, to] of slice) server.rows(campaignId, to - from);
      const [, done] = slice.at(-1);
      server.patch(campaignId, { totalItems: count, processedItems: done, successfulItems: done });
    }
    server.patch(campaignId, { phaseStatus: "completed" });
  },
  async "validate-dns"(server, campaignId, { rate, batch }) {
    const { rows } = server.state(campaignId);
    for await (const slice of slices(rows.length, rate, batch)) {
      for (const [from, to] of slice) server.rows(campaignId, rows.slice(from, to).map(validated));
      const [, done] = slice.at(-1);
      server.patch(campaignId, { processedItems: done, successfulItems: done });
    }
    server.patch(campaignId, { phaseStatus: "completed" });
  },
};

const validated = ({ domainId, offset }) => ({ domainId, dnsStatus: offset % 3 === 0 ? "timeout" : "resolved" });

/** Cuts a number of rows into slices of batches, at about this rate. */
async function* slices(count, rate, batch) {
  const [perSlice, perEvent] = [Math.max(1, Math.ceil(rate / SLICES_PER_SECOND)), batch ?? ROWS_MAX];
  for (let done = 0; done < count; await sleep(1_000 / SLICES_PER_SECOND)) {
    const [slice, until] = [[], Math.min(count, done + perSlice)];
    for (; done < until; done = slice.at(-1)[1]) slice.push([done, Math.min(until, done + perEvent)]);
    yield slice;
  }
}
