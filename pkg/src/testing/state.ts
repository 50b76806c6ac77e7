/** The state that the sockets and the routes of the test server share: campaigns, sessions, refusals and faults. */
import { CampaignSyncError } from "../errors.js";
import { sha256 } from "./hash.js";
import { CampaignLog, type Data } from "./log.js";
import type { ErrorCode } from "../words.js";

/** A request that reached the test server. */
export interface TestRequest {
  /** `message` on a socket, or `http`. */
  readonly kind: "message" | "http";
  /** The type of a message, or method and path such as `POST /campaigns`. */
  readonly type: string;
  /** The campaign that it names, if it names one. */
  readonly campaignId?: string;
  /** The user of the session; `null` if sessions have no users. */
  readonly user: string | null;
  /** The message, or the body of the request. */
  readonly content: unknown;
}

/** A session: of a user, or of everybody. */
export interface Session {
  readonly user: string | null;
}

/** A refusal that waits for its request. */
interface Refusal {
  readonly code: ErrorCode;
  readonly matches: (request: TestRequest) => boolean;
}

/** A connection, as the state sees it. */
export interface Follower {
  readonly session: Session | undefined;
  /** A campaign has a new event. `text` is the event as this socket gets it; absent if it is lost. */
  appended(log: CampaignLog, text: string | undefined): void;
  /** The session may see the campaign no longer. */
  revoked(log: CampaignLog): void;
  /** The list has changed. */
  listChanged(): void;
  /** The session of the socket is over. */
  expired(): void;
}

/** Most requests that are kept for inspection. */
const REQUESTS_MAX = 10_000;

let servers = 0;

/** The state of a test server. */
export class State {
  /** Distinguishes the epochs of the servers of one test file. */
  readonly #server = (servers += 1);
  readonly logs = new Map<string, CampaignLog>();
  readonly followers = new Set<Follower>();
  readonly requests: TestRequest[] = [];
  /** The passwords of users; any password opens the session of any other user. */
  readonly passwords: Readonly<Record<string, string>>;
  readonly partRows: number;
  readonly heartbeatMs: number;
  /** The session of sockets and requests without a token; `undefined` after it expired. */
  session: Session | undefined = { user: null };
  /** The user of the last session. */
  lastUser: string | null = null;
  /** The sessions of the tokens that the server gave; `undefined` for those that are over. */
  readonly tokens = new Map<string, Session | undefined>();
  /** The number of the present list of campaigns. */
  listNumber = 1;
  /** The number of coming events that are lost, and of those that are damaged. */
  losses = 0;
  damages = 0;
  readonly refusals = new Set<Refusal>();
  /** Whether the server answers nothing. */
  isAway = false;
  #epochs = 0;
  #ids = 0;
  #epoch = "";
  /** Callers that wait for an event. */
  readonly #waiters = new Set<() => void>();

  constructor(passwords: Readonly<Record<string, string>>, partRows: number, heartbeatMs: number) {
    this.passwords = passwords;
    this.partRows = partRows;
    this.heartbeatMs = heartbeatMs;
    this.renewEpoch();
  }

  /** The name of the feed of the list of a user. Two users have different lists under one number. */
  feedOf(user: string | null): string {
    return `list-${this.#server}-${user === null ? "all" : subjectOf(user)}`;
  }

