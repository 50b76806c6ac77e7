/// <reference lib="esnext.disposable" preserve="true" />
/** The public handle of one campaign. */
import type { Channel, Subscription } from "./channel.js";
import { checked, checkedMembers, COUNT, FUNCTION, oneOf, TEXT, type Rules } from "./check.js";
import type { Core } from "./core.js";
import { CampaignSyncError } from "./errors.js";
import { deepFreeze } from "./plain.js";
import { toPosition, type LogPosition } from "./position.js";
import type { CampaignView, DomainPage, DomainQuery } from "./types.js";
import type { WaitOptions } from "./waits.js";

/**
 * A handle of one campaign, from `CampaignSync.campaign()`. The campaign is subscribed while it has at least one
 * handle. After the last `release()` it stays subscribed for `lingerMs`, so that a page change does not load it again.
 *
 * After `release()`, `subscribe`, `domains` and `discardUnconfirmed` throw `released`, and `reached` rejects with it.
 * After `CampaignSync.close()`, `domains` and `discardUnconfirmed` throw `closed`, and `reached` rejects with it.
 */
export interface Campaign extends Disposable {
  readonly campaignId: string;
  /**
   * Returns the current view, frozen: the same object until something changes. After `release()` or
   * `CampaignSync.close()` it returns the last view with the status `idle`.
   */
  view(): CampaignView;
  /**
   * Calls `listener` at most once per animation frame, after something changed. An error that it throws goes to
   * `reportError` and affects nothing else. Throws `invalid_argument` if `listener` is no function.
   * @returns a function that ends the subscription.
   */
  subscribe(listener: () => void): () => void;
  /**
   * Returns one page of the domain table, frozen, filtered and sorted inside the WebAssembly module. Throws
   * `invalid_argument` for an invalid query.
   */
  domains(query?: DomainQuery): DomainPage;
  /**
   * Resolves when the view is at the position or beyond it, or when a newer log replaced the log of the position.
   * Pass the `Campaign-Position` header of the answer to a write: the view then shows the write.
   *
   * Rejects with `timed_out` after 30 seconds or `timeoutMs`, with the reason of `signal`, with `released` or
   * `closed`, with `signed_out` if another session took over, with `invalid_argument` for a position in neither form, with `too_many` beyond 1,000 open waits of one campaign, and with the code for which
   * the client cannot follow the campaign (`unknown_campaign` once it has ended).
   * @param position `{epoch, sequenceNumber}` or `"epoch/number"`, the form of the header.
   */
  reached(position: LogPosition | string, options?: WaitOptions): Promise<void>;
  /** Drops the unconfirmed rows: those that are kept although the last snapshot lacked them. */
  discardUnconfirmed(): void;
  /** Releases the handle. Further calls do nothing. */
  release(): void;
}

const QUERY: Rules<DomainQuery> = {
  offset: COUNT,
  limit: COUNT,
  search: TEXT,
  dnsStatus: TEXT,
  httpStatus: TEXT,
  leadStatus: TEXT,
  sortBy: oneOf("offset", "domain", "dnsStatus", "httpStatus", "leadScore"),
  sortOrder: oneOf("asc", "desc"),
};

/** The implementation of `Campaign`. */
export class CampaignHandle implements Campaign {
  declare [Symbol.dispose]: () => void;
  readonly #core: Core;
  readonly #channel: Channel;
  readonly #subscriptions = new Set<Subscription>();
  #released = false;

  static {
    // Some supported browsers are older than `using` and lack the symbol.
    if (typeof Symbol.dispose === "symbol") {
      Object.defineProperty(this.prototype, Symbol.dispose, { value: this.prototype.release });
    }
  }

  constructor(core: Core, campaignId: string) {
    this.#core = core;
    this.#channel = core.retain(campaignId);
  }

  get campaignId(): string {
    return this.#channel.campaignId;
  }

  view(): CampaignView {
    return this.#released ? this.#core.lastView(this.#channel) : this.#core.view(this.#channel);
  }

  subscribe(listener: () => void): () => void {
    this.#assertHeld();
    checked("listener", listener, FUNCTION);
    const subscription: Subscription = { notify: listener };
    this.#channel.subscriptions.add(subscription);
    this.#subscriptions.add(subscription);
    return () => {
      this.#channel.subscriptions.delete(subscription);
      this.#subscriptions.delete(subscription);
    };
  }

  domains(query: DomainQuery = {}): DomainPage {
    this.#assertHeld();
    const { search, ...others } = checkedMembers("query", query, QUERY);
    const { campaignId } = this;
    // The module folds ASCII only. The JavaScript engine has the tables of Unicode.
    const folded = folding(search?.trim() ?? "");
    if (folded !== "") this.#foldNames(campaignId);
    return deepFreeze(this.#core.read({ ...others, search: folded, read: "domains", campaignId }));
  }

  async reached(position: LogPosition | string, options: WaitOptions = {}): Promise<void> {
    this.#assertHeld();
    const { epoch, sequenceNumber } = toPosition(position);
    const { campaignId } = this;
    await this.#core.waits.wait(this, options, {
      ask: (ticket) => this.#core.command({ command: "reached", campaignId, epoch, sequenceNumber, id: ticket }),
      cancel: (ticket) => this.#core.command({ command: "cancelWait", campaignId, id: ticket }),
    });
  }

  discardUnconfirmed(): void {
    this.#assertHeld();
    this.#core.command({ command: "discardUnconfirmed", campaignId: this.campaignId });
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    for (const subscription of this.#subscriptions) this.#channel.subscriptions.delete(subscription);
    this.#subscriptions.clear();
    this.#core.waits.rejectAll("released", this);
    this.#core.release(this.#channel);
  }

  /** Folds the names that the module has not seen before, all in one call. */
  #foldNames(campaignId: string): void {
    const unfolded = this.#core.read({ read: "unfolded", campaignId });
    if (unfolded.length === 0) return;
    const text = unfolded.flatMap((name) => [name, folding(name)]).join("\0");
    this.#core.command({ command: "fold", campaignId, text });
  }

  #assertHeld(): void {
    if (this.#released) throw new CampaignSyncError("released");
  }
}

/** Makes upper and lower case equal. Some letters have one upper case and two lower cases, or the other way round. */
function folding(text: string): string {
  return text.toLowerCase().toUpperCase().toLowerCase().replaceAll("ς", "σ");
}
