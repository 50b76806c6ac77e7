// What the runner says where it cannot judge: a clear message, an exit code, no hang.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { WebSocketServer } from "ws";

const conform = fileURLToPath(new URL("../conform.mjs", import.meta.url));

/** Runs the command; tells its exit code and what it printed. */
function run(...args) {
  return new Promise((resolve) => {
    execFile(process.execPath, [conform, ...args], (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }));
  });
}

/** A directory with one file, for as long as it is used. */
async function withFile(name, content, use) {
  const directory = await mkdtemp(join(tmpdir(), "conformance-"));
  try {
    await writeFile(join(directory, name), content);
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** A server on a free port that treats each connection so. */
async function withListener(treat, use) {
  const sockets = new Set();
  const listener = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    treat(socket);
  });
  await new Promise((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const { port } = listener.address();
  try {
    return await use(`ws://127.0.0.1:${port}/api/v2/ws`, port);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => listener.close(resolve));
  }
}

test("an address that is none is refused", async () => {
  const { code, stderr } = await run("http://127.0.0.1:1/");
  assert.equal(code, 2);
  assert.match(stderr, /^error: which server\?/);
});

test("an address where nobody listens is named", async () => {
  const address = await withListener(() => {}, (url) => url);
  const { code, stderr } = await run(address);
  assert.equal(code, 2);
  assert.match(stderr, /^error: .*(refused|ECONNREFUSED)/);
});

test("a server that never answers ends the run with a message", async () => {
  const { code, stderr } = await withListener(() => {}, (url) => run(url, "--case", "C-RECOVERY/unknown"));
  assert.equal(code, 2);
  assert.match(stderr, /^error: cannot connect to .*timed out/);
});

test("a server that opens and then says nothing fails the case, with what was waited for", async () => {
  const silent = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  await new Promise((resolve) => silent.once("listening", resolve));
  try {
    const { code, stdout } = await run(`ws://127.0.0.1:${silent.address().port}/`, "--case", "C-RECOVERY/unknown");
    assert.equal(code, 1);
    assert.match(stdout, /expected  connection_ack\n  seen      nothing of it within \d+ ms; last: no frame at all/);
    assert.match(stdout, /\n0 passed, 1 failed\n$/);
  } finally {
    for (const client of silent.clients) client.terminate();
    silent.close();
  }
});

test("a case file that is no JSON is named", async () => {
  await withFile("c-broken.json", "[{", async (directory) => {
    const { code, stderr } = await run("ws://127.0.0.1:9/", "--cases", directory);
    assert.equal(code, 2);
    assert.match(stderr, /^error: cannot read the case file .*c-broken\.json/);
  });
});

test("a case with a step that is none is named", async () => {
  const item = { id: "C-X", guarantee: "G1", rule: "r", title: "t", duties: [], steps: [{ dance: {} }] };
  await withFile("c-x.json", JSON.stringify([item]), async (directory) => {
    const { code, stderr } = await run("ws://127.0.0.1:9/", "--cases", directory);
    assert.equal(code, 2);
    assert.match(stderr, /case C-X: no step is \{"dance":\{\}\}/);
  });
});

test("a case that does not exist, an option that does not, a server file that cannot be read", async () => {
  assert.match((await run("ws://127.0.0.1:9/", "--case", "C-NONE")).stderr, /^error: there is no case C-NONE/);
  assert.match((await run("ws://127.0.0.1:9/", "--loud")).stderr, /^error: .*--loud/);
  assert.match((await run("ws://127.0.0.1:9/", "--server", "/no/such/file")).stderr, /^error: cannot read the server file/);
});
