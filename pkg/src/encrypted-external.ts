/**
 * `campaign-sync/encrypted/external`: `campaign-sync/encrypted` without the WebAssembly module inside.
 *
 * @module campaign-sync/encrypted/external
 */

import { beside } from "./beside.js";
import { glue } from "./encrypted-glue.js";
import { Loader, type InitInput } from "./module.js";

export * from "./sealed.js";

// The priority is above that of the main module, so if both modules are loaded, this one makes the clients.
const loader = new Loader(glue, () => beside(new URL("../encrypted/campaign_sync_bg.wasm", import.meta.url)), 1);

/**
 * Loads the WebAssembly module for sealed content. It behaves as `init` of `campaign-sync`.
 *
 * @param input The `.wasm` file: its address, a `Request`, a `Response`, its bytes or a compiled module, also as a
 * promise. If absent, the file beside the package's own files is loaded; not every bundler copies it.
 */
export function init(input?: InitInput | Promise<InitInput>): Promise<void> {
  return loader.load(input);
}

/** Starts the WebAssembly module from its bytes or from a compiled module. Throws as `init` rejects. */
export function initSync(input: BufferSource | (WebAssembly.Module & object)): void {
  loader.loadSync(input);
}
