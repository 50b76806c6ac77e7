// Pages and workers in which a client cannot connect, or has another base than its location. The client says why.

import { strict as assert } from "node:assert";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import { withBrowser } from "./lib/fixture.mjs";
import { Server } from "./lib/server.mjs";

const PACKAGE = new URL("../../pkg/", import.meta.url);
const TYPES = { js: "text/javascript", wasm: "application/wasm", html: "text/html" };
/** The pages, with the policy that the server sends with them. */
const PAGES = {
  "/plain.html": ["", ""],
  "/base.html": ['<base href="/sub/">', ""],
  "/policy.html": ["", "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'"],
};

let browser, files, origin, server;

withBrowser((it) => { browser = it; }, () => [server]);
before(async () => {
  files = createServer(async ({ url }, answer) => {
    const [head, policy] = PAGES[url] ?? [];
    if (head !== undefined) {
      answer.writeHead(200, { "content-type": TYPES.html, ...(policy !== "" && { "content-security-policy": policy }) });
      return answer.end(`<!doctype html>${head}<title>page</title><script type="module" src="/start.js"></script>`);
    }
    const start = 'import * as sync from "/pkg/dist/index.js"; await sync.init(); globalThis.campaignSync = sync;';
    const body = url === "/start.js" ? start : await readFile(new URL(url.replace(/^\/pkg\//, ""), PACKAGE)).catch(() => undefined);
    answer.writeHead(body === undefined ? 404 : 200, { "content-type": TYPES[url.split(".").at(-1)] ?? "text/plain" });
    answer.end(body);
  });
  await new Promise((resolve) => files.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${files.address().port}`;
});
after(() => files.close());

/** Opens a page that has loaded the package. */
async function opened(path) {
  const page = await browser.newPage();
  await page.goto(origin + path);
  await page.waitForFunction(() => globalThis.campaignSync !== undefined);
  return page;
}

/** Connects to an address, and returns the connection after its first failed attempts. */
const failed = (page, url) => page.evaluate(async (url) => {
  const sync = new globalThis.campaignSync.CampaignSync({ url, target: null });
  sync.connect();
  while (sync.connection.attempt < 2 || sync.connection.hint === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
  const { state, attempt, code, lastCloseCode, hint } = sync.connection;
  sync.close();
  return { state, attempt, code, lastCloseCode, hint };
}, url);

test("origin that the server does not admit is retried, counted and explained", async () => {
  server = await Server.start();
  const connection = await failed(await opened("/plain.html"), `ws://127.0.0.1:${server.port}/api/v2/ws`);
  assert.equal(connection.lastCloseCode, 1006);
  assert.match(connection.hint, /refused the page, for example its origin/);
});

test("address that the page's policy refuses is retried and explained", async () => {
  const connection = await failed(await opened("/policy.html"), "ws://127.0.0.1:9/ws");
  assert.match(connection.hint, /Content-Security-Policy refuses the address: add it to `connect-src`/);
});

test("socket and REST resolve a relative address against the same base", async () => {
  const page = await opened("/base.html");
  const opening = page.waitForEvent("websocket");
  const requested = page.waitForRequest(/\/campaigns\//);
  await page.evaluate(async () => {
    const sync = new globalThis.campaignSync.CampaignSync({ url: "ws", target: null });
    sync.connect();
    const { restSnapshot } = await import("/pkg/dist/cache.js");
    await restSnapshot({ baseUrl: "api" })("c").catch(() => {});
  });
  const paths = [(await opening).url(), (await requested).url()].map((url) => new URL(url).pathname);
  assert.deepEqual(paths, ["/sub/ws", "/sub/api/campaigns/c/snapshot"]);
});

test("relative address in a blob worker is refused, an absolute one opens", async () => {
  server = await Server.start();
  const page = await opened("/plain.html");
  const outcomes = await page.evaluate(({ origin, port }) => new Promise((resolve) => {
    const source = `import { CampaignSync, init } from "${origin}/pkg/dist/index.js";
      await init();
      let code;
      try { new CampaignSync({ url: "/ws" }); } catch (error) { code = error.code + ": " + error.message; }
      const sync = new CampaignSync({ url: "http://127.0.0.1:${port}/api/v2/ws" });
      sync.addEventListener("connectionchange", ({ detail }) => { if (detail.attempt > 0) postMessage([code, detail.lastCloseCode]); });
      sync.connect();`;
    const worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })), { type: "module" });
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = ({ message }) => resolve([message]);
  }), { origin, port: server.port });
  assert.match(outcomes[0], /^invalid_argument: url must be an address/);
  assert.equal(outcomes[1], 1006, "the socket was opened, and the server refused its origin");
});

test("frames of another window are applied", async () => {
  const page = await opened("/plain.html");
  const applied = await page.evaluate(() => {
    const frame = document.body.appendChild(document.createElement("iframe"));
    const { Uint8Array: Foreign, DataView: ForeignView } = frame.contentWindow;
    const sync = new globalThis.campaignSync.CampaignSync({ target: null });
    sync.connect();
    const bytes = new Foreign(new TextEncoder().encode('{"type":"unknown"}'));
    for (const it of [bytes, bytes.buffer, new ForeignView(bytes.buffer)]) sync.receive(it);
    let code;
    try { sync.receive(new Blob(["{}"])); } catch (error) { code = error.code; }
    const { documents, refused } = sync.metrics();
    sync.close();
    return { documents, empty: refused.empty_frame ?? 0, code };
  });
  assert.deepEqual(applied, { documents: 3, empty: 0, code: "invalid_argument" });
});
