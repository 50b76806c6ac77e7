/**
 * `campaign-sync/external`: `campaign-sync` without the WebAssembly module inside. The module is a file beside the code.
 *
 * @module campaign-sync/external
 */

export * from "./api.js";
export { init, initSync } from "./load-external.js";
