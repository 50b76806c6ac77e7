/**
 * `campaign-sync/rest`: reads and writes over REST, typed by the server's own description (docs/openapi.json).
 *
 * It never loads the WebAssembly module. With a `sync` it sends what the page saw (`expectedState`), asks for answers
 * that are not older than the page (`min_position`), and waits until the page shows a write.
 *
 * @module campaign-sync/rest
 */

import createClient, { type Client } from "openapi-fetch";

import { ACTION, allowedActions, type PhaseState } from "./actions.js";
import { noAnswer, refusalOf } from "./answers.js";
import { checked, checkedMembers, COUNT, DURATION, FUNCTION, invalidArgument, oneOf, orNull, TEXT, withMethods, type Rule, type Rules } from "./check.js";
import { attempts, type Failure, type Result } from "./deadline.js";
import { asCampaignSyncError, CampaignSyncError, cut, describe } from "./errors.js";
import { platform } from "./platform.js";
import { formatPosition, higher, parsePosition, type LogPosition } from "./position.js";
import { isUnauthorized, renewalOf } from "./renewal.js";
import type {
  AuditEntry,
  CallOptions,
  CampaignPage,
  Changed,
  CurrentSession,
  ExpectedState,
  FaultSettings,
  LoggedIn,
  NewCampaign,
  RestCampaign,
  RestClientOptions,
  RestRecord,
  RestRow,
  RestSnapshot,
  RestSync,
  RowsFilter,
  RowsPage,
  Schemas,
  WriteOptions,
} from "./rest/model.js";
import type { paths } from "./rest/types.js";
import type { CampaignAction } from "./words.js";

export { allowedActions, type PhaseState } from "./actions.js";
export { CampaignSyncError } from "./errors.js";
export type { LogPosition } from "./position.js";
export type {
  AuditEntry,
  CallOptions,
  CampaignPage,
  CampaignSettings,
  Changed,
  CurrentSession,
  ExpectedState,
  FaultSettings,
  LoggedIn,
  NewCampaign,
  PhaseAndStatus,
  RestCampaign,
  RestClientOptions,
  RestRecord,
  RestRow,
  RestSnapshot,
  RestSync,
  RowsFilter,
  RowsPage,
  WriteOptions,
} from "./rest/model.js";
export type { AuditType, CampaignAction, DnsStatus, ErrorCode, HttpStatus, LeadStatus, Phase, PhaseStatus } from "./words.js";

/** The result of `openapi-fetch`. */
interface Outcome<T> {
  readonly data?: T | undefined;
  readonly error?: unknown;
  readonly response: Response;
}

/** The options that all requests have. */
interface Common {
  readonly signal: AbortSignal;
  readonly headers: Record<string, string>;
}

/** Sends one request through `openapi-fetch`. */
type Call<T> = (common: Common) => Promise<Outcome<T>>;

interface Answer<T> {
  readonly data: T;
  readonly position: LogPosition | null;
}

const OBJECT: Rule = [(it) => typeof it === "object" && it !== null && !Array.isArray(it), "an object"];
const KEY: Rule = [(it) => typeof it === "string" && /^[!-~]{1,128}$/.test(it), "1 to 128 visible ASCII characters"];
const SIGNAL: Rule = withMethods("addEventListener", "removeEventListener");
const CLIENT: Rules<RestClientOptions> = { baseUrl: TEXT, fetch: FUNCTION, token: FUNCTION, sync: withMethods("view", "campaign"), timeoutMs: DURATION };
const CALL: Rules<CallOptions> = { signal: SIGNAL, timeoutMs: DURATION };
const WRITE: Rules<WriteOptions> = { ...CALL, expectedState: orNull(TEXT), idempotencyKey: KEY, reason: TEXT };
const LIST: Rules<{ limit?: number; cursor?: string } & CallOptions> = { ...CALL, limit: COUNT, cursor: TEXT };
const FILTER: Rules<RowsFilter & { limit?: number } & CallOptions> = { ...CALL, search: TEXT, dnsStatus: TEXT, httpStatus: TEXT, limit: COUNT };

const TIMEOUT_MS = 30_000;
const PAGE_ROWS = 1_000;
/** Number of campaigns whose last write is remembered. */
const WRITTEN_MAX = 1_000;

