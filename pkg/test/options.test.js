import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { CampaignSync, initSync } from "../dist/index.js";
import { MODULE } from "./support/fixtures.js";
import { FakeSocket } from "./support/sockets.js";
import { machines } from "./support/machine.js";

initSync(MODULE);

/** The address that a client with this `url` opens, on a page with this document or location. */
function opened(url, page = {}) {
  Object.assign(globalThis, page);
  FakeSocket.all.length = 0;
  new CampaignSync({ url, WebSocket: FakeSocket, target: null }).metrics();
  machines.at(-1).host.open(1);
  return FakeSocket.all[0].url;
}

afterEach(() => {
  delete globalThis.document;
  delete globalThis.location;
});

test("relative address is resolved as fetch resolves it", () => {
  const page = { document: { baseURI: "https://host.test/sub/" }, location: { href: "https://elsewhere.test/page" } };
  assert.equal(opened("ws", page), "wss://host.test/sub/ws", "against the base of the document");
  assert.equal(opened("/ws", page), "wss://host.test/ws");
  delete globalThis.document;
  assert.equal(opened("/ws", { location: { href: "http://host.test/worker.js" } }), "ws://host.test/ws", "in a worker");
  assert.equal(opened("https://host.test/ws?a=1"), "wss://host.test/ws?a=1");
  assert.equal(opened("ws://host.test/"), "ws://host.test/");
});

test("address that no socket can open is refused by the constructor", () => {
  const refused = ["ftp://host.test/", "ws://host.test/#fragment", "http://[bad", "", "/ws", "file:///etc/passwd", "javascript:0", "ws://"];
  for (const url of refused) {
    assert.throws(() => opened(url), { name: "CampaignSyncError", code: "invalid_argument", message: /^url must be an address/ }, url);
  }
  const blob = { location: { href: "blob:https://host.test/3b1f" } };
  assert.throws(() => opened("/ws", blob), { code: "invalid_argument" }, "a worker made of a blob has no address");
  assert.equal(opened("https://host.test/ws", blob), "wss://host.test/ws");
});

test("platform without WebSockets is named in the code", () => {
  const { WebSocket } = globalThis;
  delete globalThis.WebSocket;
  try {
    assert.throws(() => new CampaignSync({ url: "ws://host.test/" }), { code: "no_websocket", message: /option `WebSocket`/ });
    new CampaignSync({ url: "ws://host.test/", transport: "manual" });
    new CampaignSync();
  } finally {
    if (WebSocket !== undefined) globalThis.WebSocket = WebSocket;
  }
});

test("transport `websocket` needs an address", () => {
  assert.throws(() => new CampaignSync({ transport: "websocket" }), { code: "invalid_argument", message: /^url must be/ });
});
