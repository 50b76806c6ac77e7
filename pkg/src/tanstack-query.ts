/**
 * `campaign-sync/tanstack-query`: keeps the queries of TanStack Query as new as the stream. It imports neither that
 * library nor an entry with a module.
 *
 * @module campaign-sync/tanstack-query
 */

import { behind, noAnswer, refusalOf } from "./answers.js";
import { checked, checkedMembers, FUNCTION, TEXT, withMethods, type Rules } from "./check.js";
import { attempts, type Result } from "./deadline.js";
import { CampaignSyncError } from "./errors.js";
import type { CampaignSyncEventMap } from "./event-types.js";
import { observeInvalidations, type Invalidation } from "./invalidation.js";
import type { CampaignSyncLike } from "./like.js";
import { formatPosition, parsePosition, type LogPosition } from "./position.js";
import { startTimer } from "./frame.js";
import type { InvalidationReason } from "./words.js";

/** The key of a query. */
export type QueryKey = readonly unknown[];

/** The part of a query that the filters read. */
export interface QueryLike {
  /** The notes of the application about the query. */
  readonly meta?: Record<string, unknown> | undefined;
  /** The state of the query. */
  readonly state: QueryStateLike;
}

/** The part of the state of a query that the filters read. */
export interface QueryStateLike {
  /** The data of the last fetch; `undefined` before it. */
  readonly data: unknown;
}

/** A choice of queries: those whose keys begin with `queryKey`. */
export interface QueryFilter {
  /** The beginning of the keys. */
  queryKey: QueryKey;
  /** Whether a query with such a key is meant. */
  predicate?: (query: QueryLike) => boolean;
  /** Whether invalid queries that a component shows are fetched at once; `active` if absent. */
  refetchType?: "active" | "none";
}

/** The part of a `QueryClient` that `bindQueryClient` uses. Version 5 has it. */
export interface QueryClientLike {
  /** Cancels the fetches of these queries. */
  cancelQueries(filter: QueryFilter): Promise<void>;
  /** Marks the data of these queries as old, and fetches it again. */
  invalidateQueries(filter: QueryFilter): Promise<void>;
  /** Puts these queries, or all without a filter, into their first state, and fetches those that a component shows. */
  resetQueries(filter?: QueryFilter): Promise<void>;
}

/** The argument of `BindOptions.on`. */
export interface BoundInvalidation {
  /** The id of the campaign. */
  readonly campaignId: string;
  /** Why its data is void; absent if it became `live`. */
  readonly reason?: InvalidationReason;
}

/** The options of `bindQueryClient`. */
export interface BindOptions {
  /**
   * Returns the beginning of the keys of a campaign; `["campaigns", campaignId]` if absent, as `campaignQuery` has them.
   * With other keys, give the queries of `campaignQuery` another `queryKey`, too.
   */
  keyOf?: (campaignId: string) => QueryKey;
  /** Whether an invalidation concerns the queries of its campaign; every one does if absent. */
  on?: (invalidation: BoundInvalidation) => boolean;
  /** The key of a list of campaigns, which transitions, endings and the end of access void. */
  listKey?: QueryKey;
}

/** The options of `campaignQuery`. */
export interface CampaignQueryOptions {
  /** The address of the REST routes; `/api/v2` if absent. */
  baseUrl?: string;
  /** A replacement for the platform's `fetch`. */
  fetch?: typeof globalThis.fetch;
}

/** The data of a query of `campaignQuery`. */
export interface CampaignAnswer<T> {
  /** The position that the data describes; `null` if the server does not state it. */
  readonly position: LogPosition | null;
  /** The body of the answer. */
  readonly body: T;
}

/** The options for `useQuery` that `campaignQuery` returns. */
export interface CampaignQuery<T> {
  /** `["campaigns", campaignId, path]`. */
  readonly queryKey: QueryKey;
  /** Fetches the data. It rejects with a `CampaignSyncError`. */
  readonly queryFn: (context: QueryContext) => Promise<CampaignAnswer<T>>;
  /** Whether there is something to fetch: a client and an id. */
  readonly enabled: boolean;
  /** The data is fresh until `bindQueryClient` says otherwise, while the campaign is live; else it is stale at once. */
  readonly staleTime: () => number;
  /** Marks the query for `bindQueryClient`, so that a fetch under way is not cancelled. */
  readonly meta: CampaignQueryMeta;
}

/** The context of a fetch. */
export interface QueryContext {
  /** Aborts when nobody waits for the answer any more. */
  signal?: AbortSignal;
}

/** The mark of the queries of `campaignQuery`. A type, because TanStack Query wants an index signature. */
export type CampaignQueryMeta = {
  /** Always `true`. */
  readonly campaignSync: true;
};

