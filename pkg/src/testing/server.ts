/** The test server: what a test does to it, and what an application connects to. */
import { ACTION } from "../actions.js";
import { bindMethods, disposeBy } from "../bind.js";
import { checked, checkedMembers, COUNT, FUNCTION, invalidArgument, oneOf, type Rules } from "../check.js";
import { CampaignSyncError } from "../errors.js";
import { deepFreeze } from "../plain.js";
import { begin, changeRows, patchRecord, remove, removeRows, takeStep, type Circumstances } from "./changes.js";
import { checkedCode, checkedId, checkedRows, COUNT_FROM_1, LONG_TEXT, RECORD, USER } from "./check.js";
import { replaceGlobals, unreachable, untilAborted } from "./fetch.js";
import type { CampaignLog, RowPatch } from "./log.js";
import { Network } from "./network.js";
import { CAMPAIGN, OPTIONS, TRANSITION, type TestCampaign, type TestRow, type TestServerOptions, type TestState, type TransitionOptions } from "./options.js";
import { Routes } from "./rest.js";
import { Connection } from "./session.js";
import { State, type TestRequest } from "./state.js";
import { inTurn, nextFrame, nextTurn, pass, restless, type AdvanceTimers } from "./time.js";
import type { CampaignRecord } from "../types.js";
import type { CampaignAction, ErrorCode } from "../words.js";

/** Rounds, and rounds with an animation frame, after which `settled` gives up. */
const [ROUNDS_MAX, FRAMES_MAX] = [500, 100];
/** Calls of `act` after which it gives up. A request that follows an answer needs another call. */
const ACTS_MAX = 20;
/** Times that frames or requests may follow within one `act` after everything is settled. */
const QUOTA = 200;
/** Longest wait of `connected`, its shortest one by `performance`, and the time between two looks, in milliseconds. */
const [CONNECTED_MS_MAX, REAL_MS_MIN, LOOK_MS] = [60_000, 5_000, 50];

/** The options with which a client connects to the server. */
export interface TestSocketOptions {
  /** The address of the server. */
  readonly url: string;
  /** The constructor of sockets to the server. */
  readonly WebSocket: TestSocketConstructor;
}

/** A constructor of sockets to the server, as `WebSocket` of the platform is one. */
export interface TestSocketConstructor {
  /** Opens a socket. */
  new (url: string): WebSocket;
}

/** The options with which requests over REST reach the server. */
export interface TestRestOptions {
  /** The address of the routes. */
  readonly baseUrl: string;
  /** Answers requests, with the interface of `fetch`. */
  readonly fetch: typeof globalThis.fetch;
}

/** A server in the memory of the test. Its methods need no `this`. */
export class TestServer implements Disposable {
  /** Closes the server, as `close` does. `using` calls it. */
  declare [Symbol.dispose]: () => void;
  /** The address of the WebSocket, for the option `url`. The sockets and the `fetch` of the server take any other one, too. */
  readonly url = "wss://campaign-sync.test/api/v2/ws";
  /** The address of the REST routes. */
  readonly baseUrl = "https://campaign-sync.test/api/v2";
  /** The constructor of sockets to this server, for the option `WebSocket`. */
  readonly WebSocket: TestSocketConstructor;
  /** The options of a client: `new CampaignSync({ ...server.options })`. */
  readonly options: TestSocketOptions;
  /** The options of a `RestClient`, of `restFetcher` and of `restSnapshot`. */
  readonly rest: TestRestOptions;
  readonly #act: ((work: () => Promise<void>) => unknown) | undefined;
  readonly #advance: AdvanceTimers | undefined;
  readonly #state: State;
  readonly #network: Network;
  readonly #routes: Routes;
  #isHolding = false;
  #isClosed = false;
  /** Whether sockets were cut and nothing was settled since. */
  #wasCut = false;
  #uninstall: (() => void) | undefined;

