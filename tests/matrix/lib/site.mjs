/** Serves built files, and opens pages in Chromium. */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join } from "node:path";

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm", ".css": "text/css" };
const PAGE_SECONDS = 40;

/** Serves a directory, with a Content-Security-Policy if there is one. The page itself may come from another directory. */
export async function serve(directory, { port, policy, pageFrom = directory }) {
  const server = createServer(async (request, response) => {
    const path = new URL(request.url, "http://localhost").pathname;
    const headers = { "content-type": TYPES[extname(path)] ?? "text/html", ...(policy && { "content-security-policy": policy }) };
    try {
      const file = path === "/" ? join(pageFrom, "index.html") : join(directory, path);
      const content = await readFile(file);
      response.writeHead(200, headers).end(content);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
  return { stop: () => new Promise((resolve) => (server.close(resolve), server.closeAllConnections())) };
}

/** Waits until a development server answers. */
export async function answers(address, running, seconds = 90) {
  let ended = false;
  void running.exited.then(() => (ended = true));
  for (const end = Date.now() + seconds * 1_000; Date.now() < end && !ended; ) {
    const response = await fetch(address, { signal: AbortSignal.timeout(30_000) }).catch(() => undefined);
    if (response?.ok) return response;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`no answer from ${address}:\n${running.output()}`);
}

/** Opens a page and returns the outcome that it leaves. An error contains what the page reported. */
export async function open(browser, address) {
  const page = await browser.newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  page.on("response", (response) => response.status() >= 400 && problems.push(`${response.status()} ${response.url()}`));
  try {
    await page.goto(address);
    await page.waitForFunction(() => globalThis.outcome !== undefined, undefined, { timeout: PAGE_SECONDS * 1_000 });
    const outcome = await page.evaluate(() => globalThis.outcome);
    if (outcome.error === undefined) return outcome;
    problems.unshift(outcome.error);
  } catch (error) {
    problems.unshift(error.message);
  } finally {
    await page.close();
  }
  throw new Error(problems.join("\n"));
}
