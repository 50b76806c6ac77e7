/** The routes of the test server (docs/openapi.json), as a function with the interface of `fetch`. */
import { ACTION } from "../actions.js";
import { CampaignSyncError } from "../errors.js";
import { parsePosition } from "../position.js";
import { begin, remove, takeStep } from "./changes.js";
import type { WireRow } from "./hash.js";
import type { CampaignLog, Data } from "./log.js";
import { subjectOf, type Session, type State } from "./state.js";
import { sentenceOf } from "./words.js";
import type { ErrorCode } from "../words.js";

/** Longest wait for `min_position`, in milliseconds. */
const BEHIND_MS = 2_000;
const SESSION_SECONDS = 86_400;
const [LIST_MAX, LIST_PAGE, ROWS_MAX, ROWS_PAGE] = [1_000, 100, 10_000, 100];

/** The status of each code (R16.7); 500 if it is absent. */
const STATUSES: Partial<Record<ErrorCode, number>> = {
  invalid_campaign_id: 400, invalid_body: 400, unauthorized: 401, forbidden: 403, unknown_campaign: 404, not_found: 404, method_not_allowed: 405,
  illegal_transition: 409, prerequisites_not_met: 409, expected_state_mismatch: 409, integrity_check_failed: 409, rate_limited: 429, behind: 503, too_many: 503,
};

/** The members of the bodies of writes. The server refuses others, and so finds misspelt ones. */
const BODIES = {
  login: ["user", "password", "bearer"],
  create: ["name", "count", "campaignId", "pattern", "seed", "rate", "batch"],
  change: ["expectedState", "reason"],
  owner: ["owner", "expectedState", "reason"],
} as const;

/** A request of the application. */
interface Call {
  readonly method: string;
  /** The parts of the path after the address of the routes. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
  readonly header: (name: string) => string | null;
  readonly body: string;
}

/** An answer, before it becomes a `Response`. */
interface Answer {
  readonly status: number;
  readonly body: object;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Refuses a request. */
class Refused extends Error {
  constructor(readonly code: ErrorCode, readonly status = STATUSES[code] ?? 500, text?: string) {
    super(text ?? sentenceOf(code));
  }
}

/** The routes, over the state of a server. */
export class Routes {
  readonly #state: State;
  /** The answers to writes, by their idempotency key. */
  readonly #written = new Map<string, { readonly request: string; readonly answer: Answer }>();
  /** Requests that are being answered. */
  running = 0;

  constructor(state: State) {
    this.#state = state;
  }

  /** Answers a request. */
  async fetch(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
    const request = typeof input === "object" && "url" in input ? input : undefined;
    this.running += 1;
    try {
      return response(await this.#answer(await callOf(request, request === undefined ? String(input) : request.url, init)));
    } finally {
      this.running -= 1;
    }
  }

  async #answer(call: Call): Promise<Answer> {
    try {
      return await this.#route(call);
    } catch (error) {
      const { code, message } = error as CampaignSyncError | Refused;
      const status = error instanceof Refused ? error.status : (STATUSES[code] ?? 500);
      const again: Record<string, string> = status === 429 || status === 503 ? { "retry-after": "1" } : {};
      return { status, body: { error: { code, message } }, headers: again };
    }
  }

  async #route(call: Call): Promise<Answer> {
    const { method, path: [area, id, sub] } = call;
    if (area === "auth") return this.#auth(call, `${method} ${String(id)}`, sub);
    if (area !== "campaigns" || call.path.length > 3) throw new Refused("not_found");
    const session = this.#session(call);
    this.#note(call, session, id);
    if (id === undefined) return this.#collection(call, session);
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(id)) throw new Refused("invalid_campaign_id");
    const log = this.#state.visible(id, session);
    if (log === undefined) throw new Refused("unknown_campaign");
    if (method === "GET") return this.#read(call, log, session, sub);
    return this.#once(call, session, (body) => this.#write(call, log, session, sub, body));
  }

