/** Promises that the machine settles later, identified by ticket. */
import { checkedMembers, DURATION, type Rules } from "./check.js";
import { CampaignSyncError, isErrorCode } from "./errors.js";
import { listen, SIGNAL } from "./signal.js";
import { startTimer } from "./frame.js";
import type { ErrorCode } from "./words.js";

/** The limits of a wait. */
export interface WaitOptions {
  /** When the signal aborts, the wait rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Milliseconds after which the wait rejects with `timed_out`; 30,000 if absent. `Infinity` waits without a limit. */
  timeoutMs?: number;
}

const TIMEOUT_MS = 30_000;

/** The machine's side of a wait. */
export interface WaitRequests {
  /** Passes the ticket to the machine, which may settle it at once. */
  ask(ticket: number): void;
  /** Gives the wait up. */
  cancel(ticket: number): void;
}

export const RULES: Rules<WaitOptions> = {
  signal: SIGNAL,
  timeoutMs: DURATION,
};

interface Wait {
  readonly owner: object;
  /** Settles the promise. Returns whether the wait was open. */
  readonly end: (failure?: { readonly reason: unknown }) => boolean;
  readonly giveUp: (reason: unknown) => void;
}

/** The open waits of one client. */
export class Waits {
  readonly #open = new Map<number, Wait>();
  #lastTicket = 0;

  /** Opens a wait for `owner`. A wait that ends without the machine's answer is given up there at once. */
  wait(owner: object, options: WaitOptions, requests: WaitRequests): Promise<void> {
    const { signal, timeoutMs = TIMEOUT_MS } = checkedMembers("options", options, RULES);
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason);
      const ticket = ++this.#lastTicket;
      const stopListening = listen(signal, () => giveUp(signal?.reason));
      const stopTimer = startTimer(timeoutMs, () => giveUp(new CampaignSyncError("timed_out")));
      const end: Wait["end"] = (failure) => {
        if (!this.#open.delete(ticket)) return false;
        stopTimer();
        stopListening();
        if (failure === undefined) resolve();
        else reject(failure.reason);
        return true;
      };
      const giveUp: Wait["giveUp"] = (reason) => void (end({ reason }) && requests.cancel(ticket));
      this.#open.set(ticket, { owner, end, giveUp });
      try {
        requests.ask(ticket);
      } catch (reason) {
        end({ reason });
      }
    });
  }

  /** Takes the machine's answer: `null` resolves the wait, a code rejects it. Ignores the ticket of a wait that ended. */
  settle(ticket: number, code: string | null): void {
    const failure = code === null ? undefined : { reason: new CampaignSyncError(isErrorCode(code) ? code : "internal") };
    this.#open.get(ticket)?.end(failure);
  }

  /** Rejects the waits of `owner`, or all waits without an owner given. The machine then no longer exists. */
  rejectAll(code: ErrorCode, owner?: object): void {
    for (const wait of [...this.#open.values()]) {
      const reason = new CampaignSyncError(code);
      if (owner === undefined) wait.end({ reason });
      else if (wait.owner === owner) wait.giveUp(reason);
    }
  }
}
