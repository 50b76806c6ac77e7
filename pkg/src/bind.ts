/** Handles and clients have two things in common: methods that can be passed on, and `using`. */

/**
 * Binds the methods of an object to it, up to those of `base`. `const { view, subscribe } = campaign` then works, and
 * so does a method that is called through a proxy, such as those of Vue's `ref` and `reactive`.
 */
export function bindMethods(object: object, base: { readonly prototype: object }): void {
  for (let type = object; type !== base.prototype; ) {
    type = Object.getPrototypeOf(type) as object;
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(type))) {
      // The most derived method comes first.
      const isMethod = typeof value === "function" && name !== "constructor" && !Object.hasOwn(object, name);
      if (isMethod) Object.defineProperty(object, name, { value: value.bind(object), configurable: true, writable: true });
    }
  }
}

/** Makes `using` call a method. Some supported browsers are older than `using` and lack the symbol. */
export function disposeBy(prototype: object, method: () => void): void {
  if (typeof Symbol.dispose === "symbol") Object.defineProperty(prototype, Symbol.dispose, { value: method });
}
