/** Reads a store that changes outside React: selections that redraw only what changed, and throttled listeners. */
import { useEffect, useMemo, useRef, useSyncExternalStore } from "react";
import { startTimer } from "../frame.js";

/** Adds a listener, and returns a function that removes it. */
export type Subscribe = (listener: () => void) => () => void;

/** The subscription to nothing. */
export const NEVER: Subscribe = () => () => {};

/**
 * Returns a part of what `read` returns. The component renders again only if the part is no longer equal. A part that is
 * equal stays the same object.
 */
export function useSelected<S, T>(
  subscribe: Subscribe,
  read: () => S,
  readOnServer: () => S,
  select: (source: S) => T,
  equal: (a: T, b: T) => boolean,
): T {
  const committed = useRef<{ readonly value: T } | undefined>(undefined);
  const [get, getOnServer] = useMemo(() => {
    let last: { readonly source: S; readonly value: T } | undefined;
    const part = (source: S): T => {
      if (last !== undefined && Object.is(last.source, source)) return last.value;
      const next = select(source);
      const former = last ?? committed.current;
      const value = former !== undefined && equal(former.value, next) ? former.value : next;
      last = { source, value };
      return value;
    };
    return [() => part(read()), () => part(readOnServer())] as const;
  }, [read, readOnServer, select, equal]);
  const value = useSyncExternalStore(subscribe, get, getOnServer);
  useEffect(() => {
    committed.current = { value };
  }, [value]);
  return value;
}

/** Calls a listener at once, and then at most once in `ms` milliseconds. The last call is never lost. */
export function throttled(subscribe: Subscribe, ms: number): Subscribe {
  if (ms === 0) return subscribe;
  return (listener) => {
    let stopTimer: (() => void) | undefined;
    let due = false;
    const call = (): void => {
      due = false;
      stopTimer = startTimer(ms, () => {
        stopTimer = undefined;
        if (due) call();
      });
      listener();
    };
    const stop = subscribe(() => {
      if (stopTimer === undefined) call();
      else due = true;
    });
    return () => {
      stopTimer?.();
      stop();
    };
  };
}

/**
 * The text that says whether a value of the application is the same as in the last render. A value that JSON lacks
 * becomes `null`, so that the client refuses it.
 */
export function keyOf(value: unknown): string {
  try {
    return JSON.stringify(value, (_, it: unknown) => (/^(bigint|function|symbol)$/.test(typeof it) ? null : it)) ?? "null";
  } catch {
    return "null"; // A cycle, or a getter that throws.
  }
}

/** Whether two plain values have the same content. Anything but lists and plain objects is compared by identity. */
export function isEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (!isPlain(a) || !isPlain(b) || Array.isArray(a) !== Array.isArray(b)) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && isEqual(a[name], b[name]));
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const type: unknown = Object.getPrototypeOf(value);
  return type === Object.prototype || type === Array.prototype || type === null;
}
