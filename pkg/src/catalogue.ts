/** The public handle of the list of all campaigns that the session may see. */
import * as Call from "./calls.js";
import { bindMethods, disposeBy } from "./bind.js";
import { checkedMembers, TEXT, type Rule } from "./check.js";
import type { Core } from "./core.js";
import { CampaignSyncError } from "./errors.js";
import { EMPTY, selected, type CatalogueChannel } from "./listing.js";
import type { CatalogueView } from "./types.js";

/**
 * A handle of the list of campaigns, from `CampaignSync.campaigns()`. All handles share one subscription. It stays for
 * `lingerMs` after the last `release()`. The methods need no `this`: `const { view, subscribe } = list` works.
 */
export interface Catalogue extends Disposable {
  /**
   * Returns the current view, frozen: the same object until it changes. After `release()` or `CampaignSync.close()` it
   * returns the last view with the status `idle`.
   */
  view(this: void): CatalogueView;
  /**
   * Calls `listener` at most once per animation frame, after the list or its status changed. With `ids` the change may
   * be of another campaign; the view is then the same object. An error that the listener throws goes to `reportError`.
   * Throws `invalid_argument` if `listener` is not a function, and `released` after `release()`.
   * @returns a function that ends the subscription.
   */
  subscribe(this: void, listener: () => void): () => void;
  /** Releases the handle. Further calls do nothing. */
  release(this: void): void;
}

/** The options of `CampaignSync.campaigns()`. */
export interface CatalogueOptions {
  /** Only these campaigns, as far as the session may see them; all if absent. */
  ids?: readonly string[];
}

const TEXTS: Rule = [(it) => Array.isArray(it) && it.every((text) => TEXT[0](text)), "a list of texts"];

/** The implementation of `Catalogue`. */
export class CatalogueHandle implements Catalogue {
  declare [Symbol.dispose]: () => void;
  readonly #core: Core;
  readonly #channel: CatalogueChannel;
  readonly #ids: ReadonlySet<string> | undefined;
  /** The view of the whole list from which the own one was made, and the own one. */
  #whole: CatalogueView | undefined;
  #own = EMPTY;
  #released = false;
  /** The session that the own view belongs to. */
  #session: object;

  static {
    disposeBy(this.prototype, this.prototype.release);
  }

  constructor(core: Core, options: CatalogueOptions) {
    this.#core = core;
    const { ids } = checkedMembers("options", options, { ids: TEXTS });
    this.#ids = ids && new Set(ids);
    this.#channel = core.retainCatalogue();
    this.#session = core.session;
    bindMethods(this, CatalogueHandle);
  }

  view(): CatalogueView {
    if (this.#session !== this.#core.session) {
      this.#session = this.#core.session;
      [this.#whole, this.#own] = [undefined, EMPTY];
    }
    if (this.#released || this.#core.closed) {
      if (this.#own.status !== "idle") {
        const { staleReason: _, code: __, ...view } = this.#own;
        this.#own = Object.freeze({ ...view, status: "idle" });
      }
      return this.#own;
    }
    const whole = this.#core.catalogueView(this.#channel);
    if (whole !== this.#whole) {
      this.#whole = whole;
      this.#own = this.#ids === undefined ? whole : selected(whole, this.#ids, this.#own);
    }
    return this.#own;
  }

  subscribe(listener: () => void): () => void {
    if (this.#released) throw new CampaignSyncError("released");
    return this.#channel.subscribe(this, listener);
  }

  release(): void {
    if (this.#released) return;
    if (!this.#core.closed) this.view();
    this.#released = true;
    this.#channel.unsubscribe(this);
    this.#core.release(this.#channel, Call.releaseCatalogue);
  }
}
