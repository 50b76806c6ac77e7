/** Asks the application to renew a refused session: once for all clients of the page, and for all tabs that can tell. */
import { invalidArgument } from "./check.js";
import { platform } from "./platform.js";
import { shared } from "./shared.js";
import { startTimer } from "./frame.js";

/** The argument of `onUnauthorized`. */
export interface RenewalRequest {
  /** Refusals in a row, from 1. */
  readonly attempt: number;
  /** Aborts when the client no longer waits for the answer: after 15 s, and when the connection is closed. */
  readonly signal: AbortSignal;
}

/** The longest time for which a tab that waited for another one's answer listens for it, in milliseconds. */
const ANSWER_MS = 200;

/** Renews the session, because a request over REST was refused. Resolves to whether the request may succeed now. */
type Renew = () => Promise<boolean>;

/** The renewals by their client. A cache of one copy of the package may belong to a client of another copy. */
function renewers(): WeakMap<object, Renew> {
  return shared("renewers", () => new WeakMap());
}

/** Lets the caches of `source` renew its session. */
export function offerRenewal(source: object, renew: Renew): void {
  renewers().set(source, renew);
}

/** The renewal that `source` offers. */
export function renewalOf(source: object): Renew | undefined {
  return renewers().get(source);
}

/** Calls `request`. If the server refuses the session, renews it and calls `request` again, once. */
export async function withRenewal<T>(renew: Renew | undefined, request: () => Promise<T>): Promise<T> {
  try {
    return await request();
  } catch (error) {
    if (renew === undefined || !isUnauthorized(error) || !(await renew())) throw error;
    return request();
  }
}

/** Whether the server refused the session. The refusal may be the cause of the error. */
export function isUnauthorized(error: unknown): boolean {
  const { code, cause } = Object(error) as { code?: unknown; cause?: unknown };
  return code === "unauthorized" || (cause !== undefined && isUnauthorized(cause));
}

/**
 * Calls `ask` in one tab at a time, and lets the tabs that waited share its answer. A browser without Web Locks asks in
 * each tab. Rejects if `ask` fails or answers something else than a boolean, and when `signal` aborts.
 */
export async function askOnce(name: string, ask: () => unknown, signal: AbortSignal): Promise<boolean> {
  const { locks } = (platform.navigator ?? {}) as { locks?: LockManager };
  const asked = (): Promise<boolean> => abortable(answerOf(ask), signal);
  if (locks === undefined) return asked();
  const channel = openChannel(name);
  const heard = new Promise<unknown>((resolve) => {
    if (channel !== undefined) channel.onmessage = ({ data }) => resolve(data);
  });
  const lead = async (): Promise<boolean> => {
    try {
      const answer = await asked();
      channel?.postMessage(answer);
      return answer;
    } catch (error) {
      channel?.postMessage(null);
      throw error;
    }
  };
  const follow = async (): Promise<boolean> => {
    // The answer may still be on its way. A tab that closed while it was asked gives none.
    const answer = await Promise.race([heard, after(ANSWER_MS)]);
    return answer === undefined ? lead() : heardAnswer(answer);
  };
  try {
    const led = await locks.request(name, { ifAvailable: true }, async (lock) => (lock === null ? undefined : { answer: await lead() }));
    return led === undefined ? await locks.request(name, { signal }, follow) : led.answer;
  } finally {
    channel?.close();
  }
}

/** The answer that another tab got; it sends `null` if it failed. */
function heardAnswer(answer: unknown): boolean {
  if (typeof answer !== "boolean") throw new Error("`onUnauthorized` failed in another tab.");
  return answer;
}

async function answerOf(ask: () => unknown): Promise<boolean> {
  const answer = await ask();
  if (typeof answer !== "boolean") throw invalidArgument("The answer of `onUnauthorized`", "true or false");
  return answer;
}

/** Rejects when the signal aborts, so that an answer that never comes keeps no lock. */
function abortable<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    answer.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

function openChannel(name: string): BroadcastChannel | undefined {
  try {
    return new BroadcastChannel(name);
  } catch {
    return undefined; // The platform has none, or allows none to this page.
  }
}

function after(ms: number): Promise<undefined> {
  return new Promise((resolve) => startTimer(ms, () => resolve(undefined)));
}
