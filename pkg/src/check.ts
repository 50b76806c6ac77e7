/** Checks what the application passes in, because types do not hold at run time. */
import { CampaignSyncError } from "./errors.js";

/** A test of a value, and the words for the values that pass it. */
export type Rule = readonly [test: (value: unknown) => boolean, expected: string];

/** One rule for each member. */
export type Rules<T> = { readonly [K in keyof Required<T>]: Rule };

export const TEXT: Rule = [(it) => typeof it === "string", "a text"];
export const FUNCTION: Rule = [(it) => typeof it === "function", "a function"];
export const COUNT: Rule = [(it) => Number.isSafeInteger(it) && (it as number) >= 0, "a whole number from 0"];
export const DURATION: Rule = [(it) => typeof it === "number" && it >= 0, "a number of milliseconds from 0; Infinity is allowed"];

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
  if (!test(value)) throw invalidArgument(name, expected);
  return value;
}

/**
 * Copies the members of an object of options, and reads each of them once. An absent member stays absent. Throws
 * `invalid_argument` if a member breaks its rule, or cannot be read.
 */
export function checkedMembers<T extends object>(name: string, value: T, rules: Rules<T>): T {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalidArgument(name, "an object");
  const copy: Record<string, unknown> = {};
  for (const [member, rule] of Object.entries<Rule>(rules)) {
    let found: unknown;
    try {
      found = (value as Record<string, unknown>)[member];
    } catch (cause) {
      throw invalidArgument(member, rule[1], cause);
    }
    if (found !== undefined) copy[member] = checked(member, found, rule);
  }
  return copy as T;
}