/**
 * The client of the REST interface. Every method rejects with a `CampaignSyncError`: with the code of the server's
 * refusal, with `fetch_failed` if there is no usable answer, with `timed_out`, or with `invalid_argument`. Its `cause`
 * has the `status` of a refusal. A call rejects with the reason of its `signal`.
 *
 * A request that fails on the way, and one that the server answers with 429, 502, 503 or 504, is repeated up to three
 * times, if that is harmless: reads, writes with their idempotency key, and logout, but never a login. A request that is
 * refused with `unauthorized` is sent once more if the `onUnauthorized` of `sync` renews the session; login and logout
 * are not.
 *
 * It can be the `actions` of `CampaignSyncProvider` (`campaign-sync/react`).
 */
export class RestClient {
  readonly #client: Client<paths>;
  readonly #token: RestClientOptions["token"];
  readonly #sync: RestSync | undefined;
  readonly #timeoutMs: number;
  /** The position of the last write of each campaign. */
  readonly #written = new Map<string, LogPosition>();

  /** Throws `invalid_argument` for an invalid option. */
  constructor(options: RestClientOptions = {}) {
    const { baseUrl = "/api/v2", fetch, token, sync, timeoutMs = TIMEOUT_MS } = checkedMembers("options", options, CLIENT);
    this.#token = token;
    this.#sync = sync;
    this.#timeoutMs = timeoutMs;
    this.#client = createClient<paths>({ baseUrl: absolute(baseUrl), cache: "no-store", fetch: (request) => (fetch ?? globalThis.fetch)(request) });
  }

