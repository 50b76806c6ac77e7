/** Signals of the application, some of which implement only a part of the interface. */
import { invalidArgument, withMethods, type Rule } from "./check.js";
import { callSafely } from "./frame.js";

export const SIGNAL: Rule = [
  (it) => withMethods("addEventListener", "removeEventListener")[0](it) && typeof (it as AbortSignal).aborted === "boolean",
  "an AbortSignal",
];

/**
 * Calls `onAbort` when the signal aborts. Throws `invalid_argument` if the signal is one by its members only.
 * @returns a function that ends it.
 */
export function listen(signal: AbortSignal | undefined, onAbort: () => void): () => void {
  try {
    signal?.addEventListener("abort", onAbort);
  } catch (cause) {
    throw invalidArgument("signal", SIGNAL[1], cause);
  }
  return () => callSafely(() => signal?.removeEventListener("abort", onAbort));
}
