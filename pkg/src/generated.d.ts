// The part of wasm-bindgen's generated JavaScript that the package uses. `bridge.ts` declares the class.
declare module "*/campaign_sync_bg.js" {
  export const Client: unknown;
  export function __wbg_set_wasm(exports: WebAssembly.Exports): void;
}