  renewEpoch(): string {
    this.#epochs += 1;
    return (this.#epoch = `test-${this.#server}-${this.#epochs}`);
  }

  newId(): string {
    do this.#ids += 1;
    while (this.logs.has(`campaign-${this.#ids}`));
    return `campaign-${this.#ids}`;
  }

  newLog(campaignId: string, owner: string | null, settings: Data): CampaignLog {
    const log = new CampaignLog(campaignId, this.#epoch, owner, settings);
    this.logs.set(campaignId, log);
    return log;
  }

  /** Returns a campaign that the session may see. */
  visible(campaignId: unknown, session: Session): CampaignLog | undefined {
    const log = this.logs.get(campaignId as string);
    return log?.isVisible(session.user) ? log : undefined;
  }

  /** Returns a campaign. Throws `unknown_campaign` if it does not exist, or was deleted. */
  existing(campaignId: string): CampaignLog {
    const log = this.logs.get(campaignId);
    if (log === undefined || log.ended) throw new CampaignSyncError("unknown_campaign", { message: `The test server has no campaign ${String(campaignId)}: create() it.` });
    return log;
  }

  /** Appends an event, and sends it to those that follow the campaign. */
  append(log: CampaignLog, type: string, data: Data): void {
    const text = log.append(type, data);
    let sent: string | undefined = text;
    if (this.losses > 0) {
      this.losses -= 1;
      sent = undefined;
    } else if (this.damages > 0) {
      this.damages -= 1;
      // The damaged event is JSON still, so that only its hash shows the damage.
      sent = text.replace('"timestamp":"2', '"timestamp":"3').replace('"timestamp":"1', '"timestamp":"2');
    }
    for (const follower of [...this.followers]) follower.appended(log, sent);
    this.list(log);
    for (const waiter of [...this.#waiters]) waiter();
  }

  /** Gives a campaign to another owner. */
  setOwner(log: CampaignLog, owner: string | null): void {
    log.owner = owner;
    this.list(log);
    for (const follower of [...this.followers]) {
      if (follower.session !== undefined && !log.isVisible(follower.session.user)) follower.revoked(log);
    }
  }

  /** The list has another number after each change of a campaign. */
  list(log: CampaignLog): void {
    this.listNumber += 1;
    log.listed(this.listNumber);
    for (const follower of [...this.followers]) follower.listChanged();
  }

  /** Waits until something was appended, at most `ms` milliseconds. Returns whether it was in time. */
  async appended(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (isInTime: boolean): void => {
        clearTimeout(timer);
        this.#waiters.delete(wake);
        resolve(isInTime);
      };
      const wake = (): void => end(true);
      const timer = setTimeout(() => end(false), ms);
      this.#waiters.add(wake);
    });
  }

  /** Lets everybody that waits for an event go on. */
  wakeAll(): void {
    for (const waiter of [...this.#waiters]) waiter();
  }

  /** Begins a session, to which also belongs what has no token, and returns its token. */
  admit(user: string | null): string {
    this.lastUser = user;
    const token = this.addToken(user);
    this.session = this.tokens.get(token);
    return token;
  }

  addToken(user: string | null): string {
    const token = `token-${this.tokens.size + 1}-${user ?? "anybody"}`;
    this.tokens.set(token, { user });
    return token;
  }

  /** Ends the sessions of a user, or all of them. Returns their number. */
  expire(user?: string | null): number {
    return this.#endAll((session) => user === undefined || session.user === user);
  }

  /** Ends one session. The others of its user go on. */
  end(ended: Session): void {
    this.#endAll((session) => session === ended);
  }

  #endAll(matches: (session: Session) => boolean): number {
    const isOver = (session: Session | undefined): boolean => session !== undefined && matches(session);
    const tokens = [...this.tokens].filter(([, session]) => isOver(session));
    for (const [token] of tokens) this.tokens.set(token, undefined);
    for (const follower of [...this.followers]) if (isOver(follower.session)) follower.expired();
    if (isOver(this.session)) this.session = undefined;
    return tokens.length;
  }

  /**
   * The session of a token; `undefined` if it is over. Requests without a token, or with one of the application, belong
   * to the session that was admitted last.
   */
  sessionOf(token: unknown): Session | undefined {
    return this.tokens.has(token as string) ? this.tokens.get(token as string) : this.session;
  }

  /** Notes a request, and returns the code with which it is refused, if it is. */
  refusalOf(request: TestRequest): ErrorCode | undefined {
    this.requests.push(request);
    if (this.requests.length > REQUESTS_MAX) this.requests.shift();
    for (const refusal of this.refusals) {
      if (!refusal.matches(request)) continue;
      this.refusals.delete(refusal);
      return refusal.code;
    }
    return undefined;
  }
}

/** The subject of the sessions of a user: a text that reveals nothing. */
export function subjectOf(user: string): string {
  return sha256(`campaign-sync/testing ${user}`).slice(0, 32);
}