  /** Throws `invalid_argument` for an invalid option. */
  constructor(options: TestServerOptions = {}) {
    const { act, advanceTimers, passwords = {}, partRows = 1_000, heartbeatMs = 5_000 } = checkedMembers("options", options, OPTIONS);
    this.#act = act;
    this.#advance = advanceTimers;
    this.#state = new State(passwords, partRows, heartbeatMs);
    this.#routes = new Routes(this.#state);
    this.#network = new Network((peer) => {
      if (this.#state.isAway) return undefined;
      const connection = new Connection(this.#state, peer, this.#isHolding);
      this.#state.followers.add(connection);
      return connection;
    });
    bindMethods(this, Object);
    this.WebSocket = this.#network.socketClass();
    this.options = Object.freeze({ url: this.url, WebSocket: this.WebSocket });
    this.rest = Object.freeze({ baseUrl: this.baseUrl, fetch: this.fetch });
  }

  /** The requests that the server received, in order: messages, and calls of its routes. The newest 10,000. */
  get requests(): readonly TestRequest[] {
    return [...this.#state.requests];
  }

  /** The routes of docs/openapi.json below any address that ends in `/api/v2`, with the interface of the platform's `fetch`. */
  async fetch(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
    const arrival = new Promise<void>((resolve) => this.#network.carry(resolve));
    return untilAborted(input, init, arrival, async () => {
      if (this.#state.isAway) throw unreachable();
      const answer = await this.#routes.fetch(input, init);
      // A server that stops meanwhile answers nothing.
      if (this.#state.isAway) throw unreachable();
      return answer;
    });
  }

  /** Creates a campaign, and returns its id. */
  create(campaign: TestCampaign = {}): string {
    const { campaignId: own, owner = null, rows = [], ...record } = checkedMembers("campaign", campaign, CAMPAIGN);
    const patches = checkedRows(rows, new Map());
    const campaignId = own === undefined ? this.#open().newId() : checkedId(own);
    if (this.#open().logs.has(campaignId)) throw new CampaignSyncError("invalid_argument", { message: `There is a campaign ${campaignId} already.` });
    const log = this.#state.newLog(campaignId, owner, { pattern: "name-{n}.example", count: patches.length, seed: 1, rate: 100 });
    begin(this.#state, log, record);
    changeRows(this.#state, log, patches);
    return campaignId;
  }

  /** Changes the record. A change of the phase is a transition; use `transition` for the steps of the phase machine. */
  patch(campaignId: string, change: Partial<CampaignRecord>): void {
    const log = this.#log(campaignId);
    patchRecord(this.#state, log, checkedMembers("change", change, RECORD as Rules<Partial<CampaignRecord>>));
  }

  /** Creates and changes rows; a number adds as many new ones. */
  rows(campaignId: string, rows: readonly TestRow[] | number): void {
    const log = this.#log(campaignId);
    changeRows(this.#state, log, checkedRows(rows as readonly RowPatch[] | number, log.rows));
  }

  /** Removes rows by their ids. Unknown ids are ignored. */
  removeRows(campaignId: string, domainIds: readonly string[]): void {
    const log = this.#log(campaignId);
    checked("domainIds", domainIds, [(it) => Array.isArray(it) && it.every((id) => LONG_TEXT[0](id)), "a list of texts"]);
    removeRows(this.#state, log, domainIds);
  }

  /** Takes a step of the phase machine (docs/PHASES.md). Throws `illegal_transition` if the state does not allow it. */
  transition(campaignId: string, action: CampaignAction, options: TransitionOptions = {}): void {
    const log = this.#log(campaignId);
    checked("action", action, ACTION);
    takeStep(this.#state, log, action, checkedMembers("options", options, TRANSITION) as Circumstances);
  }

  /** Sends a message for people to those that follow the campaign. */
  notify(campaignId: string, message: string, level: "info" | "warning" | "error" = "info"): void {
    const log = this.#log(campaignId);
    checked("message", message, LONG_TEXT);
    checked("level", level, oneOf("info", "warning", "error"));
    this.#state.append(log, "system.notification", { campaignId, level, message });
  }

  /** Deletes a campaign. */
  remove(campaignId: string): void {
    remove(this.#state, this.#log(campaignId));
  }

  /** Gives a campaign to a user, or with `null` to everybody. Others lose it at once. */
  setOwner(campaignId: string, owner: string | null): void {
    this.#state.setOwner(this.#log(campaignId), checked("owner", owner, USER));
  }

  /** Returns what the server has of a campaign, to compare a page with it. */
  state(campaignId: string): TestState {
    const { record, rows, position, owner } = this.#log(campaignId);
    const { campaignId: _, totalDomainCount: __, ...campaign } = record;
    return deepFreeze({ campaign, rows: [...rows.values()].map((row) => ({ ...row })) as unknown as TestRow[], position, owner });
  }

  /**
   * Refuses the next request with a code: the next one for which `matches` returns true; without `matches`, the next one
   * that is neither a ping nor the opening of a connection. Returns a function that withdraws the refusal.
   */
  refuse(code: ErrorCode, matches?: (request: TestRequest) => boolean): () => void {
    if (matches !== undefined) checked("matches", matches, FUNCTION);
    const isUsual = ({ type }: TestRequest): boolean => type !== "ping" && type !== "connection_init";
    const refusal = { code: checkedCode("code", code), matches: matches ?? isUsual };
    const { refusals } = this.#open();
    refusals.add(refusal);
    return () => void refusals.delete(refusal);
  }

  /**
   * Cuts all sockets. The clients connect again after a random pause of up to 500 ms. The next `settled()` shows them
   * disconnected, however short that pause is.
   */
  drop(): void {
    this.#open();
    this.#wasCut = true;
    this.#network.cut();
  }

  /** Cuts all sockets, and is away until `resume()`: no socket opens, and every `fetch` fails. */
  stop(): void {
    this.#open();
    this.#state.isAway = true;
    this.#state.wakeAll();
    this.#network.cut();
  }

  /** Carries nothing in either direction until `resume()`, and closes nothing. Clients notice by their own rules. */
  silence(): void {
    this.#open();
    this.#network.silent = true;
  }

  /** Holds back what brings data to clients until `resume()`: they are connected, and `loading` or `recovering`. */
  hold(): void {
    this.#open();
    this.#isHolding = true;
    for (const connection of this.#connections()) connection.hold();
  }

  /** Ends `stop()`, `silence()` and `hold()`. Frames and requests that waited follow. */
  resume(): void {
    this.#open();
    this.#state.isAway = this.#isHolding = false;
    for (const connection of this.#connections()) connection.release();
    this.#network.silent = false;
  }

  /** Announces a stop with `server_draining`, and closes all sockets with 1012. */
  drain(retryAfterMs = 1_000): void {
    checked("retryAfterMs", retryAfterMs, COUNT);
    this.#open();
    for (const connection of this.#connections()) connection.drain(retryAfterMs);
  }

  /**
   * Ends the sessions of a user, or all of them: sockets close with 4401, and sockets and requests are refused until
   * `admit()`.
   */
  expire(user?: string | null): void {
    if (user !== undefined) checked("user", user, USER);
    this.#open().expire(user);
  }

  /**
   * Begins a session: sockets and requests belong to this user from now on; without an argument, to the user before.
   * `null` sees everything, as at the start. Returns a token, for tests with several users at once: what carries it
   * belongs to this session also later. A token of the application says nothing to the server. Open sockets keep their
   * session.
   */
  admit(user?: string | null): string {
    const state = this.#open();
    return state.admit(user === undefined ? state.lastUser : checked("user", user, USER));
  }

  /** Loses the next events on their way: clients find a gap, or that their end is missing. */
  lose(events = 1): void {
    this.#open().losses += checked("events", events, COUNT_FROM_1);
  }

  /** Damages the next events on their way: clients find that the hash does not match. */
  damage(events = 1): void {
    this.#open().damages += checked("events", events, COUNT_FROM_1);
  }

  /** Sends the last event of each campaign again. */
  repeat(): void {
    this.#open();
    for (const connection of this.#connections()) connection.repeat();
  }

  /** Removes the history of a campaign, all but the newest `keep` events: older clients get a snapshot. */
  truncate(campaignId: string, keep = 0): void {
    this.#log(campaignId).truncate(checked("keep", keep, COUNT));
  }

  /** Continues in other logs, as after a restore from a backup, and cuts all sockets: clients get snapshots. */
  restore(): void {
    const epoch = this.#open().renewEpoch();
    for (const log of this.#state.logs.values()) {
      log.restore(epoch);
      this.#state.list(log);
    }
    this.drop();
  }

  /**
   * Resolves when all frames have arrived, the requests are answered, and the clients have called their listeners. Faked
   * timers are moved by one animation frame (16 ms), as often as needed. It does not wait for the pauses before the next
   * attempt of a client: `connected()` does. Rejects with `timed_out` if the application never comes to rest; if it does
   * so inside `act`, the server is then silent, as after `silence()`.
   */
  async settled(): Promise<void> {
    this.#open();
    const wasCut = this.#wasCut;
    if (wasCut) this.#network.accepting = false;
    try {
      await this.#inAct(() => this.#settle());
    } finally {
      if (wasCut) this.#network.accepting = true;
      this.#wasCut = false;
    }
  }

  /**
   * Resolves when a client is connected and everything is settled, for example after `drop()`: the client then waits up
   * to 500 ms before it connects again. Faked timers are moved. Rejects with `timed_out` after 60 s.
   */
  async connected(): Promise<void> {
    this.#open();
    this.#wasCut = false;
    // Some fakes leave `performance` real, by which clients measure time.
    const began = performance.now();
    for (let waited = 0; ; waited += LOOK_MS) {
      await this.#inAct(async () => {
        if (waited > 0) await pass(LOOK_MS, this.#advance);
        await this.#settle();
      });
      if (this.#connections().some(({ isAcknowledged }) => isAcknowledged)) return;
      if (waited >= CONNECTED_MS_MAX && performance.now() - began >= REAL_MS_MIN) throw new CampaignSyncError("timed_out", { message: "No client connected to the test server." });
    }
  }

  /**
   * Replaces the global `WebSocket` and `fetch` until `close()`, for an application that takes no options. A `fetch` of an
   * address without `/api/v2/` goes to the former one.
   */
  install(): void {
    this.#open();
    if (this.#uninstall !== undefined) return;
    const { fetch } = globalThis;
    const isOurs = (input: RequestInfo | URL): boolean => /\/api\/v2\//.test(typeof input === "object" && "url" in input ? input.url : String(input));
    const replacement = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> =>
      isOurs(input) && !this.#isClosed ? this.fetch(input, init) : fetch(input, init);
    this.#uninstall = replaceGlobals({ WebSocket: this.WebSocket as typeof WebSocket, fetch: replacement });
  }

  /** Closes the server: cuts all sockets, and leaves no timer. Later calls throw `closed`. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = this.#state.isAway = true;
    this.#uninstall?.();
    for (const connection of this.#connections()) connection.closed();
    this.#network.cut();
    this.#network.silent = false;
    this.#state.wakeAll();
  }

  static {
    disposeBy(this.prototype, this.prototype.close);
  }

  #open(): State {
    if (this.#isClosed) throw new CampaignSyncError("closed", { message: "The test server is closed: create a new one." });
    return this.#state;
  }

  #log(campaignId: string): CampaignLog {
    return this.#open().existing(checkedId(campaignId));
  }

  #connections(): Connection[] {
    return [...this.#state.followers] as Connection[];
  }

  /** Runs `work` inside `act`. React renders at its end, and what it then subscribes to needs another round. */
  async #inAct(work: () => Promise<void>): Promise<void> {
    const act = this.#act;
    if (act === undefined) return work();
    for (let round = 0; round < ACTS_MAX; round++) {
      const { activity } = this.#network;
      let isDone = false;
      await inTurn(async () => {
        await act(async () => {
          await work();
          isDone = true;
          // `act` of React goes on as long as components render, which they may do after every answer.
          this.#network.quota = QUOTA;
        });
      });
      if (!isDone) throw invalidArgument("act", "a function that calls its argument and waits for the promise, as that of React");
      const { quota } = this.#network;
      this.#network.quota = Infinity;
      if (quota < 0) break;
      if (activity === this.#network.activity) return;
    }
    throw restless();
  }

  async #settle(): Promise<void> {
    for (let [round, frames] = [0, 0]; round < ROUNDS_MAX && frames < FRAMES_MAX; round++) {
      this.#open();
      const { activity } = this.#network;
      await nextTurn();
      for (const connection of this.#connections()) connection.flushList();
      const isBusy = (): boolean => !this.#network.isIdle || this.#routes.running > 0 || this.#network.activity !== activity;
      if (isBusy()) continue;
      frames += 1;
      await nextFrame(this.#advance);
      await nextTurn();
      if (!isBusy()) return;
    }
    throw restless();
  }
}

/** Creates a server for tests. Throws `invalid_argument` for an invalid option. */
export function createTestServer(options: TestServerOptions = {}): TestServer {
  return new TestServer(options);
}
