/** Promises that the machine settles later, by ticket. */
import { CampaignSyncError, isErrorCode, type ErrorCode } from "./errors.js";

/** How long a wait may last. */
export interface WaitOptions {
  /** Rejects with the signal's reason when it aborts. */
  signal?: AbortSignal;
  /** Rejects with `timed_out` after so many milliseconds. */
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

  /** Opens a wait for `owner`; `ask` hands its ticket to the machine and may settle it at once. */
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

  /** The machine's answer. A ticket that was given up is unknown here, and the answer is dropped. */
  settle(ticket: number, code: string | null): void {
    const failure = code === null ? undefined : { reason: new CampaignSyncError(isErrorCode(code) ? code : "internal") };
    this.#open.get(ticket)?.end(failure);
  }

  /** Rejects what `owner` waits for, or everything. */
  rejectAll(code: ErrorCode, owner?: object): void {
    for (const wait of [...this.#open.values()]) {
      if (owner === undefined || wait.owner === owner) wait.end({ reason: new CampaignSyncError(code) });
    }
  }
}
