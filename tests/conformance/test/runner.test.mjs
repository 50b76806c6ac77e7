// The runner ends with a clear message and an exit code if it cannot judge a server. It never hangs.

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

/** Runs the command and returns its exit code and output. */
function run(...args) {
  return new Promise((resolve) => {
    execFile(process.execPath, [conform, ...args], (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }));
  });
}

/** Creates a directory with one file, and removes it after `use`. */
async function withFile(name, content, use) {
  const directory = await mkdtemp(join(tmpdir(), "conformance-"));
  try {
    await writeFile(join(directory, name), content);
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** Runs a server on a free port that passes each connection to `treat`, and stops it after `use`. */
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

test("runner refuses an invalid address", async () => {
  const { code, stderr } = await run("http://127.0.0.1:1/");
  assert.equal(code, 2);
  assert.match(stderr, /^error: which server\?/);
});

test("runner reports an address that refuses connections", async () => {
  const address = await withListener(() => {}, (url) => url);
  const { code, stderr } = await run(address);
  assert.equal(code, 2);
  assert.match(stderr, /^error: .*(refused|ECONNREFUSED)/);
});

test("runner ends with a message if a server never answers", async () => {
  const { code, stderr } = await withListener(() => {}, (url) => run(url, "--case", "C-RECOVERY/unknown"));
  assert.equal(code, 2);
  assert.match(stderr, /^error: cannot connect to .*timed out/);
});

test("case fails and names the missing message if a server sends nothing", async () => {
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

test("runner names a case file that is not JSON", async () => {
  await withFile("c-broken.json", "[{", async (directory) => {
    const { code, stderr } = await run("ws://127.0.0.1:9/", "--cases", directory);
    assert.equal(code, 2);
    assert.match(stderr, /^error: cannot read the case file .*c-broken\.json/);
  });
});

test("runner names a case with an unknown step", async () => {
  const item = { id: "C-X", guarantee: "G1", rule: "r", rules: ["R8.3"], title: "t", duties: [], steps: [{ dance: {} }] };
  await withFile("c-x.json", JSON.stringify([item]), async (directory) => {
    const { code, stderr } = await run("ws://127.0.0.1:9/", "--cases", directory);
    assert.equal(code, 2);
    assert.match(stderr, /case C-X: no step is \{"dance":\{\}\}/);
  });
});

test("runner names a case without the ids of its rules", async () => {
  const item = { id: "C-X", guarantee: "G1", rule: "r", rules: ["chapter 8"], title: "t", duties: [], steps: [] };
  await withFile("c-x.json", JSON.stringify([item]), async (directory) => {
    const { code, stderr } = await run("ws://127.0.0.1:9/", "--cases", directory);
    assert.equal(code, 2);
    assert.match(stderr, /case C-X: rules is not a list of ids such as R8\.3/);
  });
});

test("runner names a missing case, an unknown option and an unreadable server file", async () => {
  assert.match((await run("ws://127.0.0.1:9/", "--case", "C-NONE")).stderr, /^error: there is no case C-NONE/);
  assert.match((await run("ws://127.0.0.1:9/", "--loud")).stderr, /^error: .*--loud/);
  assert.match((await run("ws://127.0.0.1:9/", "--server", "/no/such/file")).stderr, /^error: cannot read the server file/);
});
