/** Loading of the main module, which reads plain content. */
import * as generated from "../wasm/campaign_sync_bg.js";
import { Loader, type InitInput } from "./module.js";

const loader = new Loader(generated, () => new URL("../wasm/campaign_sync_bg.wasm", import.meta.url), 0);

/**
 * Loads the machine. Call it once, early; later calls wait for the first. After a failure the next
 * call tries again.
 *
 * @param input Where the `.wasm` is: an address, an answer, bytes or a compiled module. If absent, it
 * is taken from beside the package's own files, which bundlers understand.
 */
export function init(input?: InitInput | Promise<InitInput>): Promise<void> {
  return loader.load(input);
}

/** Makes the machine from bytes or a compiled module that are at hand already. */
export function initSync(input: BufferSource | WebAssembly.Module): void {
  loader.loadSync(input);
}
