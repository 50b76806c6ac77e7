/**
 * The JavaScript side of the machine: the host that the machine calls, the shared channels and the open waits. It
 * passes events on and makes no decision about them.
 */
import type { Command, Effects, Read, WasmClient, WasmClientConstructor } from "./bridge.js";
import { Channel } from "./channel.js";
import { IDLE, type ConnectionStatus } from "./connection.js";
import { asCampaignSyncError, CampaignSyncError } from "./errors.js";
import { callSafely, FrameTask } from "./frame.js";
import { withoutNulls } from "./plain.js";
import type { CampaignSyncOptions, CampaignView, LogRecord } from "./types.js";
import { Waits } from "./waits.js";

/** The client's side of the core. */
export interface CoreOutlets {
  dispatch(type: string, detail: object): void;
  send(frame: string): void;
  /** Reports that the last handle of a campaign was released. */
  onLastRelease(campaignId: string): void;
}

/** One machine with its channels, waits and animation-frame task. */
export class Core {
  readonly waits = new Waits();
  /** The connection, as the last `connectionchange` reported it. */
  connection = IDLE;
  readonly #client: WasmClient;
  readonly #options: CampaignSyncOptions;
  readonly #outlets: CoreOutlets;
  readonly #channels = new Map<string, Channel>();
  /** Channels whose listeners have not been called since the last change. */
  readonly #dirtyChannels = new Set<Channel>();
  readonly #frame = new FrameTask(() => this.#flush());
  #closed = false;

