/**
 * The JavaScript side of the machine: the host that the machine calls, the shared channels and the open waits. It
 * passes events on and makes no decision about them.
 */
import type { Command, Effects, Read, WasmClient, WasmClientConstructor } from "./bridge.js";
import * as Call from "./calls.js";
import { Channel, type Listeners } from "./channel.js";
import { IDLE, withHint, type ConnectionStatus } from "./connection.js";
import { bytesOf, TEXT } from "./check.js";
import { asCampaignSyncError, CampaignSyncError, describe } from "./errors.js";
import { callSafely, FrameTask, startTimer } from "./frame.js";
import { CatalogueChannel } from "./listing.js";
import { addHost, removeHost } from "./module.js";
import type { LogPosition } from "./position.js";
import type { CampaignSyncOptions, CampaignView, CatalogueView } from "./types.js";
import { askOnce, withRenewal } from "./renewal.js";
import type { Transport, TransportReports } from "./transport.js";
import { Waits } from "./waits.js";
import type { LogRecord } from "./metrics.js";
import { Waker } from "./wake.js";

/** Longest duration of a renewal for a request over REST, in milliseconds. */
const RENEWAL_MS = 15_000;

/** The client's side of the core. */
export interface CoreOutlets {
  dispatch(type: string, detail: object): void;
  /** Creates the transport of the machine's frames. */
  transport(reports: TransportReports): Transport;
  /** Voids all caches, because the data of the session is gone. */
  onSignedOut(): void;
  /** Reports that the last handle of a campaign was released, or of the list of campaigns (an empty id). */
  onLastRelease(campaignId: string): void;
}

/** The arguments of a call. */
interface Arguments {
  readonly call: number;
  readonly campaignId?: string;
  readonly text?: string;
  readonly id?: number;
  readonly number?: number;
}

/** One machine with its channels, waits and animation-frame task. */
export class Core implements TransportReports {
  readonly waits = new Waits();
  readonly transport: Transport;
  /** The client, if it must stay alive although the application may not reference it. */
  client: object | undefined;
  /** The connection, as the last `connectionchange` reported it. */
  connection = IDLE;
  readonly #client: WasmClient;
  readonly #host = addHost((effect, detail) => this.#perform(effect, detail));
  /** The answer to the last call, and the code of a refusal that was not thrown yet. */
  #answered: unknown;
  #refused: string | undefined;
  readonly #options: CampaignSyncOptions;
  readonly #outlets: CoreOutlets;
  /** The channels that have a handle, by the id of the campaign; that of the list of campaigns under an empty id. */
  readonly #channels = new Map<string, Listeners>();
  /** Channels whose listeners have not been called since the last change. */
  readonly #dirtyChannels = new Set<Listeners>();
  readonly #frame = new FrameTask(() => this.#flush());
  readonly #waker = new Waker((call) => this.#answer({ call }), () => this.#pageChanged());
  /** Whether the machine reported a change since the last announcement to caches. */
  #hasNews = false;
  /** A new object for each session. */
  #session = {};
  /** The renewal of the session that the machine waits for. */
  #renewal: AbortController | undefined;
  /** The renewal that the application is asked for. */
  #renewing: Promise<boolean> | undefined;
  #closing = false;
  #closed = false;
  #blocked = false;

  constructor(Client: WasmClientConstructor, options: CampaignSyncOptions, outlets: CoreOutlets) {
    this.#options = options;
    this.#outlets = outlets;
    this.transport = outlets.transport(this);
    const { token, onUnauthorized, fetchSnapshot, lingerMs, log } = options;
    try {
      this.#client = new Client(lingerMs, token !== undefined, onUnauthorized !== undefined, fetchSnapshot !== undefined, Boolean(log), this.#host);
    } catch (error) {
      throw asCampaignSyncError(error);
    }
  }

  get hasHandles(): boolean {
    return this.#channels.size > 0;
  }

  /** The present session: a new object for each. */
  get session(): object {
    return this.#session;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Sends a command to the machine. Throws `closed` after closing, and the code of an invalid command. */
  command(command: Command): void {
    this.#ask(command);
  }

  /** Sends a query to the machine. Throws as `command` does. */
  readonly read: Read = (query) => this.#ask({ ...query, text: JSON.stringify(query) }) as never;

  #ask({ call, campaignId = "", text = "", id = 0, number = 0 }: Arguments): unknown {
    headroom();
    return this.answer((client) => client.call(call, campaignId, text, id, number));
  }

