/** The public client: one connection for any number of campaigns. */
import * as Call from "./calls.js";
import { bindMethods, disposeBy } from "./bind.js";
import { CampaignHandle, type Campaign } from "./campaign.js";
import { CatalogueHandle, type Catalogue, type CatalogueOptions } from "./catalogue.js";
import type { Channel } from "./channel.js";
import { checked, CLOSE_CODE, FUNCTION, invalidArgument, orNull, TEXT } from "./check.js";
import { IDLE, type ConnectionStatus } from "./connection.js";
import { Core } from "./core.js";
import { readDomains } from "./domains.js";
import { CampaignSyncError } from "./errors.js";
import { Dispatcher } from "./events.js";
import type { CacheInvalidatedDetail, CampaignSyncEventType, CampaignSyncListener } from "./event-types.js";
import { callSafely } from "./frame.js";
import { announceInvalidation } from "./invalidation.js";
import { wasmClient } from "./module.js";
import { checkedOptions, type CheckedOptions } from "./options.js";
import { PageEvents } from "./page.js";
import { offerRenewal } from "./renewal.js";
import { platform } from "./platform.js";
import { deepFreeze } from "./plain.js";
import { ManualTransport, SocketTransport } from "./transport.js";
import type { Diagnostics, Metrics } from "./metrics.js";
import type { CampaignSyncOptions, CampaignView, DomainPage, DomainQuery } from "./types.js";
import type { CampaignStatus } from "./words.js";

/**
 * Returns the core of a client, for the package's own subclasses.
 * @internal
 */
export let coreOf: (client: CampaignSync) => Core;

/**
 * Keeps campaigns continuous with their server. `await init()` before you construct it.
 *
 * Without a `url`, the application brings the transport: it sets `onsend` and passes each received frame to
 * `receive()`. The transport counts as open until the application calls `closed()`. With the option
 * `transport: "manual"` it counts as closed until the application calls `opened()`.
 *
 * Bad input from the wire never throws: the client refuses it, counts it in `metrics().refused` and dispatches
 * `rejected`.
 *
 * Its methods need no `this`: `const { campaign, close } = sync` works.
 *
 * Call `close()` when you no longer need the client; `using` does. From `connect()` on it lives like an open WebSocket, as long as
 * the application references it, or has a handle or an event listener of it; without any of these the engine may
 * collect it, which closes it.
 *
 * Two clients on one page are two connections, and each repeats its events on the window. Share one client, or pass
 * `target: null` to all but one.
 */
export class CampaignSync extends EventTarget implements Disposable {
  /** Closes the client, as `close()` does, at the end of the block of `using`. */
  declare [Symbol.dispose]: () => void;
  readonly #options: CheckedOptions;
  readonly #dispatcher: Dispatcher;
  readonly #page: PageEvents;
  #onsend: ((frame: string) => void) | null = null;
  /** The application's transport; `undefined` if the client opens sockets. */
  #manual: ManualTransport | undefined;
  #core: Core | undefined;
  #hasListener = false;

  /**
   * Creates a client, which connects at `connect()`. Throws `not_initialized` before `init()` is done, `invalid_argument`
   * for an invalid option, and `no_websocket` on a platform without WebSockets.
   */
  constructor(options: CampaignSyncOptions = {}) {
    super();
    wasmClient(); // Throws here, at the mistake, and not at the first use.
    this.#options = checkedOptions(options);
    const { target = platform.window ?? null } = this.#options;
    this.#page = CampaignSync.#pageOf(target, weakly<CampaignSync>(this));
    this.#dispatcher = new Dispatcher(this, (type, detail) => this.#page.repeat(type, detail));
    bindMethods(this, CampaignSync);
  }

  /**
   * Adds a listener for events of `CampaignSyncEventMap`. In JavaScript it takes every other type, as any event target
   * does. Throws `invalid_argument` for a value that is not a listener, and for options that the platform refuses.
   */
  override addEventListener<K extends CampaignSyncEventType>(
    type: K,
    listener: CampaignSyncListener<K> | null,
    options?: boolean | AddEventListenerOptions,
  ): void {
    const [name, callback] = checkedListener(type, listener);
    withOptions(() => super.addEventListener(name, callback, options));
    this.#hasListener ||= callback !== null;
    this.#hold();
  }

  /** Removes a listener. Throws `invalid_argument` for a value that is not a listener. */
  override removeEventListener<K extends CampaignSyncEventType>(
    type: K,
    listener: CampaignSyncListener<K> | null,
    options?: boolean | EventListenerOptions,
  ): void {
    const [name, callback] = checkedListener(type, listener);
    withOptions(() => super.removeEventListener(name, callback, options));
  }

  /**
   * The function that sends a frame (JSON text) over the application's own transport; `null` for none. Setting it
   * selects that transport. Setting it throws `transport_in_use` if the client already uses its own sockets, and
   * `invalid_argument` for a value that is not a function.
   */
  get onsend(): ((frame: string) => void) | null {
    return this.#onsend;
  }

