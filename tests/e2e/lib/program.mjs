// Finds the programs of this repository that tests start.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
const BUILD = "cargo build --package campaign-sync-harness --package campaign-sync-support";

/** Returns the path of a program. Throws an error with the command that builds it if it is missing. */
export function programOf(name, directory = target) {
  const path = join(directory, "debug", name);
  if (!existsSync(path)) throw new Error(`${path} is missing. Build it: ${BUILD}`);
  return path;
}
