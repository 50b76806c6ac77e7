/** Serves the repository's built files and the generated log to the bench page, on loopback only. */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const SERVED = ["/benches/page/", "/pkg/dist/", "/pkg/wasm/"];
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".wasm": "application/wasm",
};

/**
 * Serves one page of `benches/page`, with the package in `pkg` or in another directory that is built like it.
 * @returns the address of the page, and a function that stops the server
 */
export async function serve(log, { page = "index.html", pkg = join(ROOT, "pkg") } = {}) {
  const document = JSON.stringify(log);
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    if (pathname === "/log.json") {
      response.writeHead(200, { "content-type": "application/json" }).end(document);
      return;
    }
    sendFile(pathname, pkg, response).catch(() => response.writeHead(404).end());
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = `http://127.0.0.1:${server.address().port}/benches/page/${page}`;
  return { address, stop: () => server.close() };
}

async function sendFile(pathname, pkg, response) {
  const path = normalize(pathname);
  if (!SERVED.some((directory) => path.startsWith(directory))) throw new Error("not served");
  const bytes = await readFile(path.startsWith("/pkg/") ? join(pkg, path.slice(5)) : join(ROOT, path));
  response.writeHead(200, { "content-type": TYPES[extname(path)] ?? "application/octet-stream" }).end(bytes);
}
