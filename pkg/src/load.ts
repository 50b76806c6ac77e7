/**
 * Loading of the WebAssembly module. Importing the package does nothing by itself, so that it can be
 * imported where there is neither a browser nor the compiled file, as when a page is rendered on a server.
 */
import * as generated from "../wasm/campaign_sync.js";
import type { WasmClientConstructor } from "./bridge.js";
import { CampaignSyncError } from "./errors.js";

/** Where the WebAssembly module comes from. */
export type InitInput = string | URL | Request | Response | BufferSource | WebAssembly.Module;

let loading: Promise<void> | undefined;
let ready = false;

/**
 * Loads the machine. Call it once, early; later calls wait for the first. After a failure the next
 * call tries again.
 *
 * @param input Where the `.wasm` is: an address, an answer, bytes or a compiled module. If absent, it
 * is taken from beside the package's own files, which bundlers understand.
 */
export function init(input?: InitInput | Promise<InitInput>): Promise<void> {
  if (ready) return Promise.resolve();
  loading ??= load(input).catch((cause: unknown) => {
    loading = undefined;
    throw new CampaignSyncError("load_failed", { cause });
  });
  return loading;
}

async function load(input: InitInput | Promise<InitInput> | undefined): Promise<void> {
  await generated.default({ module_or_path: input as never });
  ready = true;
}

/** Makes the machine from bytes or a compiled module that are at hand already. */
export function initSync(input: BufferSource | WebAssembly.Module): void {
  if (ready) return;
  try {
    generated.initSync({ module: input as never });
  } catch (cause) {
    throw new CampaignSyncError("load_failed", { cause });
  }
  ready = true;
}

/** The generated class. Throws `not_initialized` before the module is loaded. */
export function wasmClient(): WasmClientConstructor {
  if (!ready) throw new CampaignSyncError("not_initialized");
  return generated.Client as unknown as WasmClientConstructor;
}
