/**
 * `campaign-sync/original`: the same machine for servers of the original dialect, too. Take `init` from
 * here instead of from `campaign-sync`; everything else stays as it is. The module is larger by the
 * readers of that dialect, so the main one does without them.
 */
import * as generated from "../wasm/original/campaign_sync.js";
import { Loader, type InitInput } from "./module.js";

export type { InitInput };

const loader = new Loader(generated, 2);

/** Loads the machine that speaks both dialects; as `init` of `campaign-sync` otherwise. */
export function init(input?: InitInput | Promise<InitInput>): Promise<void> {
  return loader.load(input);
}

/** Makes the machine that speaks both dialects from bytes or a compiled module that are at hand already. */
export function initSync(input: BufferSource | WebAssembly.Module): void {
  loader.loadSync(input);
}
