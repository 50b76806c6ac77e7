/// <reference lib="esnext.disposable" preserve="true" />
/** The public handle of one campaign. */
import type { Answers } from "./bridge.js";
import * as Call from "./calls.js";
import { bindMethods, disposeBy } from "./bind.js";
import type { Channel } from "./channel.js";
import type { Core } from "./core.js";
import { checkedRows, PAGE_ROWS, readDomains, readPage } from "./domains.js";
import { CampaignSyncError } from "./errors.js";
import { deepFreeze } from "./plain.js";
import { toPosition, type LogPosition } from "./position.js";
import type { CampaignView, DomainPage, DomainQuery, RowsQuery } from "./types.js";
import type { WaitOptions } from "./waits.js";

/**
 * A handle of one campaign, from `CampaignSync.campaign()`. The campaign is subscribed while it has at least one
 * handle. After the last `release()` it stays subscribed for `lingerMs`, so that a page change does not load it again.
 *
 * The methods need no `this`: `const { view, subscribe } = campaign` works.
 *
 * After `release()`, `subscribe`, `domains` and `discardUnconfirmed` throw `released`, and `reached` rejects with it.
 * After `CampaignSync.close()`, `domains` and `discardUnconfirmed` throw `closed`, and `reached` rejects with it.
 */
export interface Campaign extends Disposable {
  /** The id of the campaign. */
  readonly campaignId: string;
  /**
   * Returns the current view, frozen: the same object until something changes. After `release()` or
   * `CampaignSync.close()` it returns the last view with the status `idle`.
   */
  view(this: void): CampaignView;
  /**
   * Calls `listener` at most once per animation frame, after something changed. An error that it throws goes to
   * `reportError` and affects nothing else. Throws `invalid_argument` if `listener` is not a function.
   * @returns a function that ends the subscription.
   */
  subscribe(this: void, listener: () => void): () => void;
  /**
   * Returns one page of the domain table, frozen, filtered and sorted inside the WebAssembly module: for one query the
   * same object until its rows changed. Its `position` is then that of the read that first saw these rows. Throws
   * `invalid_argument` for an invalid query.
   */
  domains(this: void, query?: DomainQuery): DomainPage;
  /**
   * Returns the next slice of all confirmed rows, as they cross the boundary, for `campaign-sync/cache`: rows that this
   * reader lacks in their present form. After an empty slice it has all of them, and those that were removed.
   * @internal
   */
  slice(this: void, reader: number): Answers[typeof Call.domains];
  /**
   * Iterates over all pages of the domain table, 1,000 rows each and at least one page, filtered and sorted as
   * `domains` does. All pages belong to the `position` of the first one. A `for` loop without `await` reads them in
   * one task, in which nothing changes. Between two tasks the rows may change: the next page then throws
   * `position_changed`, and the application starts again. `[...campaign.rows()]` takes a copy that stays.
   *
   * Throws `invalid_argument` for an invalid query.
   */
  rows(this: void, query?: RowsQuery): Generator<DomainPage, void>;
  /**
   * Resolves when the view is at the position or beyond it, or when a newer log replaced the log of the position.
   * Pass the `Campaign-Position` header of the answer to a write: the view then shows the write.
   *
   * Rejects with `timed_out` after 30 seconds or `timeoutMs`, with the reason of `signal`, with `released` or
   * `closed`, with `signed_out` if another session took over, with `invalid_argument` for a position in neither form, with `too_many` beyond 1,000 open waits of one campaign, and with the code for which
   * the client cannot follow the campaign (`unknown_campaign` once it has ended).
   * @param position `{epoch, sequenceNumber}` or `"epoch/number"`, the form of the header.
   */
  reached(this: void, position: LogPosition | string, options?: WaitOptions): Promise<void>;
  /** Drops the unconfirmed rows: those that are kept although the last snapshot lacked them. */
  discardUnconfirmed(this: void): void;
  /** Releases the handle. Further calls do nothing. */
  release(this: void): void;
}

/** Identifies the rows of a view. A repair changes them without an event, so the position alone does not. */
function rowsOf({ position, domainsCount, domainsDigest, unconfirmedCount }: CampaignView): string {
  return [position?.epoch, domainsCount, domainsDigest, unconfirmedCount].join();
}

/** The implementation of `Campaign`. */
export class CampaignHandle implements Campaign {
  declare [Symbol.dispose]: () => void;
  readonly #core: Core;
  readonly #channel: Channel;
  #released = false;

  static {
    disposeBy(this.prototype, this.prototype.release);
  }

  constructor(core: Core, readonly campaignId: string) {
    this.#core = core;
    this.#channel = core.retain(campaignId);
    bindMethods(this, CampaignHandle);
  }

  view(): CampaignView {
    return this.#released ? this.#core.lastView(this.#channel) : this.#core.view(this.#channel);
  }

  subscribe(listener: () => void): () => void {
    this.#assertHeld();
    return this.#channel.subscribe(this, listener);
  }

  domains(query?: DomainQuery): DomainPage {
    this.#assertHeld();
    return readDomains(this.#core, this.#channel, query) as DomainPage;
  }

  slice(id: number): Answers[typeof Call.domains] {
    return this.#core.read({ call: Call.domains, campaignId: this.campaignId, id });
  }

  rows(query: RowsQuery = {}): Generator<DomainPage, void> {
    this.#assertHeld();
    return this.#pages(checkedRows(query));
  }

  *#pages(query: RowsQuery): Generator<DomainPage, void> {
    const first = this.view();
    for (let offset = 0, total = 1; offset < total; offset += PAGE_ROWS) {
      this.#assertHeld();
      const page = readPage(this.#core, this.#channel, { ...query, offset, limit: PAGE_ROWS });
      if (rowsOf(this.view()) !== rowsOf(first)) throw new CampaignSyncError("position_changed");
      yield deepFreeze({ position: first.position, ...page, pending: false });
      ({ total } = page);
    }
  }

  async reached(position: LogPosition | string, options: WaitOptions = {}): Promise<void> {
    this.#assertHeld();
    const { epoch, sequenceNumber } = toPosition(position);
    const { campaignId } = this;
    await this.#core.waits.wait(this, options, {
      ask: (ticket) => this.#core.command({ call: Call.reached, campaignId, text: epoch, number: sequenceNumber, id: ticket }),
      cancel: (ticket) => this.#core.command({ call: Call.cancelWait, campaignId, id: ticket }),
    });
  }

  discardUnconfirmed(): void {
    this.#assertHeld();
    this.#core.command({ call: Call.discardUnconfirmed, campaignId: this.campaignId });
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#channel.unsubscribe(this);
    this.#core.waits.rejectAll("released", this);
    this.#core.release(this.#channel);
  }

  #assertHeld(): void {
    if (this.#released) throw new CampaignSyncError("released");
  }
}
