/**
 * `campaign-sync/encrypted`: the client for servers that seal their content (docs/ENCRYPTION.md). Import `init` and
 * `CampaignSync` from here; everything else stays as it is. This entry has its own WebAssembly module, which also
 * contains the cipher.
 *
 * @module campaign-sync/encrypted
 */

import { unpack } from "./embedded.js";
import { MODULE } from "./encrypted-embedded.js";
import { glue } from "./encrypted-glue.js";
import { Loader, type InitInput } from "./module.js";

export * from "./sealed.js";

// The priority is above that of the main module, so if both modules are loaded, this one makes the clients.
const loader = new Loader(glue, () => unpack(MODULE), 1);

/**
 * Loads the WebAssembly module for sealed content. It behaves as `init` of `campaign-sync`.
 *
 * @param input The `.wasm` file: its address, a `Request`, a `Response`, its bytes or a compiled module, also as a
 * promise. If absent, the module inside the package is used, without a request.
 */
export function init(input?: InitInput | Promise<InitInput>): Promise<void> {
  return loader.load(input);
}

/** Starts the WebAssembly module from its bytes or from a compiled module. Throws as `init` rejects. */
export function initSync(input: BufferSource | (WebAssembly.Module & object)): void {
  loader.loadSync(input);
}