  /** Begins a session. A page gets a cookie that scripts cannot read; with `bearer: true` the answer has a token instead. */
  async login(user: string, password: string, options: CallOptions & { bearer?: boolean } = {}): Promise<LoggedIn> {
    const { bearer, ...limits } = checkedMembers("options", options, { ...CALL, bearer: [(it) => typeof it === "boolean", "true or false"] });
    const body = { user: checked("user", user, TEXT), password: checked("password", password, TEXT), ...(bearer !== undefined && { bearer }) };
    return (await this.#send((common) => this.#client.POST("/auth/login", { ...common, body }), limits, { repeatable: false, renewable: false })).data;
  }

  /** Returns the session of the client's requests. Rejects with `unauthorized` if the server requires one. */
  async session(options: CallOptions = {}): Promise<CurrentSession> {
    return (await this.#send((common) => this.#client.GET("/auth/session", { ...common }), options)).data;
  }

  /** Ends the session. Its sockets are closed. */
  async logout(options: CallOptions = {}): Promise<void> {
    await this.#send((common) => this.#client.POST("/auth/logout", { ...common, body: {} }), options, { renewable: false });
  }

  /** Ends all sessions of a user, and returns their number; for the operator. */
  async revoke(user: string, options: CallOptions = {}): Promise<number> {
    const params = { path: { user: checked("user", user, TEXT) } };
    return (await this.#send((common) => this.#client.DELETE("/auth/sessions/{user}", { ...common, params, body: {} }), options)).data.ended;
  }

  /** Returns a page of the campaigns that the session may see, in ascending order of their ids. */
  async list(options: { limit?: number; cursor?: string } & CallOptions = {}): Promise<CampaignPage> {
    const { signal, timeoutMs, ...query } = checkedMembers("options", options, LIST);
    const params = { query: { limit: 100, ...query } };
    const { data } = await this.#send((common) => this.#client.GET("/campaigns", { ...common, params }), limits(signal, timeoutMs));
    return { campaigns: data.campaigns as RestRecord[], next: data.next ?? null };
  }

  /** Iterates over all campaigns that the session may see, page by page. */
  async *campaigns(options: CallOptions = {}): AsyncGenerator<RestRecord, void> {
    const limits = checkedMembers("options", options, CALL);
    let cursor: string | null = "";
    do {
      const page: CampaignPage = await this.list({ ...limits, limit: 1_000, ...(cursor !== "" && { cursor }) });
      yield* page.campaigns;
      cursor = page.next;
    } while (cursor !== null);
  }

  /** Returns the record and the settings of a campaign. */
  async get(campaignId: string, options: CallOptions = {}): Promise<RestCampaign> {
    const params = { path: { id: idOf(campaignId) }, query: this.#floor(campaignId) };
    const { data, position } = await this.#read(campaignId, (common) => this.#client.GET("/campaigns/{id}", { ...common, params }), options);
    return { ...(data as Schemas["Campaign"] & RestRecord), position };
  }

  /**
   * Iterates over the rows of a campaign, in pages of `limit` rows (1,000 if absent). All pages belong to one position:
   * if the campaign moves between two pages, the next one rejects with `position_changed`. While a campaign runs, use
   * `snapshot()`, or `rows()` of its handle.
   */
  async *rows(campaignId: string, filter: RowsFilter & { limit?: number } & CallOptions = {}): AsyncGenerator<RowsPage, void> {
    const { signal, timeoutMs, limit = PAGE_ROWS, ...query } = checkedMembers("filter", filter, FILTER);
    let first: RowsPage | undefined;
    for (let offset = 0; first === undefined || offset < first.total; offset += limit) {
      const params = { path: { id: idOf(campaignId) }, query: { ...query, ...this.#floor(campaignId), offset, limit } };
      const { data, position } = await this.#read(campaignId, (common) => this.#client.GET("/campaigns/{id}/domains", { ...common, params }), limits(signal, timeoutMs));
      const page = { position, rows: data.domains as RestRow[], total: data.total };
      first ??= page;
      if (position?.epoch !== first.position?.epoch || position?.sequenceNumber !== first.position?.sequenceNumber) throw new CampaignSyncError("position_changed");
      yield page;
      if (limit === 0) return;
    }
  }

  /** Returns the whole state of a campaign at one position. */
  async snapshot(campaignId: string, options: CallOptions = {}): Promise<RestSnapshot> {
    const params = { path: { id: idOf(campaignId) }, query: this.#floor(campaignId) };
    return (await this.#read(campaignId, (common) => this.#client.GET("/campaigns/{id}/snapshot", { ...common, params }), options)).data as RestSnapshot;
  }

  /** Returns the audit trail: the transitions, or with `all` every request that changed the campaign. */
  async transitions(campaignId: string, options: CallOptions & { all?: boolean } = {}): Promise<readonly AuditEntry[]> {
    const { all, ...limits } = checkedMembers("options", options, { ...CALL, all: [(it) => typeof it === "boolean", "true or false"] });
    const params = { path: { id: idOf(campaignId) }, query: { ...this.#floor(campaignId), ...(all !== undefined && { all }) } };
    return (await this.#read(campaignId, (common) => this.#client.GET("/campaigns/{id}/transitions", { ...common, params }), limits)).data.transitions as AuditEntry[];
  }

  /** Creates a campaign. */
  async create(campaign: NewCampaign, options: CallOptions & Pick<WriteOptions, "idempotencyKey"> = {}): Promise<Changed> {
    const { idempotencyKey, ...limits } = checkedMembers("options", options, { ...CALL, idempotencyKey: KEY });
    const [params, body] = [{ header: keyed(idempotencyKey) }, checked("campaign", campaign, OBJECT)];
    return this.#write(undefined, (common) => this.#client.POST("/campaigns", { ...common, params, body }), limits);
  }

  /**
   * Takes a step of the phase machine, and waits until `sync` shows it, if it holds the campaign. `allowedActions` says
   * which actions are possible.
   */
  async act(campaignId: string, action: CampaignAction, options: WriteOptions = {}): Promise<Changed> {
    const { idempotencyKey, expectedState, reason, ...limits } = checkedMembers("options", options, WRITE);
    const params = { path: { id: idOf(campaignId), action: checked("action", action, ACTION) }, header: keyed(idempotencyKey) };
    const body = changeOf(expectedState === undefined ? this.#shownState(campaignId) : expectedState, reason);
    return this.#write(campaignId, (common) => this.#client.POST("/campaigns/{id}/{action}", { ...common, params, body }), limits);
  }

  /** Returns the actions that the state of a record allows, as the function of this name does. */
  allowedActions(record: PhaseState): readonly CampaignAction[] {
    return allowedActions(record);
  }

  /** Gives a campaign to another owner; `null` for the operator. */
  async setOwner(campaignId: string, owner: string | null, options: WriteOptions = {}): Promise<Changed> {
    const { idempotencyKey, expectedState, reason, ...limits } = checkedMembers("options", options, WRITE);
    const params = { path: { id: idOf(campaignId) }, header: keyed(idempotencyKey) };
    const body = { owner: checked("owner", owner, orNull(TEXT)), ...changeOf(expectedState, reason) };
    return this.#write(campaignId, (common) => this.#client.PUT("/campaigns/{id}/owner", { ...common, params, body }), limits, false);
  }

  /** Deletes a campaign. Its log stays for the clients that follow it. */
  async delete(campaignId: string, options: WriteOptions = {}): Promise<Changed> {
    const { idempotencyKey, expectedState, reason, ...limits } = checkedMembers("options", options, WRITE);
    const params = { path: { id: idOf(campaignId) }, header: keyed(idempotencyKey) };
    const body = changeOf(expectedState, reason);
    return this.#write(campaignId, (common) => this.#client.DELETE("/campaigns/{id}", { ...common, params, body }), limits, false);
  }

  /** The settings of the fault injection. A server without it rejects with `not_found`. */
  async faults(options: CallOptions = {}): Promise<FaultSettings> {
    return (await this.#send((common) => this.#client.GET("/faults", { ...common }), options)).data;
  }

  /** Replaces the settings of the fault injection. */
  async setFaults(settings: FaultSettings, options: CallOptions = {}): Promise<FaultSettings> {
    const body = checked("settings", settings, OBJECT);
    return (await this.#send((common) => this.#client.POST("/faults", { ...common, body }), options)).data;
  }

  /** Cuts all sockets, or kills the server. */
  async injectFault(kind: "cut" | "kill", options: CallOptions = {}): Promise<void> {
    checked("kind", kind, oneOf("cut", "kill"));
    await this.#send<unknown>((common) => this.#client.POST(`/faults/${kind}`, { ...common, body: {} }), options, { repeatable: false });
  }

  /**
   * Sends a read. If the server does not get to the position of the last write, another log may have replaced that one,
   * so later reads do not ask for it.
   */
  async #read<T>(campaignId: string, call: Call<T>, options: CallOptions): Promise<Answer<T>> {
    try {
      return await this.#send(call, options);
    } catch (error) {
      if (error instanceof CampaignSyncError && error.code === "behind") this.#written.delete(campaignId);
      throw error;
    }
  }

  /** Sends a write, remembers its position, and waits until the page shows it. */
  async #write(campaignId: string | undefined, call: Call<Schemas["Changed"]>, options: CallOptions, shown = true): Promise<Changed> {
    const began = Date.now();
    const { data, position: header } = await this.#send(call, options);
    const { epoch, sequenceNumber } = data.position;
    const position = header ?? { epoch, sequenceNumber };
    const id = campaignId ?? data.campaign.campaignId;
    const before = this.#written.get(id);
    this.#written.delete(id);
    this.#written.set(id, higher(before, position));
    const [oldest] = this.#written.keys();
    if (this.#written.size > WRITTEN_MAX && oldest !== undefined) this.#written.delete(oldest);
    if (shown && campaignId !== undefined) await this.#shows(campaignId, position, options, began);
    return { campaign: data.campaign as RestRecord, position };
  }

  async #shows(campaignId: string, position: LogPosition, { signal, timeoutMs = this.#timeoutMs }: CallOptions, began: number): Promise<void> {
    if (this.#ask((sync) => sync.view(campaignId)) === undefined) return;
    const handle = this.#ask((sync) => sync.campaign(campaignId));
    try {
      await handle?.reached(position, { timeoutMs: Math.max(0, timeoutMs - (Date.now() - began)), ...(signal && { signal }) });
    } catch (error) {
      throw error instanceof CampaignSyncError ? notShown(error, position) : error;
    } finally {
      handle?.release();
    }
  }

  async #send<T>(call: Call<T>, options: CallOptions, { repeatable = true, renewable = true } = {}): Promise<Answer<T>> {
    const { signal, timeoutMs = this.#timeoutMs } = checkedMembers("options", options, CALL);
    let renew = renewable && this.#sync !== undefined ? renewalOf(this.#sync) : undefined;
    const run = async (own: AbortSignal): Promise<Result<Answer<T>>> => {
      const result = await this.#request(call, own);
      if (renew === undefined || !isUnauthorized(result.failure?.error)) return result;
      const renewed = renew();
      renew = undefined;
      return (await renewed) && !own.aborted ? run(own) : result;
    };
    return attempts(run, { signal, timeoutMs, repeatable });
  }

  /** Sends one request. */
  async #request<T>(call: Call<T>, signal: AbortSignal): Promise<Result<Answer<T>>> {
    let token: unknown;
    try {
      token = (await this.#token?.()) ?? "";
    } catch (cause) {
      return { failure: { error: tokenFailed(cause), status: 0, retryAfterMs: undefined } };
    }
    if (typeof token !== "string" || !/^[!-~]*$/.test(token)) throw new CampaignSyncError("invalid_token", { message: INVALID_TOKEN });
    try {
      const headers: Record<string, string> = token === "" ? {} : { authorization: `Bearer ${token}` };
      const { data, error, response } = await call({ signal, headers });
      if (!response.ok || data === undefined) return { failure: refusal(response, error) };
      return { value: { data, position: parsePosition(response.headers.get("campaign-position")) } };
    } catch (cause) {
      return { failure: { error: noAnswer(cause), status: 0, retryAfterMs: undefined } };
    }
  }

  /** Asks the client of the stream, which may be another one than that of the package. Throws a `CampaignSyncError`. */
  #ask<T>(use: (sync: RestSync) => T): T | undefined {
    try {
      return this.#sync && use(this.#sync);
    } catch (error) {
      throw asCampaignSyncError(error);
    }
  }

  /** The position that a read must not be behind: of the last write, and of what the page shows. */
  #floor(campaignId: string): { min_position?: string } {
    const shown = this.#ask((sync) => sync.view(campaignId))?.position;
    const written = this.#written.get(campaignId);
    const floor = shown == null ? written : higher(written, shown);
    return floor === undefined ? {} : { min_position: formatPosition(floor) };
  }

  #shownState(campaignId: string): ExpectedState | undefined {
    const record = this.#ask((sync) => sync.view(campaignId))?.campaign;
    return record ? `${record.currentPhase}/${record.phaseStatus}` : undefined;
  }
}

/** Makes the address absolute by the same rule as that of the socket. Without a page it stays as it is. */
function absolute(baseUrl: string): string {
  const page = platform.document?.baseURI ?? platform.location?.href;
  try {
    return new URL(baseUrl, page).href.replace(/\/$/, "");
  } catch (cause) {
    throw invalidArgument("options.baseUrl", "an address, absolute or relative to the page", cause);
  }
}

/** Returns the id. Throws `invalid_campaign_id` for an invalid one. */
function idOf(campaignId: string): string {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(checked("campaignId", campaignId, TEXT))) throw new CampaignSyncError("invalid_campaign_id");
  return campaignId;
}

function limits(signal: AbortSignal | undefined, timeoutMs: number | undefined): CallOptions {
  return { ...(signal && { signal }), ...(timeoutMs !== undefined && { timeoutMs }) };
}

function changeOf(expectedState: string | null | undefined, reason: string | undefined): Schemas["Change"] {
  return { ...(expectedState != null && { expectedState }), ...(reason !== undefined && { reason }) };
}

/** The header of an idempotency key. `randomUUID` is missing on pages without TLS. */
function keyed(key?: string): { "Idempotency-Key": string } {
  const random = (): string => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return { "Idempotency-Key": key ?? random() };
}

/** The error of a write that the server accepted and the page does not show. */
function notShown({ code, message }: CampaignSyncError, position: LogPosition): CampaignSyncError {
  const text = code === "timed_out" ? "The server accepted the write, and the page does not show it in time: `cause.position` has its place." : message;
  return new CampaignSyncError(code, { cause: { status: 200, code, position }, message: text });
}

const INVALID_TOKEN = "The option `token` must return a text of visible ASCII characters, or nothing.";

function tokenFailed(cause: unknown): CampaignSyncError {
  return new CampaignSyncError("token_failed", { cause, message: `The option \`token\` failed (${cut(describe(cause), 60)}): correct it.` });
}

function refusal(response: Response, body: unknown): Failure {
  const seconds = Number(response.headers.get("retry-after") ?? NaN);
  return { error: refusalOf(response.status, body), status: response.status, retryAfterMs: Number.isFinite(seconds) ? seconds * 1_000 : undefined };
}
