/** Promises that the machine settles later, identified by ticket. */
import { CampaignSyncError, isErrorCode, type ErrorCode } from "./errors.js";

/** The limits of a wait. */
export interface WaitOptions {
  /** When the signal aborts, the wait rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Milliseconds after which the wait rejects with `timed_out`; no limit if absent. */
  timeoutMs?: number;
}

interface Wait {
  readonly owner: object;
  readonly end: (failure?: { readonly reason: unknown }) => void;
}

/** The open waits of one client. */
export class Waits {
  readonly #open = new Map<number, Wait>();
  #lastTicket = 0;

  /** Opens a wait for `owner`. `ask` passes the ticket to the machine, which may settle it at once. */
  wait(owner: object, options: WaitOptions, ask: (ticket: number) => void): Promise<void> {
    const { signal, timeoutMs } = options;
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason);
      const ticket = ++this.#lastTicket;
      const onAbort = (): void => end({ reason: signal?.reason });
      const onTimeout = (): void => end({ reason: new CampaignSyncError("timed_out") });
      const timer = timeoutMs === undefined ? undefined : setTimeout(onTimeout, timeoutMs);
      const end: Wait["end"] = (failure) => {
        if (!this.#open.delete(ticket)) return;
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        if (failure === undefined) resolve();
        else reject(failure.reason);
      };
      signal?.addEventListener("abort", onAbort);
      this.#open.set(ticket, { owner, end });
      try {
        ask(ticket);
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

  /** Rejects the waits of `owner`, or all waits without an owner given. */
  rejectAll(code: ErrorCode, owner?: object): void {
    for (const wait of [...this.#open.values()]) {
      if (owner === undefined || wait.owner === owner) wait.end({ reason: new CampaignSyncError(code) });
    }
  }
}
