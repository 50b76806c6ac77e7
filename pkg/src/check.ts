/** Checks what the application passes in, because types do not hold at run time. */
import { CampaignSyncError } from "./errors.js";

/** A test of a value, and the words for the values that pass it. */
export type Rule = readonly [test: (value: unknown) => unknown, expected: string];

/** One rule for each member. */
export type Rules<T> = { readonly [K in keyof Required<T>]: Rule };

export const TEXT: Rule = [(it) => typeof it === "string" && !/\p{Surrogate}/u.test(it), "a well-formed text"];
export const FUNCTION: Rule = [(it) => typeof it === "function", "a function"];
export const COUNT: Rule = [(it) => Number.isSafeInteger(it) && (it as number) >= 0, "a whole number from 0"];
export const CLOSE_CODE: Rule = [(it) => COUNT[0](it) && (it as number) <= 65_535, "a whole number from 0 to 65535"];
export const DURATION: Rule = [(it) => typeof it === "number" && it >= 0, "milliseconds from 0, or Infinity"];

/** The rule for one of these words. */
export function oneOf(...words: string[]): Rule {
  return [(it) => words.includes(it as string), words.join(" or ")];
}

/** The rule that also allows `null`. */
export function orNull([test, expected]: Rule): Rule {
  return [(it) => it === null || test(it), `${expected}, or null`];
}

/** The error for an argument that breaks its rule. */
export function invalidArgument(name: string, expected: string, cause?: unknown): CampaignSyncError {
  return new CampaignSyncError("invalid_argument", { message: `${name} must be ${expected}.`, cause });
}

/** Returns the value. Throws `invalid_argument` if it breaks the rule. */
export function checked<T>(name: string, value: T, [test, expected]: Rule): T {
  let sound: unknown;
  let cause: unknown;
  try {
    sound = test(value);
  } catch (error) {
    cause = error; // A member that the test reads may be a getter that throws.
  }
  if (!sound) throw invalidArgument(name, expected, cause);
  return value;
}

/** The rule for an object with these methods. */
export function withMethods(...names: string[]): Rule {
  return [
    (it) => names.every((name) => typeof (it as Record<string, unknown> | null)?.[name] === "function"),
    `an object with ${names.join(", ")}`,
  ];
}

/**
 * Copies the members of an object of options, and reads each of them once. An absent member stays absent. Throws
 * `invalid_argument` if a member breaks its rule or cannot be read, and for a member without a rule, which is misspelt.
 * Only an `open` object may have such members.
 */
export function checkedMembers<T extends object>(name: string, value: T, rules: Rules<T>, open = false): T {
  checked(name, value, [(it) => typeof it === "object" && !Array.isArray(it) && Object.keys(it as object), "an object"]);
  const known = new Map(Object.entries<Rule>(rules));
  const names = [...known.keys()];
  const copy: Record<string, unknown> = {};
  for (const member of new Set(open ? names : [...names, ...Object.keys(value)])) {
    const [test, expected] = known.get(member) ?? [() => false, `absent. Known: ${names.join(", ")}`];
    // The member may be a getter that throws, and is read once.
    let found: unknown;
    checked(member, value, [(it) => (found = (it as Record<string, unknown>)[member]) === undefined || test(found), expected]);
    if (found !== undefined) copy[member] = found;
  }
  return copy as T;
}

/** The bytes of a buffer or a view, of any realm. Throws `invalid_argument` for any other value. */
export function bytesOf(frame: unknown): Uint8Array {
  try {
    if (ArrayBuffer.isView(frame)) return new Uint8Array(frame.buffer, frame.byteOffset, frame.byteLength);
    if (/^\[object (Shared)?ArrayBuffer]$/.test(Object.prototype.toString.call(frame))) return new Uint8Array(frame as ArrayBuffer);
  } catch {
    // A detached buffer has no bytes.
  }
  throw invalidArgument("frame", "a text, a buffer or a view of one");
}
