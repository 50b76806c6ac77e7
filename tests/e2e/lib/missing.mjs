// Runs a test file where no program is built.

import { execFile } from "node:child_process";

/** Runs a test file without the programs of this repository. Returns its exit code and its output. */
export function runWithoutPrograms(file) {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  return new Promise((resolve) => {
    execFile(process.execPath, ["--test", file], { env: { ...env, CARGO_TARGET_DIR: "/nonexistent" } }, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, output: `${stdout}${stderr}` }));
  });
}
