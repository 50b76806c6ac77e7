/**
 * The JavaScript side of the machine: the host it calls, the shared channels, the open waits. It
 * takes no decision about events; it carries them.
 */
import type { ClientOptions, Command, Effects, Read, WasmClient, WasmClientConstructor } from "./bridge.js";
import { Channel } from "./channel.js";
import { asCampaignSyncError, CampaignSyncError } from "./errors.js";
import { callSafely, FrameTask } from "./frame.js";
import { withoutNulls } from "./plain.js";
import type { CampaignSyncOptions, CampaignView, LogRecord } from "./types.js";
import { Waits } from "./waits.js";

/** Where the machine's calls go. */
export interface CoreOutlets {
  dispatch(type: string, detail: object): void;
  send(frame: string): void;
  /** The last handle of a campaign is gone. */
  onLastRelease(campaignId: string): void;
}

/** One machine and what hangs on it. */
export class Core {
  readonly waits = new Waits();
  readonly #client: WasmClient;
  readonly #options: CampaignSyncOptions;
  readonly #outlets: CoreOutlets;
  readonly #channels = new Map<string, Channel>();
  /** Channels whose subscribers have not heard yet. */
  readonly #dirtyChannels = new Set<Channel>();
  readonly #frame = new FrameTask(() => this.#flush());
  #closed = false;

  constructor(Client: WasmClientConstructor, settings: ClientOptions, options: CampaignSyncOptions, outlets: CoreOutlets) {
    this.#options = options;
    this.#outlets = outlets;
    this.#client = new Client(JSON.stringify(settings), { perform: (effect, detail) => this.#perform(effect, detail) });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Tells the machine to do something. */
  command(command: Command): void {
    this.call((client) => client.command(JSON.stringify(command)));
  }

  /** Asks the machine for something. */
  readonly read: Read = (query) => this.call((client) => client.read(JSON.stringify(query)) as never);

  /** Calls the machine; its errors become the package's own. */
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

  /** Gives up one handle's subscription. */
  release(channel: Channel): void {
    channel.handles -= 1;
    if (channel.handles === 0) {
      this.#channels.delete(channel.campaignId);
      this.#dirtyChannels.delete(channel);
      this.#outlets.onLastRelease(channel.campaignId);
    }
    if (!this.#closed) this.command({ command: "release", campaignId: channel.campaignId });
  }

  /** The view of a channel. After closing, the last one: a render that is already under way must not fail. */
  view(channel: Channel): CampaignView {
    if (this.#closed) return channel.lastView();
    this.#collect();
    return channel.view(this.read);
  }

  /** The view of a campaign that is subscribed, if it is. */
  viewOf(campaignId: string): CampaignView | undefined {
    const channel = this.#channels.get(campaignId);
    return channel && this.view(channel);
  }

  /** Ends everything. The machine may be what is calling us, so its memory is returned later. */
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

  /** What the machine wants done; what is none of these is a notice. */
  readonly #performers: { [E in keyof Effects]: (detail: Effects[E]) => void } = {
    changed: () => this.#frame.schedule(),
    send: (frame) => this.#outlets.send(frame),
    settle: ({ ticket, code }) => this.waits.settle(ticket, code),
    log: (record) => this.#log(withoutNulls(record)),
    requestToken: ({ ticket }) => {
      void this.#provide(this.#options.token, (token) => this.#client.command(JSON.stringify({ command: "token", ticket, token } satisfies Command)));
    },
    fetchSnapshot: ({ ticket, campaignId }) => {
      const fetch = this.#options.fetchSnapshot;
      void this.#provide(fetch && (() => fetch(campaignId)), (json) => this.#client.provideSnapshot(ticket, json), campaignId);
    },
  };

  #perform(effect: string, detail: unknown): void {
    const performer = (this.#performers as Record<string, ((detail: unknown) => void) | undefined>)[effect];
    if (performer !== undefined) return performer(detail);
    if (effect === "statuschange") this.#markChanged((detail as { campaignId: string }).campaignId);
    this.#outlets.dispatch(effect, withoutNulls(detail as object));
  }

  /** Asks the application for something; the answer, or its absence, goes to the machine. */
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
      // The machine retries by its own rules; the cause is only known here.
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
    // Collecting asked for a frame once more; what it was for happens now.
    this.#frame.cancel();
    for (const channel of channels) channel.notify();
  }
}
