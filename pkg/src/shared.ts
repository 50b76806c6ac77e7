/**
 * State that must exist once on a page, although the page may load several copies of the package: its ESM and its
 * CommonJS form, or two bundles that each contain it. It lives on the global object, under a registered symbol.
 */

const local: Record<string, object> = {};

/** Returns the state of this name. Its first use, and never an import, creates it. */
export function shared<T extends object>(name: string, create: () => T): T {
  const key = Symbol.for(`campaign-sync.${name}`);
  const found = (globalThis as Record<symbol, unknown>)[key] ?? local[name];
  if (found !== undefined) return found as T;
  const value = (local[name] = create());
  // On a frozen global object this has no effect, and each copy keeps its own state.
  Reflect.defineProperty(globalThis, key, { value, configurable: true });
  return value;
}
