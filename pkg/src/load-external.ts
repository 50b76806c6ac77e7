/** Loads the main WebAssembly module, which reads plain content, from beside the package's own files. */
import { beside } from "./beside.js";
import { glue } from "./main-glue.js";
import { Loader, type InitInput } from "./module.js";

const loader = new Loader(glue, () => beside(new URL("../campaign_sync_bg.wasm", import.meta.url)), 0);

/**
 * Loads the WebAssembly module. Call it once, early; every call returns the same promise. Rejects with
 * `unsupported_browser` on an engine that lacks a feature, with `load_failed` for any other failure, and with
 * `invalid_argument` for any other input; after a failure the next call tries again. It has no deadline, because a
 * download may be slow: race it with one, and use `initSync()` if the input does not arrive.
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
