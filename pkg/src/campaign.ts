/** One campaign, watched. */
import type { Channel, Subscription } from "./channel.js";
import type { Core } from "./core.js";
import { CampaignSyncError } from "./errors.js";
import { toPosition, type LogPosition } from "./position.js";
import type { CampaignView, DomainPage, DomainQuery } from "./types.js";
import type { WaitOptions } from "./waits.js";

/**
 * A handle of one campaign. While at least one is held, the campaign is subscribed; after the last
 * `release()` it lingers for a few seconds, so that a page change does not load it again.
 */
export interface Campaign extends Disposable {
  readonly campaignId: string;
  /** The present state, frozen: the same object until something changed. */
  view(): CampaignView;
  /**
   * Calls `listener` once per animation frame in which something changed, however many events there
   * were. What it throws is reported and harms nobody.
   * @returns ends the subscription.
   */
  subscribe(listener: () => void): () => void;
  /** A page of the domain table: filtered, sorted and cut out inside the machine. */
  domains(query?: DomainQuery): DomainPage;
  /**
   * Resolves when the view is at a position, or beyond it. With the `Campaign-Position` header of
   * an answer to a write, the write is visible afterwards.
   * @param position `{epoch, sequenceNumber}` or `"epoch/number"`.
   */
  reached(position: LogPosition | string, options?: WaitOptions): Promise<void>;
  /** Drops the rows that the last snapshot did not bring. */
  discardUnconfirmed(): void;
  /** Gives the handle up. Further calls do nothing. */
  release(): void;
}

/** The handle, as the client makes it. */
export class CampaignHandle implements Campaign {
  declare [Symbol.dispose]: () => void;
  readonly #core: Core;
  readonly #channel: Channel;
  readonly #subscriptions = new Set<Subscription>();
  #released = false;

  static {
    // `using` is younger than the browsers this package runs in; the symbol may not exist.
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
    // The module knows the case and the white space of ASCII only; the engine has the tables for the rest.
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