  /** Selects the application's own transport, or none. */
  set onsend(send: ((frame: string) => void) | null) {
    checked("onsend", send, orNull(FUNCTION));
    if (this.#core !== undefined && this.#manual === undefined) throw new CampaignSyncError("transport_in_use");
    this.#onsend = send;
    if (send !== null) delete this.#options.socket;
  }

  /**
   * Opens the connection. While the client waits for its next attempt, the attempt starts now: at most two a second,
   * and not within a pause that the server requested. Throws `closed` after `close()`.
   */
  connect(): void {
    this.#open().command({ call: Call.connect });
    this.#page.listen();
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
    this.#open().command({ call: Call.pause });
  }

  /** Opens the connection again after `pause()`. Throws `closed` after `close()`. */
  resume(): void {
    this.connect();
  }

  /**
   * Ends the session: drops everything that the client and its caches hold, and closes the connection. Open waits
   * reject with `signed_out`. Handles and listeners stay, with empty views, and `connect()` loads their campaigns for
   * the session that then holds. Call it at logout. Throws `closed` after `close()`.
   */
  reset(): void {
    this.#open().command({ call: Call.reset });
  }

  /** The connection, frozen: the same object until it changes. */
  get connection(): ConnectionStatus {
    return this.#core?.connection ?? IDLE;
  }

  /**
   * Subscribes to a campaign and returns a handle. Release the handle when it is no longer needed. Throws
   * `invalid_campaign_id` for an invalid id, `invalid_argument` for one that is not a string, and `closed` after `close()`.
   */
  campaign(campaignId: string): Campaign {
    checked("campaignId", campaignId, TEXT);
    const handle = new CampaignHandle(this.#open(), campaignId);
    this.#hold();
    return handle;
  }

  /**
   * Subscribes to the list of campaigns that the session may see: their records, without rows. The server must have the
   * profile *catalogue* (docs/PROTOCOL.md, chapter 20); otherwise the view says `failed` with the code `unknown_type`.
   * Release the handle when it is no longer needed. Throws `invalid_argument` for invalid options, and `closed` after
   * `close()`.
   */
  campaigns(options: CatalogueOptions = {}): Catalogue {
    const handle = new CatalogueHandle(this.#open(), options);
    this.#hold();
    return handle;
  }

  /**
   * Takes a frame that the application's own transport received: text, or its UTF-8 bytes in a buffer or a view. A
   * frame with bad content is refused and counted, never thrown.
   *
   * Throws `invalid_argument` for a value that is not a frame, such as a `Blob`, `transport_in_use` if the client opens
   * sockets itself, and `closed` after `close()`.
   * @returns the number of events that the client applied.
   */
  receive(frame: string | BufferSource | SharedArrayBuffer): number {
    return this.#ownTransport().receive(frame);
  }

  /**
   * Reports that the application's own transport is open. After the first call of `opened()` or `closed()`, each
   * `connectionchange` to `connecting` requests a transport, and the application answers with one of the two calls.
   * A `connectionchange` to any other state but `open` means that the client no longer uses the last transport.
   *
   * Throws `transport_in_use` if the client opens sockets itself, and `closed` after `close()`.
   */
  opened(): void {
    this.#ownTransport().opened();
  }

  /**
   * Reports that the application's own transport closed, or that it could not open. The views turn `stale` at once,
   * and the client retries by its usual rules. After 4401 and 4403 without a `token` option it does not retry.
   *
   * Throws `transport_in_use` if the client opens sockets itself, `invalid_argument` for a code that is not a whole
   * number from 0 to 65,535, and `closed` after `close()`.
   * @param code the close code of a WebSocket; 1006 for any other reason.
   */
  closed(code = 1006): void {
    checked("code", code, CLOSE_CODE);
    this.#ownTransport().closed(code);
  }

  /**
   * Returns the status of a campaign, computed from the clock; `idle` if the campaign has no handle. Throws
   * `invalid_argument` for an id that is not a string.
   */
  status(campaignId: string): CampaignStatus {
    return this.view(campaignId)?.status ?? "idle";
  }

  /**
   * Returns the view of a campaign; `undefined` if the campaign has no handle, and after `close()`. Throws
   * `invalid_argument` for an id that is not a string.
   */
  view(campaignId: string): CampaignView | undefined {
    const channel = this.#channelOf(campaignId);
    return channel && this.#core?.view(channel);
  }

  /**
   * Returns one page of a campaign's domain table, as `Campaign.domains` does; `undefined` if the campaign has no
   * handle, and after `close()`. Throws `invalid_argument` for an invalid query, and for an id that is not a string.
   */
  domains(campaignId: string, query?: DomainQuery): DomainPage | undefined {
    return readDomains(this.#core as Core, this.#channelOf(campaignId), query);
  }

  /** Returns counters and histograms, frozen, since the client was made. Throws `closed` after `close()`. */
  metrics(): Metrics {
    return deepFreeze(this.#open().read({ call: Call.metrics }));
  }

  /**
   * Returns an object, frozen, to attach to a bug report. It has no rows, no token and no address. Throws `closed` after
   * `close()`.
   */
  diagnostics(): Diagnostics {
    const core = this.#open();
    return deepFreeze({ ...core.read({ call: Call.diagnostics }), transport: core.transport.name });
  }

  /** Closes the connection permanently. Open waits reject with `closed`, and later calls throw `closed`. */
  close(): void {
    registry?.unregister(this);
    callSafely(() => this.#page.close());
    this.#open().close();
  }

  static {
    coreOf = (client) => client.#open();
    disposeBy(this.prototype, this.prototype.close);
  }

  #channelOf(campaignId: string): Channel | undefined {
    checked("campaignId", campaignId, TEXT);
    return this.#core?.closed === false ? this.#core.channelOf(campaignId) : undefined;
  }

  /** Creates the machine at the first use, because the application may choose the transport until then. */
  #open(): Core {
    if (this.#core === undefined) {
      this.#core = this.#newCore();
      this.#hold();
      closeWhenCollected(this, this.#core, this.#page);
    }
    return this.#core;
  }

  #newCore(): Core {
    const core = CampaignSync.#coreOf(this.#options, weakly<CampaignSync>(this));
    if (core.transport instanceof ManualTransport) this.#manual = core.transport;
    offerRenewal(this, core.renew);
    return core;
  }

  // The page and the module hold what these two functions make, and it must not hold the client. They are static,
  // because all closures of one function hold its `this` if one of them uses it.

  static #pageOf(target: EventTarget | null, whileAlive: WhileAlive<CampaignSync>): PageEvents {
    return new PageEvents(target, (campaignId) => whileAlive((it) => it.#refresh(campaignId)));
  }

  static #coreOf(options: CheckedOptions, whileAlive: WhileAlive<CampaignSync>): Core {
    const { socket, transport } = options;
    return new Core(wasmClient(), options, {
      dispatch: (type, detail) => whileAlive((it) => it.#dispatch(type, detail)),
      onSignedOut: () => whileAlive((it) => it.#onSignedOut()),
      onLastRelease: (campaignId) => whileAlive((it) => it.#onLastRelease(campaignId)),
      transport: (reports) => {
        if (socket !== undefined) return new SocketTransport(socket.url, socket.WebSocket, reports);
        const send = (frame: string): void => whileAlive((it) => callSafely(() => it.#onsend?.(frame)));
        return new ManualTransport(send, reports, transport === "manual");
      },
    });
  }

  #dispatch(type: string, detail: object): void {
    if (type === "cacheinvalidated") announceInvalidation(this, detail as CacheInvalidatedDetail);
    this.#dispatcher.dispatch(type, detail);
  }

  #onSignedOut(): void {
    announceInvalidation(this, {});
    this.#dispatcher.signOut();
  }

  #onLastRelease(campaignId: string): void {
    if (campaignId !== "") this.#dispatch("cacheinvalidated", { campaignId, reason: "unwatched" });
    this.#hold();
  }

  /** Keeps the client alive while it has handles or listeners, although the application may not reference it. */
  #hold(): void {
    if (this.#core !== undefined) this.#core.client = this.#hasListener || this.#core.hasHandles ? this : undefined;
  }

  #ownTransport(): ManualTransport {
    this.#open();
    if (this.#manual === undefined) throw new CampaignSyncError("transport_in_use");
    return this.#manual;
  }

  #refresh(campaignId: string): void {
    // A request on the window may name anything, and no caller can catch an error.
    if (this.#core?.closed === false) callSafely(() => this.#core?.command({ call: Call.refresh, campaignId }));
  }
}

let registry: FinalizationRegistry<() => void> | undefined;

/** Closes the machine of a client that was dropped without `close()`. */
function closeWhenCollected(client: CampaignSync, core: Core, page: PageEvents): void {
  registry ??= new FinalizationRegistry((close) => close());
  registry.register(client, () => {
    callSafely(() => page.close());
    core.close();
  }, client);
}

/** Lends an object to a function, unless the engine has collected it. */
type WhileAlive<T> = (use: (object: T) => void) => void;

function weakly<T extends object>(object: T): WhileAlive<T> {
  const reference = new WeakRef(object);
  return (use) => {
    const alive = reference.deref();
    if (alive !== undefined) use(alive);
  };
}

function checkedListener(type: unknown, listener: unknown): [string, EventListenerOrEventListenerObject | null] {
  const isListener = listener === null || typeof listener === "function" || typeof listener === "object";
  checked("listener", listener, [() => isListener, "a function, an object with handleEvent, or null"]);
  return [checked("type", type, TEXT) as string, listener as EventListenerOrEventListenerObject | null];
}

/** Only the platform knows which options of a listener it takes. */
function withOptions(call: () => void): void {
  try {
    call();
  } catch (cause) {
    throw invalidArgument("options", "the options of an event listener", cause);
  }
}