  #session(call: Call): Session {
    const token = /^Bearer (.+)$/.exec(call.header("authorization") ?? "")?.[1];
    const session = this.#state.sessionOf(token);
    if (session === undefined) throw new Refused("unauthorized");
    return session;
  }

  /** Notes the request, and refuses it if the test wants that. */
  #note(call: Call, session: Session | undefined, campaignId?: string): void {
    const type = `${call.method} /${call.path.join("/")}`;
    const content = call.body === "" ? undefined : parsed(call.body);
    const about = campaignId === undefined ? {} : { campaignId };
    const code = this.#state.refusalOf({ kind: "http", type, ...about, user: session?.user ?? null, content });
    if (code !== undefined) throw new Refused(code);
  }

  #auth(call: Call, route: string, user: string | undefined): Answer {
    if (route === "POST login") return this.#login(call);
    const session = this.#session(call);
    this.#note(call, session);
    if (route === "POST logout") {
      this.#state.end(session);
      return { status: 200, body: {} };
    }
    if (route === "GET session") {
      const subject = session.user === null ? {} : { subject: subjectOf(session.user) };
      return { status: 200, body: { user: session.user ?? "anonymous", ...subject, expiresInSeconds: SESSION_SECONDS } };
    }
    if (route !== "DELETE sessions" || user === undefined) throw new Refused(/login|logout|session/.test(route) ? "method_not_allowed" : "not_found");
    if (session.user !== null) throw new Refused("forbidden");
    return { status: 200, body: { ended: this.#state.expire(user) } };
  }

  #login(call: Call): Answer {
    this.#note(call, this.#state.session);
    const { user, password, bearer } = only(BODIES.login, bodyOf(call));
    if (typeof user !== "string" || typeof password !== "string") throw new Refused("invalid_body");
    if (Object.hasOwn(this.#state.passwords, user) && this.#state.passwords[user] !== password) throw new Refused("unauthorized");
    const token = bearer === true ? this.#state.addToken(user) : this.#state.admit(user);
    return { status: 200, body: { user, expiresInSeconds: SESSION_SECONDS, ...(bearer === true && { token }) } };
  }

  #collection(call: Call, session: Session): Answer | Promise<Answer> {
    if (call.method === "POST") return this.#once(call, session, (body) => this.#create(body, session));
    if (call.method !== "GET") throw new Refused("method_not_allowed");
    const cursor = call.query.get("cursor");
    const limit = numberOf(call, "limit", { least: 1, most: LIST_MAX, absent: cursor === null ? Infinity : LIST_PAGE });
    const logs = [...this.#state.logs.values()].filter((log) => log.isVisible(session.user) && log.campaignId > (cursor ?? ""));
    logs.sort((a, b) => (a.campaignId < b.campaignId ? -1 : 1));
    const next = logs.length > limit ? logs[limit - 1]?.campaignId : null;
    return { status: 200, body: { campaigns: logs.slice(0, limit).map(({ record }) => record), next } };
  }

  #create(body: Data, session: Session): Answer {
    const { name, campaignId, ...settings } = only(BODIES.create, body);
    const id = (campaignId ?? this.#state.newId()) as string;
    const isNamed = typeof name === "string" && name.length >= 1 && name.length <= 200;
    if (!isNamed) throw new Refused("invalid_body", 400, "name must be a text of 1 to 200 characters.");
    if (!Number.isSafeInteger(settings["count"])) throw new Refused("invalid_body", 400, "count must be a whole number.");
    if (typeof id !== "string" || !/^[A-Za-z0-9_-]{1,64}$/.test(id)) throw new Refused("invalid_campaign_id");
    if (this.#state.logs.has(id)) throw new Refused("invalid_body", 409, "There is a campaign of this id.");
    const log = this.#state.newLog(id, session.user, { pattern: "name-{n}.example", seed: 1, rate: 100, ...settings });
    begin(this.#state, log, { name });
    return changed(201, log);
  }

  async #read(call: Call, log: CampaignLog, session: Session, sub: string | undefined): Promise<Answer> {
    await this.#reached(call, log);
    const headers = positionHeaders(log);
    const body = { undefined: readCampaign, domains: readRows, snapshot: readSnapshot, transitions: readTrail }[String(sub)];
    if (body === undefined) throw new Refused(ACTION[0](sub) ? "method_not_allowed" : "not_found");
    return { status: 200, body: body(log, call, session), headers };
  }

  /** Waits until the log is at `min_position` (R16.2). */
  async #reached(call: Call, log: CampaignLog): Promise<void> {
    const text = call.query.get("min_position");
    if (text === null) return;
    const asked = parsePosition(text);
    if (asked === null) throw new Refused("invalid_body");
    const isThere = (): boolean => log.epoch === asked.epoch && log.head >= asked.sequenceNumber;
    const until = Date.now() + BEHIND_MS;
    // A request that waits is settled: only another change of the test, or time, ends it.
    this.running -= 1;
    try {
      for (let left = BEHIND_MS; !isThere(); left = until - Date.now()) {
        if (left <= 0 || this.#state.isAway || !(await this.#state.appended(left))) throw new Refused("behind");
      }
    } finally {
      this.running += 1;
    }
  }

  /** Repeats the answer to a write whose key is known. */
  #once(call: Call, session: Session, write: (body: Data) => Answer): Answer {
    const key = call.header("idempotency-key");
    const request = `${call.method} ${call.path.join("/")} ${String(session.user)} ${call.body}`;
    const before = key === null ? undefined : this.#written.get(key);
    if (before !== undefined && before.request !== request) throw new Refused("invalid_body", 422, "The idempotency key belongs to another request.");
    const answer = before?.answer ?? write(bodyOf(call));
    if (key !== null) this.#written.set(key, { request, answer });
    return answer;
  }

  #write({ method, path }: Call, log: CampaignLog, session: Session, sub: string | undefined, body: Data): Answer {
    const { expectedState, reason, owner } = only(sub === "owner" ? BODIES.owner : BODIES.change, body) as { expectedState?: string | null; reason?: string | null; owner?: string | null };
    const { currentPhase, phaseStatus } = log.record;
    const isExpected = expectedState == null || [currentPhase, `${currentPhase}/${phaseStatus}`].includes(expectedState as never);
    if (!isExpected) throw new Refused("expected_state_mismatch");
    if (method === "DELETE" && path.length === 2) {
      remove(this.#state, log);
    } else if (method === "PUT" && sub === "owner") {
      if (owner !== null && typeof owner !== "string") throw new Refused("invalid_body");
      this.#state.setOwner(log, owner);
    } else if (method === "POST" && ACTION[0](sub)) {
      takeStep(this.#state, log, sub!, { who: session.user, ...(typeof reason === "string" && { reason }) });
    } else {
      throw new Refused(sub === undefined || sub === "owner" || ACTION[0](sub) ? "method_not_allowed" : "not_found");
    }
    return changed(200, log);
  }
}

function readCampaign({ record, settings, owner }: CampaignLog): object {
  return { ...record, settings: { ...settings, owner } };
}

function readRows(log: CampaignLog, call: Call): object {
  const [offset, limit] = [numberOf(call, "offset", { absent: 0 }), Math.min(ROWS_MAX, numberOf(call, "limit", { absent: ROWS_PAGE }))];
  const search = call.query.get("search")?.trim().toLowerCase() ?? "";
  const matches = (row: WireRow): boolean =>
    String(row.domain).toLowerCase().includes(search) &&
    (["dnsStatus", "httpStatus"] as const).every((column) => call.query.get(column) === null || row[column] === call.query.get(column));
  const rows = [...log.rows.values()].filter(matches);
  return { domains: rows.slice(offset, offset + limit), offset, limit, total: rows.length, domainsCount: log.rows.size };
}

function readSnapshot(log: CampaignLog, _: Call, { user }: Session): object {
  const whole = { campaign: log.record, domains: [...log.rows.values()], domainsCount: log.rows.size, domainsDigest: log.digest };
  return { campaignId: log.campaignId, ...log.position, ...whole, ...(user !== null && { subject: subjectOf(user) }) };
}

function readTrail({ trail }: CampaignLog): object {
  return { transitions: trail };
}

function changed(status: number, log: CampaignLog): Answer {
  return { status, body: { campaign: log.record, position: log.position }, headers: positionHeaders(log) };
}

function positionHeaders({ epoch, head }: CampaignLog): Record<string, string> {
  return { "campaign-position": `${epoch}/${head}` };
}

function numberOf({ query }: Call, name: string, { least = 0, most = Number.MAX_SAFE_INTEGER, absent }: { least?: number; most?: number; absent: number }): number {
  const text = query.get(name);
  if (text === null) return absent;
  const value = text.trim() === "" ? NaN : Number(text);
  if (!Number.isSafeInteger(value) || value < least || value > most) throw new Refused("invalid_body");
  return value;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Refused("invalid_body");
  }
}

function bodyOf({ body }: Call): Data {
  const value = body === "" ? {} : parsed(body);
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Refused("invalid_body");
  return value as Data;
}

/** Returns the body. Refuses a member that the route does not know. */
function only(names: readonly string[], body: Data): Data {
  const unknown = Object.keys(body).find((name) => !names.includes(name));
  if (unknown !== undefined) throw new Refused("invalid_body", 400, `This route has no member ${unknown}.`);
  return body;
}

async function callOf(request: Request | undefined, url: string, init: RequestInit): Promise<Call> {
  const address = new URL(url, "https://campaign-sync.test");
  const path = address.pathname.split("/api/v2/")[1]?.split("/").map(decoded) ?? [];
  const headers = init.headers ?? request?.headers;
  const body = init.body ?? (request === undefined ? "" : await request.text());
  const method = (init.method ?? request?.method ?? "GET").toUpperCase();
  return { method, path, query: address.searchParams, header: (name) => headerOf(headers, name), body: String(body ?? "") };
}

/** A part of a path; as it stands if it is not encoded properly, so that no route has it. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function headerOf(headers: HeadersInit | undefined, name: string): string | null {
  if (headers !== undefined && "get" in headers && typeof headers.get === "function") return headers.get(name);
  const pairs = Array.isArray(headers) ? headers : Object.entries(headers ?? {});
  return (pairs.find(([it]) => String(it).toLowerCase() === name)?.[1] as string | undefined) ?? null;
}

/** Jest's environment `jsdom` has no `Response`; there an object with its common members takes its place. */
function response({ status, body, headers = {} }: Answer): Response {
  const all: Record<string, string> = { "content-type": "application/json", "cache-control": "no-store", ...headers };
  const text = JSON.stringify(body);
  if (typeof Response === "function") return new Response(text, { status, headers: all });
  const plain = {
    status, ok: status < 300, url: "", headers: { get: (name: string) => all[name.toLowerCase()] ?? null },
    json: async () => JSON.parse(text) as unknown, text: async () => text, clone: () => response({ status, body, headers }),
  };
  return plain as unknown as Response;
}
