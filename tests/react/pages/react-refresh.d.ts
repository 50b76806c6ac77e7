/** The part of Fast Refresh that the pages use. */
declare module "react-refresh/runtime" {
  export function injectIntoGlobalHook(global: Window): void;
  export function register(type: unknown, id: string): void;
  export function setSignature(type: unknown, key: string, forceReset: boolean): void;
  export function performReactRefresh(): void;
}
