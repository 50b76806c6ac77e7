/** Helpers for the plain values that the machine sends and that the application receives. */

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
