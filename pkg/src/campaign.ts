/** The public handle of one campaign. */
import type { Channel, Subscription } from "./channel.js";
import type { Core } from "./core.js";
import { CampaignSyncError } from "./errors.js";
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
   * `reportError` and affects nothing else.
   * @returns a function that ends the subscription.
   */
  subscribe(listener: () => void): () => void;
  /**
   * Returns one page of the domain table, filtered and sorted inside the WebAssembly module. Throws
   * `invalid_content` or `integer_out_of_range` for an invalid query.
   */
  domains(query?: DomainQuery): DomainPage;
  /**
   * Resolves when the view is at the position or beyond it, or when a newer log replaced the log of the position.
   * Pass the `Campaign-Position` header of the answer to a write: the view then shows the write.
   *
   * Rejects with `timed_out`, with the reason of `signal`, with `released` or `closed`, with `invalid_content` for a
   * position in neither form, with `too_many` beyond 1,000 open waits of one campaign, and with the code for which
   * the client cannot follow the campaign (`unknown_campaign` once it has ended).
   * @param position `{epoch, sequenceNumber}` or `"epoch/number"`, the form of the header.
   */
  reached(position: LogPosition | string, options?: WaitOptions): Promise<void>;
  /** Drops the unconfirmed rows: those that are kept although the last snapshot lacked them. */
  discardUnconfirmed(): void;
  /** Releases the handle. Further calls do nothing. */
  release(): void;
}

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
    return this.#released ? this.#channel.lastView() : this.#core.view(this.#channel);
  }

  subscribe(listener: () => void): () => void {
    this.#assertHeld();
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
    // The module folds case and trims white space in ASCII only. The JavaScript engine has the Unicode tables.
    const folded = typeof query.search === "string" ? { ...query, search: query.search.trim().toLowerCase() } : query;
    return this.#core.read({ ...folded, read: "domains", campaignId: this.campaignId });
  }

  async reached(position: LogPosition | string, options: WaitOptions = {}): Promise<void> {
    this.#assertHeld();
    const { epoch, sequenceNumber } = toPosition(position);
    await this.#core.waits.wait(this, options, (ticket) =>
      this.#core.command({ command: "reached", campaignId: this.campaignId, epoch, sequenceNumber, ticket }),
    );
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

  #assertHeld(): void {
    if (this.#released) throw new CampaignSyncError("released");
  }
}