  constructor(Client: WasmClientConstructor, url: string | undefined, options: CampaignSyncOptions, outlets: CoreOutlets) {
    this.#options = options;
    this.#outlets = outlets;
    const { token, fetchSnapshot, lingerMs, log } = options;
    this.#client = new Client(url, lingerMs, token !== undefined, fetchSnapshot !== undefined, log !== undefined && log !== false, {
      perform: (effect, detail) => this.#perform(effect, detail),
      openSocket: (address) => {
        const socket = new (options.WebSocket ?? WebSocket)(address);
        socket.binaryType = "arraybuffer";
        return socket;
      },
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Sends a command to the machine. Throws `closed` after closing, and the code of an invalid command. */
  command(command: Command): void {
    this.call((client) => client.command(JSON.stringify(command)));
  }

  /** Sends a query to the machine. Throws as `command` does. */
  readonly read: Read = (query) => this.call((client) => client.read(JSON.stringify(query)) as never);

  /** Calls the machine and turns the bare codes that it throws into `CampaignSyncError`. Throws `closed` after closing. */
  call<T>(use: (client: WasmClient) => T): T {
    if (this.#closed) throw new CampaignSyncError("closed");
    try {
      return use(this.#client);
    } catch (error) {
      throw asCampaignSyncError(error);
    }
  }

  /** Subscribes to a campaign for one more handle. */
  retain(campaignId: string): Channel {
    this.command({ command: "retain", campaignId });
    const channel = this.#channels.get(campaignId) ?? new Channel(campaignId);
    this.#channels.set(campaignId, channel);
    channel.handles += 1;
    return channel;
  }

  /** Releases the subscription of one handle. */
  release(channel: Channel): void {
    channel.handles -= 1;
    if (channel.handles === 0) {
      this.#channels.delete(channel.campaignId);
      this.#dirtyChannels.delete(channel);
      this.#outlets.onLastRelease(channel.campaignId);
    }
    if (!this.#closed) this.command({ command: "release", campaignId: channel.campaignId });
  }

  /** Returns the view of a channel. After closing it returns the last view, so that a render under way does not fail. */
  view(channel: Channel): CampaignView {
    if (this.#closed) return channel.lastView();
    this.#collect();
    return channel.view(this.read);
  }

  /** Returns the view of a campaign that has a handle. */
  viewOf(campaignId: string): CampaignView | undefined {
    const channel = this.#channels.get(campaignId);
    return channel && this.view(channel);
  }

  /** Closes the machine. The machine may be the caller, so its memory is freed in a later task. */
  close(): void {
    if (this.#closed) return;
    for (const channel of this.#channels.values()) this.view(channel);
    this.command({ command: "close" });
    this.#closed = true;
    this.#frame.cancel();
    for (const campaignId of this.#channels.keys()) this.#outlets.onLastRelease(campaignId);
    this.waits.rejectAll("closed");
    setTimeout(() => this.#client.free());
  }

  /** The functions that perform the machine's effects. An effect under any other name is a notice. */
  readonly #performers: { [E in keyof Effects]: (detail: Effects[E]) => void } = {
    changed: () => this.#frame.schedule(),
    send: (frame) => this.#outlets.send(frame),
    settle: ({ ticket, code }) => this.waits.settle(ticket, code),
    log: (record) => this.#log(withoutNulls(record)),
    requestToken: ({ ticket }) => void this.#requestToken(ticket),
    fetchSnapshot: ({ ticket, campaignId }) => {
      const fetch = this.#options.fetchSnapshot;
      void this.#provide(fetch && (() => fetch(campaignId)), (json) => this.#client.provideSnapshot(ticket, json), campaignId);
    },
  };

  #perform(effect: string, detail: unknown): void {
    const performer = (this.#performers as Record<string, ((detail: unknown) => void) | undefined>)[effect];
    if (performer !== undefined) return performer(detail);
    if (effect === "statuschange") this.#markChanged((detail as { campaignId: string }).campaignId);
    const plain = withoutNulls(detail as object);
    if (effect === "connectionchange") this.connection = Object.freeze(plain as ConnectionStatus);
    this.#outlets.dispatch(effect, plain);
  }

  /** Calls the token provider and passes its answer, or the kind of its failure, to the machine. */
  async #requestToken(ticket: number): Promise<void> {
    let answer: { token: string } | { failure: "failed" | "invalid" | "final" };
    try {
      const token: unknown = await this.#options.token?.();
      answer = typeof token === "string" ? { token } : { failure: "invalid" };
    } catch (error) {
      answer = { failure: (error as { final?: unknown } | undefined)?.final === true ? "final" : "failed" };
      this.#log({ level: "warn", code: "token_failed", message: String(error) });
    }
    if (!this.#closed) this.#client.command(JSON.stringify({ command: "token", ticket, ...answer } satisfies Command));
  }

  /** Calls a function of the application and passes its answer to the machine; `undefined` if it fails. */
  async #provide(
    ask: (() => unknown) | undefined,
    give: (value: string | undefined) => void,
    campaignId?: string,
  ): Promise<void> {
    let value: string | undefined;
    try {
      const answer = await ask?.();
      value = typeof answer === "object" && answer !== null ? JSON.stringify(answer) : (answer as string | undefined);
      if (typeof value !== "string") value = undefined;
    } catch (error) {
      // The machine retries by its usual rules. Only this place knows the cause, so it logs it.
      this.#log({ level: "warn", code: "fetch_failed", message: String(error), ...(campaignId !== undefined && { campaignId }) });
    }
    if (!this.#closed) give(value);
  }

  #log(record: LogRecord): void {
    const log = this.#options.log;
    if (typeof log === "function") callSafely(() => log(record));
    else if (log === true) console[record.level](`campaign-sync: ${record.code}`, record);
  }

  #markChanged(campaignId: string): void {
    const channel = this.#channels.get(campaignId);
    if (channel === undefined) return;
    channel.invalidate();
    this.#dirtyChannels.add(channel);
    this.#frame.schedule();
  }

  #collect(): void {
    for (const campaignId of this.read({ read: "changes" })) this.#markChanged(campaignId);
  }

  #flush(): void {
    if (this.#closed) return;
    this.#collect();
    const channels = [...this.#dirtyChannels];
    this.#dirtyChannels.clear();
    // `#collect` scheduled another frame, but its work is done here.
    this.#frame.cancel();
    for (const channel of channels) channel.notify();
  }
}
