// Stands in for the generated declarations where the wasm has not been compiled yet: a pattern is
// only consulted when the file itself cannot be found.
declare module "*/campaign_sync.js" {
  export const Client: unknown;
  export function initSync(options: { module: unknown }): unknown;
  export default function init(options: { module_or_path: unknown }): Promise<unknown>;
}
