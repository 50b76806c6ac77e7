/** The public client: one connection for any number of campaigns. */
import { CampaignHandle, type Campaign } from "./campaign.js";
import { IDLE, type ConnectionStatus } from "./connection.js";
import { Core } from "./core.js";
import { CampaignSyncError } from "./errors.js";
import { Dispatcher, type CacheInvalidatedDetail, type CampaignSyncEventType, type CampaignSyncListener } from "./events.js";
import { callSafely } from "./frame.js";
import { announceInvalidation } from "./invalidation.js";
import { wasmClient } from "./module.js";
import { PageEvents } from "./page.js";
import { encoded } from "./text.js";
import type { CampaignStatus, CampaignSyncOptions, CampaignView, Metrics } from "./types.js";
import type { Command } from "./bridge.js";

/** Typed event listeners. `CampaignSyncEventMap` lists the events. */
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
 * Keeps campaigns continuous with their server. `await init()` before you construct it.
 *
 * Without a `url`, the application brings the transport: it sets `onsend` and passes each received frame to
 * `receive()`. The transport counts as open until the application calls `closed()`. With the option
 * `transport: "manual"` it counts as closed until the application calls `opened()`.
 *
 * Bad input from the wire never throws: the client refuses it, counts it in `metrics().refused` and dispatches
 * `rejected`.
 */
export class CampaignSync extends EventTarget {
  readonly #options: CampaignSyncOptions;
  readonly #dispatcher: Dispatcher;
  readonly #page: PageEvents;
  #manual: boolean;
  #onsend: ((frame: string) => void) | null = null;
  #core: Core | undefined;

  /** Throws `not_initialized` before `init()` is done. */
  constructor(options: CampaignSyncOptions = {}) {
    super();
    wasmClient(); // Throws here, at the mistake, and not at the first use.
    this.#options = { ...options };
    this.#manual = options.transport === "manual" || options.url === undefined;
    const target = options.target === undefined ? ((globalThis as { window?: EventTarget }).window ?? null) : options.target;
    this.#page = new PageEvents(target, (campaignId) => this.#refresh(campaignId));
    this.#dispatcher = new Dispatcher(this, (type, detail) => this.#page.repeat(type, detail));
  }

  /**
   * The function that sends a frame (JSON text) over the application's own transport; `null` for none. Setting it
   * selects that transport. Throws `transport_in_use` if the client already uses its own sockets.
   */
  get onsend(): ((frame: string) => void) | null {
    return this.#onsend;
  }

  set onsend(send: ((frame: string) => void) | null) {
    if (!this.#manual && this.#core !== undefined) throw new CampaignSyncError("transport_in_use");
    this.#manual = true;
    this.#onsend = send;
  }

  /**
   * Opens the connection. While the client waits for its next attempt, the attempt starts now: at most two a second,
   * and not within a pause that the server requested. Throws `closed` after `close()`.
   */
  connect(): void {
    this.#open().command({ command: "connect" });
  }

  /** Replaces the present socket by a new one; without a socket it is `connect()`. Throws `closed` after `close()`. */
  reconnect(): void {
    this.pause();
    this.connect();
  }

  /**
   * Closes the socket until `resume()` or `connect()`. Campaigns keep their rows and become `stale`. Throws `closed`
   * after `close()`.
   */
  pause(): void {
    this.#open().command({ command: "pause" });
  }

  /** Opens the connection again after `pause()`. Throws `closed` after `close()`. */
  resume(): void {
    this.connect();
  }

  /** The connection, frozen: the same object until it changes. */
  get connection(): ConnectionStatus {
    return this.#core?.connection ?? IDLE;
  }

  /**
   * Subscribes to a campaign and returns a handle. Release the handle when it is no longer needed. Throws
   * `invalid_campaign_id` for an invalid id, and `closed` after `close()`.
   */
  campaign(campaignId: string): Campaign {
    return new CampaignHandle(this.#open(), campaignId);
  }

  /**
   * Takes a frame that the application's own transport received: text, or its UTF-8 bytes. Bad input is refused and
   * counted, never thrown. Throws `closed` after `close()`.
   * @returns the number of events that the client applied.
   */
  receive(frame: string | Uint8Array | ArrayBuffer): number {
    return this.#open().call((client) => {
      if (typeof frame === "string") return client.receive(encoded(frame));
      return client.receive(frame instanceof ArrayBuffer ? new Uint8Array(frame) : frame);
    });
  }

  /**
   * Reports that the application's own transport is open. After the first call of `opened()` or `closed()`, each
   * `connectionchange` to `connecting` requests a transport, and the application answers with one of the two calls.
   * A `connectionchange` to any other state but `open` means that the client no longer uses the last transport.
   *
   * Throws `transport_in_use` if the client opens sockets itself, and `closed` after `close()`.
   */
  opened(): void {
    this.#transportCommand({ command: "opened" });
  }

  /**
   * Reports that the application's own transport closed, or that it could not open. The views turn `stale` at once,
   * and the client retries by its usual rules. After 4401 and 4403 without a `token` option it does not retry.
   *
   * Throws `transport_in_use` if the client opens sockets itself, `invalid_content` for a code that is not an integer
   * from 0 to 65,535, and `closed` after `close()`.
   * @param code the close code of a WebSocket; 1006 for any other reason.
   */
  closed(code = 1006): void {
    this.#transportCommand({ command: "closed", code });
  }

  /** Returns the status of a campaign, computed from the clock; `idle` if the campaign has no handle. */
  status(campaignId: string): CampaignStatus {
    return this.view(campaignId)?.status ?? "idle";
  }

  /** Returns the view of a campaign; `undefined` if the campaign has no handle, and after `close()`. */
  view(campaignId: string): CampaignView | undefined {
    return this.#core?.closed === false ? this.#core.viewOf(campaignId) : undefined;
  }

  /** Returns counters and histograms since the client was made. Throws `closed` after `close()`. */
  metrics(): Metrics {
    return this.#open().read({ read: "metrics" });
  }

  /**
   * Returns an object to attach to a bug report. It has no rows, no token and no address. Throws `closed` after
   * `close()`.
   */
  diagnostics(): object {
    return this.#open().read({ read: "diagnostics" });
  }

  /** Closes the connection permanently. Open waits reject with `closed`, and later calls throw `closed`. */
  close(): void {
    this.#page.close();
    this.#open().close();
  }

  /** Creates the machine at the first use, because the application may choose the transport until then. */
  #open(): Core {
    if (this.#core === undefined) {
      this.#core = this.#newCore();
      // The transport counts as closed until the application calls `opened()`.
      if (this.#options.transport === "manual") this.closed();
    }
    return this.#core;
  }

  #newCore(): Core {
    return new Core(wasmClient(), this.#manual ? undefined : socketAddress(this.#options.url as string), this.#options, {
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

  #refresh(campaignId: string): void {
    // A request on the window may name anything, and no caller can catch an error.
    if (this.#core?.closed === false) callSafely(() => this.#core?.command({ command: "refresh", campaignId }));
  }
}

/** Makes an address absolute and turns `http` into `ws`. Some browsers' WebSocket does not do this itself. */
function socketAddress(url: string): string {
  const base = (globalThis as { location?: { href: string } }).location?.href;
  const address = new URL(url, base);
  address.protocol = address.protocol.replace(/^http/, "ws");
  return address.href;
}