/** Reasons that follow each other quickly. Their queries are fetched at most once in this time, in milliseconds. */
const FREQUENT_MS = 1_000;
const FREQUENT = new Set(["rows", "status"]);
/** Reasons for which the position of the data proves nothing. */
const UNCONDITIONAL = new Set(["divergence", "force_refresh", "epoch"]);
/** Longest duration of one request, in milliseconds. */
const REQUEST_MS_MAX = 30_000;
/** Requests of one fetch, if the stream moves on meanwhile. */
const ATTEMPTS_MAX = 5;

/** The lowest position that the data of a campaign may have, by client. */
const floors = new WeakMap<object, Map<string, LogPosition>>();

const SYNC = withMethods("addEventListener", "removeEventListener", "view");
const BIND: Rules<BindOptions> = { keyOf: FUNCTION, on: FUNCTION, listKey: [Array.isArray, "a list"] };
const QUERY: Rules<CampaignQueryOptions> = { baseUrl: TEXT, fetch: FUNCTION };

/**
 * Invalidates the queries of a campaign whenever the stream proves that they are old: after a transition, a snapshot, a
 * divergence, whenever else `cacheinvalidated` says so, and when the campaign becomes `live` at a position beyond that of
 * the data. Data that is new enough stays. When the last handle of a campaign is released, its data counts as old. When
 * the session ends, all queries are reset, because they may belong to the former user; those of one campaign when the
 * session may no longer see it.
 *
 * Throws `invalid_argument` for an invalid argument.
 * @returns a function that ends it.
 */
export function bindQueryClient(sync: CampaignSyncLike, queries: QueryClientLike, options: BindOptions = {}): () => void {
  checked("sync", sync, SYNC);
  checked("queries", queries, withMethods("cancelQueries", "invalidateQueries", "resetQueries"));
  const { keyOf = keyOfCampaign, on = () => true, listKey } = checkedMembers("options", options, BIND);
  const own = floors.get(sync) ?? new Map<string, LogPosition>();
  floors.set(sync, own);
  /** Campaigns whose queries are due soon, with the newest position that the data must have then. */
  const due = new Map<string, { floor: LogPosition | null; readonly stop: () => void }>();

  const invalidate = (campaignId: string, floor: LogPosition | null, refetchType: "active" | "none" = "active"): void => {
    const queryKey = keyOf(campaignId);
    // A query of `campaignQuery` compares its answer itself. Another one that is under way may bring old data back.
    void queries.cancelQueries({ queryKey, predicate: ({ meta }) => meta?.["campaignSync"] !== true });
    void queries.invalidateQueries({ queryKey, refetchType, predicate: ({ state }) => floor === null || lacks(positionOf(state.data), floor) });
  };
  const voidList = (): void => {
    if (listKey !== undefined) void queries.invalidateQueries({ queryKey: listKey });
  };
  const raise = (campaignId: string, floor: LogPosition | null): void => {
    if (floor !== null) own.set(campaignId, floor);
    invalidate(campaignId, floor);
    voidList();
  };
  const soon = (campaignId: string, floor: LogPosition | null): void => {
    const waiting = due.get(campaignId);
    if (waiting !== undefined) return void (waiting.floor = floor);
    const run = (): void => {
      due.delete(campaignId);
      raise(campaignId, entry.floor);
    };
    const entry = { floor, stop: startTimer(FREQUENT_MS, run) };
    due.set(campaignId, entry);
  };

  /** Forgets the positions of a campaign, also those that are due soon: nothing will announce another log. */
  const forget = (campaignId: string): void => {
    own.delete(campaignId);
    due.get(campaignId)?.stop();
    due.delete(campaignId);
  };
  const forgetAll = (): void => [...own.keys(), ...due.keys()].forEach(forget);

  const observe = ({ campaignId, reason, epoch, sequenceNumber }: Invalidation): void => {
    if (campaignId === undefined) {
      forgetAll();
      return void queries.resetQueries();
    }
    if (reason === "signed_out") {
      forget(campaignId);
      voidList();
      return void queries.resetQueries({ queryKey: keyOf(campaignId) });
    }
    if (reason === "unwatched") forget(campaignId);
    if (!on({ campaignId, ...(reason !== undefined && { reason }) })) return;
    if (reason === "unwatched") return invalidate(campaignId, null, "none");
    const floor = epoch === undefined || sequenceNumber === undefined ? null : { epoch, sequenceNumber };
    if (FREQUENT.has(reason ?? "")) return soon(campaignId, floor);
    raise(campaignId, floor);
    if (UNCONDITIONAL.has(reason ?? "")) invalidate(campaignId, null);
  };
  const onStatus = (event: Event): void => {
    const { campaignId, status } = (event as CustomEvent<CampaignSyncEventMap["statuschange"]>).detail;
    const position = status === "live" ? sync.view(campaignId)?.position : null;
    if (position == null || !on({ campaignId })) return;
    own.set(campaignId, position);
    invalidate(campaignId, position);
  };

  const stop = observeInvalidations(sync, observe);
  sync.addEventListener("statuschange", onStatus);
  sync.addEventListener("ended", voidList);
  return () => {
    stop();
    sync.removeEventListener("statuschange", onStatus);
    sync.removeEventListener("ended", voidList);
    forgetAll();
  };
}

