/** Runs the commands of consumers. Each has its own process group, which is ended as a whole. */
import { spawn } from "node:child_process";

/** Telemetry and update checks of the tools, all off. */
const QUIET = {
  ASTRO_TELEMETRY_DISABLED: "1", CI: "1", DENO_NO_UPDATE_CHECK: "1", DO_NOT_TRACK: "1", NEXT_TELEMETRY_DISABLED: "1",
  NG_CLI_ANALYTICS: "false", NO_COLOR: "1", NO_UPDATE_NOTIFIER: "1", NUXT_TELEMETRY_DISABLED: "1", PARCEL_DISABLE_TELEMETRY: "1",
};

/** Runs a command to its end and returns its output. Throws an error with the output if it fails or takes too long. */
export async function run(command, { cwd, env = {}, seconds = 300 }) {
  const running = start(command, { cwd, env });
  const timer = setTimeout(() => running.stop(), seconds * 1_000);
  const code = await running.exited;
  clearTimeout(timer);
  if (code !== 0) throw new Error(`\`${command.join(" ")}\` ended with ${code}:\n${tail(running.output())}`);
  return running.output();
}

/** Starts a command. `stop` ends its process group. */
export function start([program, ...values], { cwd, env = {} }) {
  const child = spawn(program, values, { cwd, env: { ...process.env, ...QUIET, ...env }, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
  const exited = new Promise((resolve) => {
    child.once("error", (error) => ((output += error), resolve(error.code)));
    child.once("close", (code, signal) => resolve(code ?? signal));
  });
  const stop = async () => {
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // It has ended.
    }
    await exited;
  };
  return { exited, stop, output: () => output };
}

/** The end of an output. */
export function tail(output, lines = 40) {
  return output.trim().split("\n").slice(-lines).join("\n");
}
