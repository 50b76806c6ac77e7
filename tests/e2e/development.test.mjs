// docs/DEVELOPMENT.md: a page from Vite, with its proxy and with two origins, and what cookies do between names.

import { strict as assert } from "node:assert";
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { block, serverOptions } from "./lib/guide.mjs";
import { launch } from "./lib/page.mjs";
import { programOf } from "./lib/program.mjs";
import { freePort } from "./lib/server.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** The password is `correct horse`. */
const USERS = "ada-l:$argon2id$v=19$m=8,t=1,p=1$c2FsdCBvZiBhZGE$fu6ySt22cePflwe47YpqBE8zXah/JVm0EUJqxTP7e04\n";
const LOGIN = { user: "ada-l", password: "correct horse" };

let browser, directory, vitePort, serverPort, vite, server;

/** Starts Vite with the configuration of the guide, changed by `change`. */
async function startVite(change = (text) => text) {
  const require = createRequire(join(root, "www/package.json"));
  const { createServer } = await import(join(dirname(require.resolve("vite/package.json")), "dist/node/index.js"));
  const text = block("js", "// vite.config.js").replace("127.0.0.1:8080", `127.0.0.1:${serverPort}`);
  const config = join(directory, "vite.config.mjs");
  await writeFile(config, change(text));
  await writeFile(join(directory, "index.html"), "<!doctype html><title>page</title>");
  vite = await createServer({
    root: directory, configFile: config, logLevel: "silent",
    server: { port: vitePort, strictPort: true, host: "localhost" },
  });
  await vite.listen();
}

/** Starts the server as the guide does, with users. */
async function startServer() {
  const options = serverOptions("campaign-sync-server --origin http://localhost:5173", vitePort);
  const own = ["--listen", `127.0.0.1:${serverPort}`, "--db", join(directory, "campaigns.db"),
    "--users", join(directory, "users")];
  server = spawn(programOf("campaign-sync-server"), [...options, ...own], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  await new Promise((resolve) => createInterface({ input: server.stdout }).once("line", resolve));
}

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "campaign-sync-"));
  await writeFile(join(directory, "users"), USERS);
  [vitePort, serverPort] = [await freePort(), await freePort()];
  await startServer();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  server?.kill("SIGKILL");
  await rm(directory, { recursive: true, force: true });
});

/** Opens the page of Vite in a context without cookies. */
async function open(host = "localhost") {
  const page = await (await browser.newContext()).newPage();
  await page.goto(`http://${host}:${vitePort}/`);
  return page;
}

/** Logs in, creates and reads from the page; returns the statuses and headers, and the first document of a socket. */
function use(page, base, socket) {
  return page.evaluate(async ([base, socket, login]) => {
    const call = (path, init) => fetch(base + path, { credentials: "include", ...init });
    const post = (path, body) => call(path, { method: "POST", body: JSON.stringify(body) });
    const logged = await post("/auth/login", login);
    const created = await post("/campaigns", { name: "one", count: 5 });
    const listed = await call("/campaigns");
    const opened = await new Promise((resolve) => {
      const it = new WebSocket(socket ?? `ws://${location.host}/api/v2/ws`);
      it.onopen = () => it.send(JSON.stringify({ type: "connection_init", protocols: ["campaign-sync.v1"] }));
      it.onmessage = ({ data }) => resolve(JSON.parse(data).type);
      it.onclose = ({ code }) => resolve(code);
    });
    return {
      statuses: [logged, created, listed].map(({ status }) => status),
      position: created.headers.get("campaign-position"), location: created.headers.get("location"), opened,
    };
  }, [base, socket, LOGIN]);
}

for (const [title, change] of [
  ["as the guide has it", (text) => text],
  ["with changeOrigin", (text) => text.replace("ws: true", "ws: true, changeOrigin: true")],
]) {
  test(`page of Vite uses REST, cookies and sockets through the proxy, ${title}`, async () => {
    await startVite(change);
    try {
      const used = await use(await open(), "/api/v2");
      assert.deepEqual(used.statuses, [200, 201, 200]);
      assert.equal(used.opened, "connection_ack");
    } finally {
      await vite.close();
    }
  });
}

test("page of Vite reaches the server under another origin of the same site", async () => {
  await startVite();
  try {
    const used = await use(await open(), `http://localhost:${serverPort}/api/v2`, `ws://localhost:${serverPort}/api/v2/ws`);
    assert.deepEqual(used.statuses, [200, 201, 200]);
    assert.match(used.position, /^[!-~]+\/1$/, "CORS exposes the header");
    assert.match(used.location, /^\/api\/v2\/campaigns\//, "CORS exposes the header");
    assert.equal(used.opened, "connection_ack");
  } finally {
    await vite.close();
  }
});

test("login of the guide gives the page a cookie for the server's origin", async () => {
  await startVite();
  try {
    const code = block("js", "await fetch(\"http://localhost:8080/api/v2/auth/login\"").replace("localhost:8080", `localhost:${serverPort}`);
    const page = await open();
    const session = await page.evaluate(async ([code, { user, password }, base]) => {
      const AsyncFunction = (async () => {}).constructor;
      await new AsyncFunction("user", "password", code)(user, password);
      return (await fetch(`${base}/auth/session`, { credentials: "include" })).json();
    }, [code, LOGIN, `http://localhost:${serverPort}/api/v2`]);
    assert.equal(session.user, LOGIN.user);
  } finally {
    await vite.close();
  }
});

test("cookie is not sent between localhost and 127.0.0.1", async () => {
  await startVite();
  try {
    const used = await use(await open(), `http://127.0.0.1:${serverPort}/api/v2`, `ws://127.0.0.1:${serverPort}/api/v2/ws`);
    assert.deepEqual(used.statuses, [200, 401, 401], "logged in, and unknown at the next request");
    assert.equal(used.opened, "error");
  } finally {
    await vite.close();
  }
});

test("page whose origin is not admitted is refused, also through the proxy", async () => {
  await startVite((text) => text.replace("ws: true", "ws: true, headers: { origin: 'http://localhost:1' }"));
  try {
    const status = await (await open()).evaluate(async (login) =>
      (await fetch("/api/v2/auth/login", { method: "POST", body: JSON.stringify(login) })).status, LOGIN);
    assert.equal(status, 403);
  } finally {
    await vite.close();
  }
});