/**
 * Returns the options of a query that sends `GET {baseUrl}/campaigns/{id}{path}`. The answer is never older than the view
 * at the time of the request: the request has `min_position`. If the stream voids the data meanwhile, it is fetched again.
 *
 * Without a client or an id, the query is not enabled. It fails with `invalid_campaign_id` for an invalid id, with the code
 * of the server's refusal, with `behind` if five answers are too old, and with `fetch_failed` for any other failure, also
 * after 30 seconds without an answer. Throws `invalid_argument` for any other invalid argument.
 */
export function campaignQuery<T = unknown>(
  sync: CampaignSyncLike | null | undefined,
  campaignId: string | null | undefined,
  path = "",
  options: CampaignQueryOptions = {},
): CampaignQuery<T> {
  if (sync != null) checked("sync", sync, SYNC);
  checked("path", path, [(it) => it === "" || (TEXT[0](it) && /^[/?]/.test(it as string)), "empty, or a text that begins with / or ?"]);
  const { baseUrl = "/api/v2", fetch } = checkedMembers("options", options, QUERY);
  const id = campaignId ?? "";
  const isValid = typeof id === "string" && /^[A-Za-z0-9_-]{1,64}$/.test(id);
  return {
    queryKey: [...keyOfCampaign(id), path],
    enabled: sync != null && campaignId != null,
    staleTime: () => (isValid && sync?.view(id)?.status === "live" ? Infinity : 0),
    meta: { campaignSync: true },
    async queryFn(context) {
      if (!isValid) throw new CampaignSyncError("invalid_campaign_id");
      if (sync == null) throw new CampaignSyncError("not_configured", { message: "Give `campaignQuery` a client before the query runs." });
      for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
        const least = sync.view(id)?.position ?? null;
        const before = floors.get(sync)?.get(id);
        const address = withPosition(`${baseUrl}/campaigns/${id}${path}`, least);
        const run = async (signal: AbortSignal): Promise<Result<CampaignAnswer<T> | undefined>> => ({ value: await request<T>(fetch ?? globalThis.fetch, address, signal) });
        const answer = await attempts(run, { signal: context?.signal, timeoutMs: REQUEST_MS_MAX, repeatable: false }).catch(inTime);
        const floor = floors.get(sync)?.get(id);
        // The server may not state the position. The answer is then as new as the request.
        const isNew = answer?.position === null ? floor === before : [least, floor].every((it) => it == null || !lacks(answer?.position, it));
        if (answer !== undefined && isNew) return answer;
      }
      throw behind();
    },
  };
}

function keyOfCampaign(campaignId: string): QueryKey {
  return ["campaigns", campaignId];
}

function withPosition(address: string, position: LogPosition | null): string {
  return position === null ? address : `${address}${address.includes("?") ? "&" : "?"}min_position=${encodeURIComponent(formatPosition(position))}`;
}

/** Sends one request. Returns `undefined` if the server reports `behind`. */
async function request<T>(fetch: typeof globalThis.fetch, address: string, signal: AbortSignal): Promise<CampaignAnswer<T> | undefined> {
  let text: string;
  let answer: Response;
  try {
    answer = await fetch(address, { cache: "no-store", headers: { accept: "application/json" }, signal });
    text = await answer.text();
  } catch (cause) {
    throw noAnswer(cause);
  }
  const body = parsed(text);
  if (answer.ok && body !== undefined) return { position: parsePosition(answer.headers.get("campaign-position")), body: body as T };
  const refusal = refusalOf(answer.status, body);
  if (refusal.code === "behind") return undefined;
  throw refusal;
}

/** Throws the failure of a request again. This entry has no option for its deadline. */
function inTime(failure: unknown): never {
  throw failure instanceof CampaignSyncError && failure.code === "timed_out" ? noAnswer(failure, "not within 30 seconds") : failure;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The position in the data of a query of `campaignQuery`; `null` for any other data. */
function positionOf(data: unknown): LogPosition | null {
  return (data as Partial<CampaignAnswer<unknown>> | null | undefined)?.position ?? null;
}

/** Whether data of this position may lack what the floor has. Numbers of another epoch prove nothing. */
function lacks(position: LogPosition | null | undefined, floor: LogPosition): boolean {
  return position?.epoch !== floor.epoch || position.sequenceNumber < floor.sequenceNumber;
}
