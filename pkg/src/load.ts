/** Loads the main WebAssembly module, which reads plain content. */
import * as generated from "../wasm/campaign_sync_bg.js";
import { Loader, type InitInput } from "./module.js";

const loader = new Loader(generated, () => new URL("../wasm/campaign_sync_bg.wasm", import.meta.url), 0);

/**
 * Loads the WebAssembly module. Call it once, early; later calls wait for the first. Rejects with `load_failed`, and
 * with `invalid_argument` for any other input; after a failure the next call tries again.
 *
 * @param input The `.wasm` file: its address, a `Request`, a `Response`, its bytes or a compiled module, also as a
 * promise. If absent, the file beside the package's own files is loaded; bundlers understand this.
 */
export function init(input?: InitInput | Promise<InitInput>): Promise<void> {
  return loader.load(input);
}

/** Starts the WebAssembly module from its bytes or from a compiled module. Throws `load_failed`, and `invalid_argument` for any other input. */
export function initSync(input: BufferSource | WebAssembly.Module): void {
  loader.loadSync(input);
}
