/** The list of campaigns that a connection of the test server follows (docs/PROTOCOL.md, chapter 20). */
import type { ClientMessage } from "./json.js";
import type { CampaignLog, Data } from "./log.js";
import type { Follower, Session, State } from "./state.js";

/** A campaign is in at most one change per second (R20.10). */
const PAUSE_MS = 1_000;
/** Campaigns, or removed ids, in one part: far below its largest size. */
const PART_CAMPAIGNS = 200;

/** The feed of one connection. */
export class CatalogueFeed {
  readonly #state: State;
  readonly #follower: Pick<Follower, "session">;
  readonly #send: (data: Data) => void;
  /** The number that was written last; `undefined` while nobody requested the list. */
  #number: number | undefined;
  #sentAt = -Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(state: State, follower: Pick<Follower, "session">, send: (data: Data) => void) {
    this.#state = state;
    this.#follower = follower;
    this.#send = send;
  }

  /** Answers a request for the list, by a change from the position of the client or by a snapshot. */
  subscribe({ requestId, epoch, lastSequenceNumber }: ClientMessage): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const isKnown = epoch === this.#feed() && Number.isSafeInteger(lastSequenceNumber) && (lastSequenceNumber as number) <= this.#state.listNumber;
    const answer = typeof requestId === "string" ? { requestId } : {};
    this.#write(isKnown ? (lastSequenceNumber as number) : undefined, answer);
  }

  /** Ends the feed. */
  end(): void {
    clearTimeout(this.#timer);
    this.#number = this.#timer = undefined;
  }

  /** Something has changed: it is sent now, or after the pause. */
  changed(): void {
    if (this.#number === undefined || this.#timer !== undefined || !this.#hasNews(this.#number)) return;
    const wait = this.#sentAt + PAUSE_MS - Date.now();
    if (wait <= 0 || wait > PAUSE_MS) return this.flush();
    this.#timer = setTimeout(() => this.flush(), wait);
    (this.#timer as { unref?(): void }).unref?.();
  }

  /** Sends the change that waits. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#number === undefined || !this.#hasNews(this.#number)) return;
    this.#write(this.#number, {});
  }

  /** The member `catalogue` of a pong. */
  head(): Data | undefined {
    if (this.#number === undefined) return undefined;
    const waiting = this.#changes(this.#number).map(({ listedTime }) => Date.now() - listedTime);
    return { epoch: this.#feed(), lastSequenceNumber: this.#number, lagMs: Math.max(0, ...waiting) };
  }

  get #user(): string | null {
    return (this.#follower.session as Session).user;
  }

  #feed(): string {
    return this.#state.feedOf(this.#user);
  }

  #hasNews(since: number): boolean {
    return this.#changes(since).length > 0;
  }

  /** The campaigns of the list that changed or left since a number. */
  #changes(since: number): CampaignLog[] {
    const user = this.#user;
    return [...this.#state.logs.values()].filter((log) => log.listedAt > since && (log.isVisible(user) || log.wasVisible(user, since)));
  }

  #write(since: number | undefined, answer: Data): void {
    const [user, number] = [this.#user, this.#state.listNumber];
    const listed = [...this.#state.logs.values()].filter((log) => log.isVisible(user));
    const changed = since === undefined ? listed : this.#changes(since);
    const campaigns = changed.filter((log) => log.isVisible(user)).sort(byId).map(summaryOf);
    const removed = changed.filter((log) => !log.isVisible(user)).sort(byId).map(({ campaignId }) => campaignId);
    const parts = Math.max(1, Math.ceil(campaigns.length / PART_CAMPAIGNS), Math.ceil(removed.length / PART_CAMPAIGNS));
    for (let part = 1; part <= parts; part++) {
      const [from, to] = [(part - 1) * PART_CAMPAIGNS, part * PART_CAMPAIGNS];
      this.#send({
        ...answer, epoch: this.#feed(), ...(since !== undefined && { previousSequenceNumber: since }), sequenceNumber: number,
        part, parts, total: listed.length, campaigns: campaigns.slice(from, to), ...(since !== undefined && { removed: removed.slice(from, to) }),
      });
    }
    this.#number = number;
    this.#sentAt = Date.now();
  }
}

function byId(a: CampaignLog, b: CampaignLog): number {
  return a.campaignId < b.campaignId ? -1 : 1;
}

function summaryOf({ campaignId, epoch, head, record }: CampaignLog): Data {
  return { campaignId, epoch, sequenceNumber: head, campaign: record };
}
