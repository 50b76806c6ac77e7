/** A fake of a client, for components that are tested without a module and without a server. */
import { bindMethods } from "../bind.js";
import { checked, checkedMembers, COUNT, DURATION, FUNCTION, oneOf, TEXT, type Rule, type Rules } from "../check.js";
import { IDLE, type ConnectionStatus } from "../connection.js";
import { CampaignSyncError } from "../errors.js";
import { callSafely } from "../frame.js";
import { QUERY } from "../domains.js";
import type { CampaignLike, CampaignListLike, CampaignSyncLike } from "../like.js";
import { frozenCopy } from "../plain.js";
import { toPosition } from "../position.js";
import { checkedId, checkedRows, CODE } from "./check.js";
import type { TestRow } from "./options.js";
import { fakeView, VIEW, type PartialView } from "./view.js";
import type { CampaignView, CatalogueView, DomainPage, DomainQuery, DomainRow } from "../types.js";
import { RULES as WAIT, type WaitOptions } from "../waits.js";
import type { CampaignSyncEventMap, CampaignSyncEventType } from "../event-types.js";
import type { CampaignStatus } from "../words.js";

/** The state that a fake shows from the start. */
export interface FakeOptions {
  /** The views, each with its `campaignId`; `fakeView` fills in what is absent. */
  readonly views?: readonly PartialView[];
  /** The rows of campaigns by their ids, or the numbers of rows. */
  readonly rows?: Readonly<Record<string, readonly TestRow[] | number>>;
  /** The connection; `idle` if absent, and `open` after `connect()`. */
  readonly connection?: ConnectionStatus;
}

/** A client without a machine: it shows what the test says, and calls the listeners at once. */
export interface FakeCampaignSync extends CampaignSyncLike {
  /** Returns a handle of the list of all campaigns that have a record. */
  campaigns(options?: { ids?: readonly string[] }): CampaignListLike;
  /** Changes the view of a campaign: the members of `partial` replace those that it has. */
  show(partial: PartialView & { readonly campaignId: string }): void;
  /** Replaces the rows of a campaign, or gives it so many. */
  showRows(campaignId: string, rows: readonly TestRow[] | number): void;
  /** Changes the connection, and dispatches `connectionchange`. */
  showConnection(connection: ConnectionStatus): void;
  /** Dispatches an event. */
  emit<K extends CampaignSyncEventType>(type: K, detail: CampaignSyncEventMap[K]): void;
  /** Number of handles that were not released. */
  readonly handles: number;
}

const OPTIONS: Rules<FakeOptions> = {
  views: [Array.isArray, "a list of views"],
  rows: [(it) => typeof it === "object" && it !== null, "an object of rows"],
  connection: [(it) => typeof it === "object" && it !== null, "a connection"],
};

const LISTENER: Rule = [(it) => typeof it === "function" || typeof it === "object", "a function, an object with handleEvent, or null"];

const LIST: Rules<{ ids?: readonly string[] }> = { ids: [(it) => Array.isArray(it) && it.every(TEXT[0]), "a list of texts"] };

const CONNECTION: Rules<ConnectionStatus> = {
  state: oneOf("idle", "connecting", "open", "waiting", "failed", "closed"),
  code: CODE,
  attempt: COUNT,
  retryInMs: DURATION,
  offline: [(it) => it === true, "true, or absent"],
  lastCloseCode: COUNT,
  hint: TEXT,
};

const LIMIT = 100;
const LIMIT_MAX = 1_000;

/** One campaign of a fake. */
interface Shown {
  partial: PartialView;
  view: CampaignView;
  rows: readonly DomainRow[];
  pages: Map<string, DomainPage>;
  isKnown: boolean;
}

/** The members that all handles have. */
interface Handle<V> {
  readonly view: () => V;
  readonly subscribe: (listener: () => void) => () => void;
  readonly release: () => void;
  /** Throws `released` after `release`. */
  readonly use: () => void;
}

class Fake extends EventTarget implements FakeCampaignSync {
  readonly #campaigns = new Map<string, Shown>();
  readonly #listeners = new Set<() => void>();
  readonly #held = new Map<string, number>();
  #connection: ConnectionStatus;
  #list: CatalogueView | undefined;
  #closed = false;
  handles = 0;

  constructor(options: FakeOptions) {
    super();
    const { views = [], rows = {}, connection = IDLE } = checkedMembers("options", options, OPTIONS);
    this.#connection = checkedConnection(connection);
    for (const view of views.map(checkedView)) this.#set(view.campaignId ?? "campaign-1", view);
    for (const [campaignId, own] of Object.entries(rows)) this.#setRows(checkedId(campaignId), own);
    bindMethods(this, EventTarget);
  }

