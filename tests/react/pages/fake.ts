/** A client for tests: it has what the hooks need and no module. */
import { emptyView, type CampaignLike, type CatalogueView, type CampaignSyncLike } from "campaign-sync/react";
import type { CampaignView, ConnectionStatus, DomainPage, DomainQuery, DomainRow } from "campaign-sync";

interface State {
  view: CampaignView;
  rows: DomainRow[];
  handles: number;
  listeners: Set<() => void>;
  pages: Map<string, DomainPage>;
}

/** A row with this number. */
export function row(offset: number, members: Partial<DomainRow> = {}): DomainRow {
  const nothing = { dnsStatus: null, httpStatus: null, httpStatusCode: null, leadStatus: null, leadScore: null, unconfirmed: false };
  return { domainId: `d-${offset}`, domain: `${offset}.example`, offset, ...nothing, ...members };
}

export class FakeSync extends EventTarget implements CampaignSyncLike {
  connection: ConnectionStatus = { state: "idle", attempt: 0 };
  list: CatalogueView = { status: "live", campaigns: [], total: 0 };
  closed = 0;
  /** Numbers of rows that were read, in order. */
  reads: string[] = [];
  /** Positions that were waited for. */
  reached: unknown[] = [];
  readonly #campaigns = new Map<string, State>();
  readonly #listeners = new Set<() => void>();

  connect(): void {
    this.connection = { state: "open", attempt: 0 };
    this.dispatchEvent(new CustomEvent("connectionchange", { detail: this.connection }));
  }

  close(): void {
    this.closed += 1;
  }

  #state(id: string): State {
    const found = this.#campaigns.get(id) ?? { view: { ...emptyView(id), status: "live" }, rows: [], handles: 0, listeners: new Set(), pages: new Map() };
    this.#campaigns.set(id, found);
    return found;
  }

  handles(id: string): number {
    return this.#state(id).handles;
  }

  /** Changes a campaign, and calls the listeners unless `isSilent`. */
  change(id: string, members: Partial<CampaignView>, rows?: DomainRow[], isSilent = false): void {
    const state = this.#state(id);
    state.view = { ...state.view, ...members, ...(rows && { domainsDigest: JSON.stringify(rows), domainsCount: rows.length }) };
    if (rows !== undefined) state.rows = rows;
    if (!isSilent) for (const listener of [...state.listeners]) listener();
  }

  setList(list: Partial<CatalogueView>): void {
    this.list = { ...this.list, ...list };
    for (const listener of [...this.#listeners]) listener();
  }

  view(id: string): CampaignView | undefined {
    const state = this.#state(id);
    return state.handles > 0 ? state.view : undefined;
  }

  campaign(id: string): CampaignLike {
    const state = this.#state(id);
    state.handles += 1;
    let released = false;
    return {
      view: () => state.view,
      subscribe: (listener) => {
        if (released) throw new Error("released");
        state.listeners.add(listener);
        return () => void state.listeners.delete(listener);
      },
      domains: (query: DomainQuery = {}) => this.#page(state, query),
      reached: async (position) => void this.reached.push(position),
      release: () => {
        if (!released) state.handles -= 1;
        released = true;
      },
    };
  }

  #page(state: State, query: DomainQuery): DomainPage {
    this.reads.push(`${query.offset}+${query.limit}`);
    const key = JSON.stringify(query);
    const { offset = 0, limit = 100 } = query;
    const matching = state.rows.filter(({ domain }) => domain.includes(query.search ?? ""));
    const rows = matching.slice(offset, offset + limit).map((it) => ({ ...it }));
    const page = { total: matching.length, rows, position: state.view.position, pending: false };
    const former = state.pages.get(key);
    if (former?.total === page.total && JSON.stringify(former.rows) === JSON.stringify(rows)) return former;
    state.pages.set(key, page);
    return page;
  }

  campaigns(): ReturnType<NonNullable<CampaignSyncLike["campaigns"]>> {
    return {
      view: () => this.list,
      subscribe: (listener) => {
        this.#listeners.add(listener);
        return () => void this.#listeners.delete(listener);
      },
      release: () => {},
    };
  }
}
