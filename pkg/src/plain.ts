/** Helpers for the plain values that the machine sends and that the application receives. */

/**
 * Returns a copy without members that are `null`. The machine writes `null` for an absent value. In the public types
 * an optional member is absent instead, so that callers only test for `undefined`.
 */
export function withoutNulls<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== null && member !== undefined)) as T;
}

/** Copies lists and plain objects, and freezes the copies. Any other object stays as it is. */
export function frozenCopy<T>(value: T): T {
  if (Array.isArray(value)) return Object.freeze(value.map(frozenCopy)) as T;
  if (Object.prototype.toString.call(value) !== "[object Object]") return value;
  return Object.freeze(Object.fromEntries(Object.entries(value as object).map(([name, member]) => [name, frozenCopy(member)]))) as T;
}

/** Freezes a plain value and all values inside it. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const member of Object.values(value)) deepFreeze(member);
  }
  return value;
}
