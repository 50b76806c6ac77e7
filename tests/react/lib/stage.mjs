// Opens the page of the hooks' tests in a real browser, served by the reference server.

import { after, afterEach, before } from "node:test";

import { chromium } from "playwright-core";

import { Server } from "../../e2e/lib/server.mjs";
import { pageOf } from "./bundle.mjs";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"];

/** Starts a browser and, for each version of React, a server with the page. Returns a function that opens the page. */
export function withStage(versions, { entry = "pages/hooks.tsx", mode, options = [] } = {}) {
  let browser;
  const stages = new Map();
  before(async () => {
    browser = await chromium.launch({ executablePath, args });
    for (const version of versions) {
      const files = await pageOf(entry, version, { mode });
      stages.set(version, { files, server: await Server.start(options, files.directory) });
    }
  });
  afterEach(() => Promise.all(browser.contexts().map((context) => context.close())));
  after(async () => {
    await browser?.close();
    for (const { files, server } of stages.values()) {
      await server.stop();
      await files.remove();
    }
  });
  return async (version) => {
    const { server } = stages.get(version);
    const page = await browser.newPage();
    page.problems = [];
    page.sockets = [];
    page.on("pageerror", (error) => page.problems.push(String(error)));
    page.on("console", (message) => {
      // Chromium prints this for every socket that is closed while it opens. A page that closes its client may do so.
      const isClosing = /WebSocket is closed before the connection is established/.test(message.text());
      if (["error", "warning"].includes(message.type()) && !isClosing) page.problems.push(message.text());
    });
    page.on("websocket", (socket) => page.sockets.push(socket));
    await page.goto(`${server.origin}/`);
    await page.waitForFunction((entry) => !entry.includes("hooks") || globalThis.stage !== undefined, entry);
    return { page, server };
  };
}
