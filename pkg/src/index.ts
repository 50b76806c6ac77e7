/**
 * campaign-sync: keeps a browser's view of a campaign provably continuous with its server's event stream.
 *
 * @module campaign-sync
 */

export * from "./api.js";
export { init, initSync } from "./load.js";
