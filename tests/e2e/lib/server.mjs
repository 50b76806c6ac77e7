// Runs the reference server as a process, kills and restarts it, and reads its database by SQL.

import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { programOf } from "./program.mjs";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** The lowest port. The range is below the ports that systems use for outgoing connections. */
const PORT_MIN = 10_000;
const PORTS = 20_000;

/** Returns a port that is free now, and that no outgoing connection takes before or between its uses. */
export async function freePort() {
  for (;;) {
    const port = PORT_MIN + Math.floor(Math.random() * PORTS);
    if (await isFree(port)) return port;
  }
}

function isFree(port) {
  const probe = createServer();
  return new Promise((resolve) => {
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}

export class Server {
  /** Starts a server with a fresh database. It serves the demo page unless `page` names another one. */
  static async start(options = [], page = join(root, "www/dist")) {
    programOf("campaign-sync-server"); // Before anything is left behind.
    const server = new Server();
    server.page = page;
    server.directory = await mkdtemp(join(tmpdir(), "campaign-sync-"));
    server.db = join(server.directory, "campaigns.db");
    [server.port, server.cablePort] = [await freePort(), await freePort()];
    server.origin = `http://127.0.0.1:${server.port}`;
    server.options = options;
    server.page = page;
    server.log = [];
    await server.run();
    return server;
  }

  /** Starts the process. A further call uses the same database and port. */
  async run() {
    // With a shared log, the tests read the server's copy of it by SQL.
    const args = ["--listen", `127.0.0.1:${this.port}`, "--db", this.db, "--cache", this.db,
      "--origin", `http://127.0.0.1:${this.cablePort}`];
    // A server with users injects no faults.
    if (!this.options.includes("--users")) args.push("--faults");
    args.push("--static", this.page, ...this.options);
    this.process = spawn(programOf("campaign-sync-server"), args, {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.exited = new Promise((resolve) => this.process.once("exit", resolve));
    createInterface({ input: this.process.stderr }).on("line", (line) => this.log.push(line));
    const lines = createInterface({ input: this.process.stdout });
    await new Promise((resolve, reject) => {
      lines.once("line", resolve);
      this.process.once("exit", () => reject(new Error(`server ended: ${this.log.join("\n")}`)));
    });
  }

  /** Kills the process with SIGKILL, so that it cannot clean up. */
  async kill() {
    this.process.kill("SIGKILL");
    await this.exited;
  }

  async stop() {
    await this.kill();
    await rm(this.directory, { recursive: true, force: true });
  }

  /** Sends a request under /api/v2. Throws an error with the code of a refusal. */
  async api(path, body, method = "POST") {
    const init = body === undefined ? {} : { method, body: JSON.stringify(body) };
    const headers = { "content-type": "application/json" };
    const answer = await fetch(`${this.origin}/api/v2${path}`, { ...init, headers });
    const json = await answer.json();
    if (!answer.ok) {
      throw Object.assign(new Error(JSON.stringify(json)), json.error, { status: answer.status });
    }
    return { json, position: answer.headers.get("campaign-position") };
  }

  /** Creates a campaign and returns its id. */
  async create(campaign) {
    const { json } = await this.api("/campaigns", { name: "Test", seed: 1, ...campaign });
    return json.campaignId ?? json.campaign.campaignId;
  }

  act(id, action, body = {}) {
    return this.api(`/campaigns/${id}/${action}`, body);
  }

  async campaign(id) {
    return (await this.api(`/campaigns/${id}`)).json;
  }

  /** Waits until a campaign is in a phase and status. */
  async reaches(id, phase, status, timeoutMs = 60_000) {
    const end = Date.now() + timeoutMs;
    for (;;) {
      const campaign = await this.campaign(id);
      if (campaign.currentPhase === phase && campaign.phaseStatus === status) return campaign;
      if (Date.now() > end) {
        throw new Error(`${id} is ${campaign.currentPhase}/${campaign.phaseStatus}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }

  /** Creates a campaign, generates all its domains and returns its id. */
  async generated(campaign) {
    const id = await this.create(campaign);
    await this.act(id, "start");
    await this.reaches(id, "domain_generation", "completed");
    return id;
  }

  /** Returns the rows of a read-only SQL query on the server's database. */
  async sql(query, ...parameters) {
    const run = promisify(execFile);
    const args = [this.db, query, ...parameters.map(String)];
    const { stdout } = await run(programOf("campaign-sync-sql"), args, { maxBuffer: 1 << 28 });
    return JSON.parse(stdout);
  }
}