  /** Calls the machine and returns its answer. Throws as `call` does. */
  answer(use: (client: WasmClient) => void): unknown {
    this.#answered = undefined;
    this.call(use);
    return this.#answered;
  }

  /** Calls the machine. Throws the code with which it refuses the call, and `closed` after closing. */
  call<T>(use: (client: WasmClient) => T): T {
    if (this.#closed) throw new CampaignSyncError("closed");
    try {
      const value = use(this.#client);
      const refused = this.#refused;
      this.#refused = undefined;
      if (refused === undefined) return value;
      throw refused;
    } catch (error) {
      const failure = asCampaignSyncError(error);
      if (failure.code === "internal") this.#endIfTrapped();
      throw failure;
    }
  }

  /** A trap can leave the machine locked. Such a machine answers nothing any more, and the client says so and ends. */
  #endIfTrapped(): void {
    try {
      this.#client.call(Call.metrics, "", "", 0, 0);
    } catch {
      this.#release();
      this.#connectionChanged({ state: "failed", attempt: 0, code: "internal" });
      queueMicrotask(() => {
        for (const channel of [...this.#channels.values()]) channel.notify();
      });
    }
  }

  /** Takes a frame of a connection. Throws `invalid_argument` for a value that is not a frame. */
  receive(connection: number, frame: unknown): number {
    return this.call((client) =>
      typeof frame === "string" ? client.receiveText(connection, frame) : client.receive(connection, bytesOf(frame)),
    );
  }

  /** Subscribes to a campaign for one more handle. */
  retain(campaignId: string): Channel {
    return this.#retain(new Channel(campaignId), Call.retain);
  }

  /** Subscribes to the list of campaigns for one more handle. */
  retainCatalogue(): CatalogueChannel {
    return this.#retain(new CatalogueChannel(), Call.retainCatalogue);
  }

  /** Uses `created` unless there is a channel already. */
  #retain<C extends Listeners>(created: C, call: typeof Call.retain | typeof Call.retainCatalogue): C {
    const { campaignId } = created;
    const channel = (this.#channels.get(campaignId) ?? created) as C;
    // The command dispatches the events of a campaign that was kept, so the channel is in its place before.
    this.#channels.set(campaignId, channel);
    channel.handles += 1;
    try {
      this.#ask({ call, campaignId });
    } catch (error) {
      channel.handles -= 1;
      if (channel.handles === 0) this.#channels.delete(campaignId);
      throw error;
    }
    return channel;
  }

  /** Releases the subscription of one handle. */
  release(channel: Listeners, call: typeof Call.release | typeof Call.releaseCatalogue = Call.release): void {
    const { campaignId } = channel;
    channel.handles -= 1;
    if (channel.handles === 0) {
      this.#channels.delete(campaignId);
      this.#dirtyChannels.delete(channel);
      this.#outlets.onLastRelease(campaignId);
    }
    if (!this.#closing) this.#ask({ call, campaignId });
  }

  /** Returns the view of the list of campaigns. */
  catalogueView(channel: CatalogueChannel): CatalogueView {
    this.#collect();
    return channel.view(this.read);
  }

  /** Returns the view of a channel. After closing it returns the last view, so that a render under way does not fail. */
  view(channel: Channel): CampaignView {
    if (this.#closed) return this.lastView(channel);
    this.#collect();
    return channel.enter(this.#session).view(this.read);
  }

  /** Returns the last view of a channel that the present session saw. */
  lastView(channel: Channel): CampaignView {
    return channel.enter(this.#session).lastView();
  }

  /** Returns the channel of a campaign that has a handle. */
  channelOf(campaignId: string): Channel | undefined {
    const channel = this.#channels.get(campaignId);
    return channel instanceof Channel ? channel : undefined;
  }

  /** Closes the machine. The machine may be the caller, so its memory is freed in a later task. */
  close(): void {
    if (this.#closing) return;
    headroom();
    for (const channel of this.#channels.values()) if (channel instanceof Channel) this.view(channel);
    this.#closing = true;
    try {
      this.command({ call: Call.close });
    } finally {
      this.#release();
    }
  }

  /** Ends the waits, the timer, the listeners and the socket. */
  #release(): void {
    this.#closing = this.#closed = true;
    this.client = undefined;
    this.#renewal?.abort(new CampaignSyncError("closed"));
    this.#waker.end();
    this.#frame.cancel();
    for (const campaignId of this.#channels.keys()) this.#outlets.onLastRelease(campaignId);
    this.waits.rejectAll("closed");
    this.transport.end();
    const free = (): void => {
      this.#client.free();
      removeHost(this.#host);
    };
    startTimer(0, () => callSafely(free));
  }

  /** The functions that perform the machine's effects. An effect under any other name is a notice. */
  readonly #performers: { [E in keyof Effects]: (detail: Effects[E]) => unknown } = {
    answer: (answer) => (this.#answered = answer),
    refuse: (code) => (this.#refused = code),
    changed: () => {
      this.#hasNews = true;
      this.#frame.schedule();
    },
    open: (connection) => this.transport.open(connection),
    send: (frame) => this.transport.send(frame),
    closeSocket: (code) => this.transport.close(code),
    settle: ({ ticket, code }) => this.waits.settle(ticket, code),
    log: (record) => this.#log(record),
    requestToken: ({ ticket }) => void this.#requestToken(ticket),
    renewSession: ({ ticket, attempt }) => void this.#renewSession(ticket, attempt),
    signedOut: () => this.#signedOut(),
    wakeIn: (ms) => this.#waker.arm(ms),
    fetchSnapshot: ({ ticket, campaignId }) => void this.#fetchSnapshot(ticket, campaignId),
  };

  #perform(effect: string, detail: unknown): void {
    const performer = (this.#performers as Record<string, ((detail: unknown) => unknown) | undefined>)[effect];
    if (performer !== undefined) return void performer(detail);
    if (effect === "statuschange") this.#markChanged((detail as { campaignId: string }).campaignId);
    if (this.#hasNews && !this.#closing) this.#invalidate();
    if (effect === "connectionchange") return this.#connectionChanged(detail as ConnectionStatus);
    this.#outlets.dispatch(effect, detail as object);
  }

  #connectionChanged(status: ConnectionStatus): void {
    if (status.state === "open") this.#blocked = false;
    this.#waker.listen();
    if (status.state !== "connecting") this.#renewal?.abort(new CampaignSyncError("token_timeout"));
    this.connection = Object.freeze(withHint(status, this.#blocked));
    this.#outlets.dispatch("connectionchange", this.connection);
  }

  blocked(): void {
    this.#blocked = true;
    this.#pageChanged();
  }

  /** Reports the connection again if the page knows something else about it than before. */
  readonly #pageChanged = (): void => {
    const { hint, offline } = withHint(this.connection, this.#blocked);
    if (hint !== this.connection.hint || offline !== this.connection.offline) this.#connectionChanged(this.connection);
  };

  /** Calls the token provider and passes its answer, or the kind of its failure, to the machine. */
  async #requestToken(id: number): Promise<void> {
    let answer: { text: string } | { number: number };
    try {
      const token: unknown = (await this.#options.token?.()) ?? "";
      answer = TEXT[0](token) ? { text: token as string } : { number: 2 };
    } catch (error) {
      answer = { number: isFinal(error) ? 3 : 1 };
      this.#log({ level: "warn", code: "token_failed", message: describe(error) });
    }
    this.#answer({ call: Call.token, id, ...answer });
  }

  /** Passes an answer of the application to the machine. */
  #answer(command: Command): void {
    if (!this.#closed) callSafely(() => this.command(command));
  }

  /** Asks the application to renew the session, and passes its answer to the machine. */
  async #renewSession(id: number, attempt: number): Promise<void> {
    const answer = await this.#renew(attempt, (this.#renewal = new AbortController()));
    this.#answer({ call: Call.renewed, id, number: answer === undefined ? 0 : answer ? 2 : 1 });
  }

  /** Asks the application once, however many callers and tabs wait. Resolves to `undefined` if it gives no answer. */
  async #renew(attempt: number, { signal }: AbortController): Promise<boolean | undefined> {
    const { onUnauthorized, url = "" } = this.#options;
    if (onUnauthorized === undefined) return false;
    const name = `campaign-sync:${url}`;
    this.#renewing ??= askOnce(name, () => onUnauthorized({ attempt, signal }), signal).finally(() => (this.#renewing = undefined));
    try {
      return await this.#renewing;
    } catch (error) {
      this.#log({ level: "warn", code: "token_failed", message: describe(error) });
      return undefined;
    }
  }

  /** Renews the session for a request that the application sends over REST. */
  readonly renew = async (): Promise<boolean> => {
    const controller = new AbortController();
    const stop = startTimer(RENEWAL_MS, () => controller.abort(new CampaignSyncError("token_timeout")));
    const renewed = await this.#renew(1, controller);
    stop();
    return renewed === true;
  };

  /** Drops every copy of the former session's data, before anybody is notified. */
  #signedOut(): void {
    this.#session = {};
    for (const channel of this.#channels.values()) channel.empty();
    this.#outlets.onSignedOut();
  }

  /** Asks the application for a snapshot and passes its answer to the machine. */
  async #fetchSnapshot(id: number, campaignId: string): Promise<void> {
    const fetch = this.#options.fetchSnapshot;
    let text: unknown;
    try {
      const answer: unknown = fetch && (await withRenewal(this.renew, async () => fetch(campaignId)));
      text = typeof answer === "object" && answer !== null ? JSON.stringify(answer) : answer;
    } catch (error) {
      // The machine retries by its usual rules. Only this place knows the cause, so it logs it.
      this.#log({ level: "warn", code: "fetch_failed", message: describe(error), campaignId });
    }
    this.#answer({ call: Call.snapshot, id, ...(typeof text === "string" ? { text } : { number: 1 }) });
  }

  #log(record: LogRecord): void {
    const log = this.#options.log;
    if (typeof log === "function") callSafely(() => log(record));
    else if (log === true) callSafely(() => console[record.level](`campaign-sync: ${record.code}`, record));
  }

  #markChanged(campaignId: string, content = 0): void {
    const channel = this.#channels.get(campaignId);
    if (channel === undefined) return;
    channel.invalidate();
    channel.content |= content;
    this.#dirtyChannels.add(channel);
    this.#frame.schedule();
  }

  #collect(): void {
    const changes = this.read({ call: Call.changes });
    // The module cannot answer if the page's code made an import of the module fail. Then any campaign may have changed.
    if (changes === undefined) for (const campaignId of this.#channels.keys()) this.#markChanged(campaignId, 3);
    else for (const [campaignId, content] of changes) this.#markChanged(campaignId, content);
  }

  /** Announces to caches what changed since the last call. It runs before any listener learns of the change. */
  #invalidate(): void {
    this.#hasNews = false;
    this.#collect();
    for (const channel of [...this.#dirtyChannels]) {
      if (!(channel instanceof Channel)) continue;
      const { campaignId, content } = channel;
      channel.content = 0;
      CONTENT.forEach((reason, bit) => {
        if ((content >> bit) & 1) this.#outlets.dispatch("cacheinvalidated", { campaignId, reason, ...positionOf(this.view(channel)) });
      });
    }
  }

  #flush(): void {
    if (this.#closed) return;
    this.#invalidate();
    const channels = [...this.#dirtyChannels];
    this.#dirtyChannels.clear();
    // `#collect` scheduled another frame, but its work is done here.
    this.#frame.cancel();
    for (const channel of channels) channel.notify();
  }
}

/** The reason of `cacheinvalidated` for each bit of the content that changed. */
const CONTENT = ["status", "rows"];

function positionOf({ position }: CampaignView): Partial<LogPosition> {
  return position === null ? {} : { epoch: position.epoch, sequenceNumber: position.sequenceNumber };
}

/** Fails while the stack has space left. If it overflowed inside the machine, the machine would stay locked. */
function headroom(frames = 400): number {
  return frames === 0 ? 0 : 1 + headroom(frames - 1);
}

function isFinal(error: unknown): boolean {
  try {
    return (error as { final?: unknown } | undefined)?.final === true;
  } catch {
    return false;
  }
}
