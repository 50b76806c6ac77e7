/** The public client: one connection, any number of campaigns. */
import { CampaignHandle, type Campaign } from "./campaign.js";
import { Core } from "./core.js";
import { CampaignSyncError } from "./errors.js";
import { Dispatcher, type CacheInvalidatedDetail, type CampaignSyncEventType, type CampaignSyncListener } from "./events.js";
import { callSafely } from "./frame.js";
import { announceInvalidation } from "./invalidation.js";
import { wasmClient } from "./module.js";
import { PageEvents } from "./page.js";
import { encoded } from "./text.js";
import type { CampaignStatus, CampaignSyncOptions, CampaignView, Metrics } from "./types.js";
import type { ClientOptions, Command } from "./bridge.js";

/** Typed listening; see `CampaignSyncEventMap` for the events. */
export interface CampaignSync {
  addEventListener<K extends CampaignSyncEventType>(
    type: K,
    listener: CampaignSyncListener<K> | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<K extends CampaignSyncEventType>(
    type: K,
    listener: CampaignSyncListener<K> | null,
    options?: boolean | EventListenerOptions,
  ): void;
}

/**
 * Keeps campaigns continuous with their server.
 *
 * `await init()` comes first. Without a `url` the transport is yours: set `onsend`, and hand what
 * arrives to `receive()`. It counts as open until you say `closed()`; with the option
 * `transport: "manual"` it is closed until you say `opened()`.
 */
export class CampaignSync extends EventTarget {
  readonly #options: CampaignSyncOptions;
  readonly #dispatcher: Dispatcher;
  readonly #page: PageEvents;
  #manual: boolean;
  #onsend: ((frame: string) => void) | null = null;
  #core: Core | undefined;

  constructor(options: CampaignSyncOptions = {}) {
    super();
    wasmClient(); // Fails here, where the mistake is, and not at the first use.
    this.#options = { ...options };
    this.#manual = options.transport === "manual" || options.url === undefined;
    const target = options.target === undefined ? ((globalThis as { window?: EventTarget }).window ?? null) : options.target;
    this.#page = new PageEvents(target, (campaignId) => this.#refresh(campaignId));
    this.#dispatcher = new Dispatcher(this, (type, detail) => this.#page.repeat(type, detail));
  }

  /** What goes out, when the transport is yours. Setting it selects that; do so before the first use. */
  get onsend(): ((frame: string) => void) | null {
    return this.#onsend;
  }

  set onsend(send: ((frame: string) => void) | null) {
    if (!this.#manual && this.#core !== undefined) throw new CampaignSyncError("transport_in_use");
    this.#manual = true;
    this.#onsend = send;
  }

  /** Opens the connection, or opens it again without waiting for the next try. */
  connect(): void {
    this.#open().command({ command: "connect" });
  }

  /** A handle of a campaign; release it when it is not needed any more. */
  campaign(campaignId: string): Campaign {
    return new CampaignHandle(this.#open(), campaignId);
  }

  /**
   * Takes a frame that arrived. It never throws on bad input; bad input is refused and counted.
   * @returns the number of events that were applied.
   */
  receive(frame: string | Uint8Array | ArrayBuffer): number {
    return this.#open().call((client) => {
      if (typeof frame === "string") return client.receive(encoded(frame));
      return client.receive(frame instanceof ArrayBuffer ? new Uint8Array(frame) : frame);
    });
  }

  /**
   * Your own transport is open. Once you have used this or `closed()`, every `connectionchange` to
   * `connecting` asks you for a transport, which you answer with one of the two; every other one but
   * `open` says that the last is not wanted any more.
   */
  opened(): void {
    this.#transportCommand({ command: "opened" });
  }

  /**
   * Your own transport closed, or could not be opened. What is shown turns `stale` at once, and the
   * connection is tried again by the usual rules: not at all after 4401 and 4403 without a `token`.
   * @param code the close code of a WebSocket; 1006 for whatever else it was.
   */
  closed(code = 1006): void {
    this.#transportCommand({ command: "closed", code });
  }

  /** The status of a campaign, computed from the clock now. `idle` if nobody watches it. */
  status(campaignId: string): CampaignStatus {
    return this.view(campaignId)?.status ?? "idle";
  }

  /** The view of a campaign that somebody holds a handle of. */
  view(campaignId: string): CampaignView | undefined {
    return this.#core?.closed === false ? this.#core.viewOf(campaignId) : undefined;
  }

  /** Counters and histograms since the client was made. */
  metrics(): Metrics {
    return this.#open().read({ read: "metrics" });
  }

  /** Everything worth attaching to a bug report; no row data. */
  diagnostics(): object {
    return this.#open().read({ read: "diagnostics" });
  }

  /** Closes the connection for good. Waits are rejected and later calls throw `closed`. */
  close(): void {
    this.#page.close();
    this.#open().close();
  }

  /** The machine is made at the first use, because until then the transport may still be chosen. */
  #open(): Core {
    if (this.#core === undefined) {
      this.#core = this.#newCore();
      // Until its owner says otherwise.
      if (this.#options.transport === "manual") this.closed();
    }
    return this.#core;
  }

  #newCore(): Core {
    return new Core(wasmClient(), this.#settings(), this.#options, {
      dispatch: (type, detail) => {
        if (type === "cacheinvalidated") announceInvalidation(this, detail as CacheInvalidatedDetail);
        this.#dispatcher.dispatch(type, detail);
      },
      onLastRelease: (campaignId) => announceInvalidation(this, { campaignId, unwatched: true }),
      send: (frame) => callSafely(() => this.#onsend?.(frame)),
    });
  }

  #transportCommand(tell: Command): void {
    if (!this.#manual) throw new CampaignSyncError("transport_in_use");
    this.#open().command(tell);
  }

  #settings(): ClientOptions {
    const { url, token, fetchSnapshot, lingerMs, log } = this.#options;
    const settings: ClientOptions = {
      hasToken: token !== undefined,
      hasFetchSnapshot: fetchSnapshot !== undefined,
      manualTransport: this.#manual,
      log: log !== undefined && log !== false,
    };
    if (url !== undefined && !this.#manual) settings.url = socketAddress(url);
    if (lingerMs !== undefined) settings.lingerMs = lingerMs;
    return settings;
  }

  #refresh(campaignId: string): void {
    // A request on the window may name anything; nobody stands there to catch an error.
    if (this.#core?.closed === false) callSafely(() => this.#core?.command({ command: "refresh", campaignId }));
  }
}

/** Makes an address absolute and turns `http` into `ws`: not every browser's WebSocket does so itself. */
function socketAddress(url: string): string {
  const base = (globalThis as { location?: { href: string } }).location?.href;
  const address = new URL(url, base);
  address.protocol = address.protocol.replace(/^http/, "ws");
  return address.href;
}
