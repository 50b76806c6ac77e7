/** Finds the modules that lie beside the code. */
import type { InitInput } from "./module.js";
import { platform } from "./platform.js";

/** Returns the file as `init` takes it. Node's `fetch` refuses `file:`, so Node reads the file. */
export function beside(file: URL): URL | Promise<InitInput> {
  const isFile = file.protocol === "file:";
  return (isFile && platform.process?.getBuiltinModule?.("fs/promises").readFile(file)) || file;
}
