// Runs the reference server as a process with a fresh database.

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { programOf } from "../../../e2e/lib/program.mjs";

/** Starts a server. Returns its port and a function that stops it. */
export async function startServer(options = []) {
  const path = programOf("campaign-sync-server");
  const directory = await mkdtemp(join(tmpdir(), "campaign-sync-conformance-"));
  const args = ["--listen", "127.0.0.1:0", "--db", join(directory, "campaigns.db"), ...options];
  const server = spawn(path, args, { stdio: ["ignore", "pipe", "pipe"] });
  const exited = new Promise((resolve) => server.once("exit", resolve));
  let errors = "";
  server.stderr.on("data", (text) => (errors += text));
  const address = await new Promise((resolve, reject) => {
    createInterface({ input: server.stdout }).on("line", (line) => {
      const found = /http:\/\/127\.0\.0\.1:(\d+)/.exec(line);
      if (found) resolve(Number(found[1]));
    });
    server.once("error", reject);
    server.once("exit", () => reject(new Error(`the server ended: ${errors}`)));
  });
  const stop = async () => {
    server.kill("SIGKILL");
    await exited;
    await rm(directory, { recursive: true, force: true });
  };
  return { port: address, stop };
}