  override addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void {
    super.addEventListener(checked("type", type, TEXT), checked("listener", listener, LISTENER), options);
  }

  override removeEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | EventListenerOptions): void {
    super.removeEventListener(checked("type", type, TEXT), checked("listener", listener, LISTENER), options);
  }

  get connection(): ConnectionStatus {
    return this.#connection;
  }

  campaign(campaignId: string): CampaignLike {
    this.#open();
    checkedId(campaignId);
    const count = this.#held.get(campaignId) ?? 0;
    this.#held.set(campaignId, count + 1);
    const handle = this.#handle(() => this.#of(campaignId).view, () => this.#held.set(campaignId, (this.#held.get(campaignId) ?? 1) - 1));
    return {
      ...handle,
      domains: (query = {}) => {
        handle.use();
        return this.#page(campaignId, query);
      },
      reached: async (position, options = {}) => {
        handle.use();
        toPosition(position);
        checkedMembers<WaitOptions>("options", options, WAIT);
      },
    };
  }

  campaigns(options: { ids?: readonly string[] } = {}): CampaignListLike {
    this.#open();
    const { ids } = checkedMembers("options", options, LIST);
    let [whole, own]: (CatalogueView | undefined)[] = [];
    const view = (): CatalogueView => {
      const list = this.#catalogue();
      if (ids === undefined) return list;
      if (list !== whole || own === undefined) own = frozenCopy({ ...list, campaigns: list.campaigns.filter((it) => ids.includes(it.campaignId)) });
      whole = list;
      return own;
    };
    return this.#handle(view, () => undefined);
  }

  view(campaignId: string): CampaignView | undefined {
    checked("campaignId", campaignId, TEXT);
    return (this.#held.get(campaignId) ?? 0) > 0 ? this.#of(campaignId).view : undefined;
  }

  connect(): void {
    this.#open();
    if (this.#connection.state !== "open") this.showConnection({ state: "open", attempt: 0 });
  }

  close(): void {
    this.#closed = true;
    this.showConnection({ state: "closed", attempt: 0 });
  }

  show(partial: PartialView & { readonly campaignId: string }): void {
    const view = checkedView(partial);
    this.#set(checkedId(view.campaignId as string), view);
    this.#notify();
  }

  showRows(campaignId: string, rows: readonly TestRow[] | number): void {
    this.#setRows(checkedId(campaignId), rows);
    this.#notify();
  }

  showConnection(connection: ConnectionStatus): void {
    this.#connection = checkedConnection(connection);
    this.emit("connectionchange", this.#connection);
  }

  emit<K extends CampaignSyncEventType>(type: K, detail: CampaignSyncEventMap[K]): void {
    checked("type", type, TEXT);
    this.dispatchEvent(new CustomEvent(type, { detail: frozenCopy(detail) }));
  }

  #open(): void {
    if (this.#closed) throw new CampaignSyncError("closed");
  }

  /** The members that handles have. As with those of the client, `release` ends the subscriptions, and the last view stays. */
  #handle<V extends { readonly status: CampaignStatus }>(read: () => V, onRelease: () => void): Handle<V> {
    this.handles += 1;
    let last: V | undefined;
    const own = new Set<() => void>();
    const use = (): void => {
      if (last !== undefined) throw new CampaignSyncError("released");
    };
    const release = (): void => {
      if (last !== undefined) return;
      const { staleReason: _, code: __, ...view } = read() as V & { staleReason?: unknown; code?: unknown };
      last = frozenCopy({ ...view, status: "idle" }) as unknown as V;
      for (const listener of own) this.#listeners.delete(listener);
      this.handles -= 1;
      onRelease();
    };
    const subscribe = (listener: () => void): (() => void) => {
      use();
      checked("listener", listener, FUNCTION);
      // Two subscriptions of one function are two.
      const call = (): void => listener();
      own.add(call);
      this.#listeners.add(call);
      return () => void this.#listeners.delete(call);
    };
    return { view: () => last ?? read(), subscribe, release, use };
  }

  #notify(): void {
    this.#list = undefined;
    for (const listener of [...this.#listeners]) callSafely(listener);
  }

  #of(campaignId: string): Shown {
    const found = this.#campaigns.get(campaignId);
    if (found !== undefined) return found;
    const partial: PartialView = { campaignId, status: "loading" };
    const shown = { partial, view: fakeView(partial), rows: [], pages: new Map<string, DomainPage>(), isKnown: false };
    this.#campaigns.set(campaignId, shown);
    return shown;
  }

  #set(campaignId: string, partial: PartialView): void {
    const shown = this.#of(campaignId);
    const before: PartialView = shown.isKnown ? shown.partial : {};
    const campaign = partial.campaign && before.campaign ? { ...before.campaign, ...partial.campaign } : (partial.campaign ?? before.campaign);
    const merged = { ...before, ...partial, campaignId, ...((campaign !== undefined || "campaign" in partial) && { campaign: partial.campaign === null ? null : campaign }) };
    const view = fakeView(merged as PartialView);
    Object.assign(shown, { partial: merged, view, isKnown: true });
  }

  #setRows(campaignId: string, rows: readonly TestRow[] | number): void {
    const own = checkedRows(rows, new Map()) as readonly TestRow[];
    const empty = { offset: null, dnsStatus: null, httpStatus: null, httpStatusCode: null, leadStatus: null, leadScore: null, unconfirmed: false };
    const shown = this.#of(campaignId);
    shown.rows = frozenCopy(own.map((row) => ({ ...empty, ...row }) as DomainRow));
    shown.pages.clear();
    this.#set(campaignId, { domainsCount: own.length, totalDomainCount: own.length, counts: countsOf(shown.rows) });
  }

  #page(campaignId: string, query: DomainQuery): DomainPage {
    const known = checkedMembers("query", query, QUERY);
    const { rows, pages, view } = this.#of(campaignId);
    const key = JSON.stringify(known);
    const matching = matched(rows, known);
    const { offset = 0, limit = LIMIT } = known;
    const cut = matching.slice(offset, offset + Math.min(limit, LIMIT_MAX));
    const page = pages.get(key) ?? frozenCopy({ position: view.position, total: matching.length, rows: cut, pending: false });
    pages.set(key, page);
    return page;
  }

  #catalogue(): CatalogueView {
    if (this.#list !== undefined) return this.#list;
    const shown = [...this.#campaigns.values()].filter(({ view }) => view.campaign !== null && view.position !== null && view.status !== "ended");
    const campaigns = shown.map(({ view: { campaignId, position, campaign, totalDomainCount } }) => ({ campaignId, position: position!, campaign: campaign!, totalDomainCount }));
    campaigns.sort((a, b) => (a.campaignId < b.campaignId ? -1 : 1));
    return (this.#list = frozenCopy({ status: "live", campaigns, total: campaigns.length }));
  }
}

/** Copies a view. Throws `invalid_argument` for an invalid one. */
function checkedView(partial: PartialView): PartialView {
  return checkedMembers("partial", partial, VIEW);
}

/** Copies a connection. Throws `invalid_argument` for one that no client has. */
function checkedConnection(connection: ConnectionStatus): ConnectionStatus {
  const { state, attempt = 0, ...rest } = checkedMembers("connection", connection, CONNECTION);
  return Object.freeze({ state: checked("connection.state", state, CONNECTION.state), attempt, ...rest });
}

function countsOf(rows: readonly DomainRow[]): CampaignView["counts"] {
  const by = (column: "dnsStatus" | "httpStatus" | "leadStatus"): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (const { [column]: status } of rows) if (status !== null) counts[status] = (counts[status] ?? 0) + 1;
    return counts;
  };
  return { dns: by("dnsStatus"), http: by("httpStatus"), lead: by("leadStatus") };
}

/** The rows that match a query, in its order. A row without a value comes last. */
function matched(rows: readonly DomainRow[], { search = "", dnsStatus, httpStatus, leadStatus, sortBy = "offset", sortOrder }: DomainQuery): DomainRow[] {
  const [text, wanted] = [search.trim().toLowerCase(), { dnsStatus, httpStatus, leadStatus }];
  const found = rows.filter(
    (row) => row.domain.toLowerCase().includes(text) && (["dnsStatus", "httpStatus", "leadStatus"] as const).every((column) => wanted[column] === undefined || row[column] === wanted[column]),
  );
  const sign = sortOrder === "desc" ? -1 : 1;
  return found.sort(({ [sortBy]: a }, { [sortBy]: b }) => {
    if (a === b) return 0;
    if (a === null || b === null) return a === null ? 1 : -1;
    return a < b ? -sign : sign;
  });
}

/** Creates a fake of a client for components. Throws `invalid_argument` for an invalid option. */
export function fakeCampaignSync(options: FakeOptions = {}): FakeCampaignSync {
  return new Fake(options);
}
