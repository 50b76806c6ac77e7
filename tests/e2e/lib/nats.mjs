// Runs a nats-server as a process, for servers that share a log.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { freePort } from "./server.mjs";

// Debian installs it in a directory that only root's PATH contains.
const debian = "/usr/sbin/nats-server";

export class Nats {
  static async start() {
    const nats = new Nats();
    nats.directory = await mkdtemp(join(tmpdir(), "campaign-sync-nats-"));
    nats.port = await freePort();
    nats.place = `nats://127.0.0.1:${nats.port}`;
    const args = ["-a", "127.0.0.1", "-p", nats.port, "-js", "-sd", nats.directory];
    nats.process = spawn(existsSync(debian) ? debian : "nats-server", args, { stdio: "ignore" });
    nats.exited = new Promise((resolve, reject) => {
      nats.process.once("exit", resolve);
      nats.process.once("error", reject);
    });
    const ended = nats.exited.then(() => { throw new Error("nats-server ended"); });
    ended.catch(() => {});
    while (!(await Promise.race([listens(nats.port), ended]))) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return nats;
  }

  async stop() {
    this.process.kill("SIGKILL");
    await this.exited;
    await rm(this.directory, { recursive: true, force: true });
  }
}

function listens(port) {
  return new Promise((resolve) => {
    const probe = connect(port, "127.0.0.1");
    probe.once("connect", () => resolve(true)).once("error", () => resolve(false));
    probe.once("connect", () => probe.destroy());
  });
}
