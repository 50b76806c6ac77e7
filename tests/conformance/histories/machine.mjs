// Runs the Rust machine as a process that answers line by line. Many histories share one process.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

import { programOf } from "../../e2e/lib/program.mjs";

export class MachineProcess {
  constructor() {
    this.process = spawn(programOf("conformance-machine"), { stdio: ["pipe", "pipe", "pipe"] });
    this.waiting = [];
    let errors = "";
    this.process.stderr.on("data", (text) => (errors += text));
    const fail = (cause) => {
      this.dead = new Error(`the machine ended: ${cause} ${errors}`);
      for (const { reject } of this.waiting.splice(0)) reject(this.dead);
    };
    this.process.once("error", fail);
    this.process.once("close", fail);
    this.process.stdin.on("error", () => {});
    createInterface({ input: this.process.stdout }).on("line", (line) => this.waiting.shift().resolve(JSON.parse(line)));
  }

  ask(...command) {
    return new Promise((resolve, reject) => {
      if (this.dead) return reject(this.dead);
      this.waiting.push({ resolve, reject });
      this.process.stdin.write(`${JSON.stringify(command)}\n`);
    });
  }

  stop() {
    this.process.stdin.end();
  }
}
