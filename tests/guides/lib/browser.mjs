// Opens pages in Chromium, and keeps what goes wrong in them and what their sockets send.

import { chromium } from "playwright-core";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"];

export const launch = () => chromium.launch({ executablePath, args });

/** Opens an address. */
export async function open(browser, address) {
  const page = await browser.newPage();
  Object.assign(page, { problems: [], said: [], sockets: [], sent: [] });
  page.on("console", (message) => page.said.push(message.text()));
  page.on("pageerror", (error) => page.problems.push(String(error)));
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && page.problems.push(message.text()));
  page.on("websocket", (socket) => {
    page.sockets.push(socket);
    socket.on("framesent", ({ payload }) => page.sent.push(String(payload)));
  });
  await page.goto(address);
  return page;
}
