// The compiled module over the sockets of the package `ws`, as applications use it on a Node without WebSockets.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { WebSocket, WebSocketServer } from "ws";

import { CampaignHandle } from "../dist/campaign.js";
import { Core } from "../dist/core.js";
import { Loader, wasmClient } from "../dist/module.js";
import { SocketTransport } from "../dist/transport.js";
import { Call } from "./support/calls.js";
import { CAMPAIGN, Stream } from "./support/stream.js";

const BYTES = readFileSync(new URL("../wasm/campaign_sync_bg.wasm", import.meta.url));

// The query keeps the fake machine out.
const { glue } = await import("../dist/main-glue.js?node");
new Loader(glue, () => BYTES, 2_000).loadSync(BYTES);

function clientOf(url) {
  return new Core(wasmClient(), {}, {
    dispatch: () => {},
    onLastRelease: () => {},
    transport: (reports) => new SocketTransport(url, WebSocket, reports),
  });
}

async function until(holds) {
  for (let turn = 0; turn < 500 && !holds(); turn++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(holds());
}

test("campaign is live over a socket of `ws`, in text and in binary frames", async () => {
  for (const binary of [false, true]) {
    const stream = new Stream();
    stream.appendRow();
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    server.on("connection", (socket) => socket.on("message", (frame) => {
      for (const answer of stream.answer(String(frame))) socket.send(answer, { binary });
    }));
    await new Promise((resolve) => server.once("listening", resolve));
    const core = clientOf(`ws://127.0.0.1:${server.address().port}/`);
    const handle = new CampaignHandle(core, CAMPAIGN);
    core.command({ call: Call.connect });
    await until(() => handle.view().status === "live");
    assert.equal(handle.domains().total, 1);
    core.close();
    server.close();
  }
});

test("refused connection of `ws` is a failed attempt, and nothing is thrown", async () => {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  const core = clientOf(`ws://127.0.0.1:${port}/`);
  core.command({ call: Call.connect });
  await until(() => core.connection.attempt >= 2);
  assert.equal(core.connection.lastCloseCode, 1006);
  assert.match(core.connection.hint, /^The server is away/);
  core.close();
});
