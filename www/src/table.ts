/**
 * The domain table. It shows all rows in every phase, but only visible rows are elements. The phase changes which
 * columns are emphasised, never which rows the table has.
 */
import type { Campaign, DomainPage, DomainQuery, DomainRow } from "campaign-sync";

import { byId, element, setText } from "./dom.js";
import { plain } from "./words.js";

type SortKey = NonNullable<DomainQuery["sortBy"]>;

interface Column {
  readonly name: string;
  readonly label: string;
  readonly sort?: SortKey;
  readonly text: (row: DomainRow) => string;
}

const word = (value: string | null): string => (value === null ? "" : plain(value));
const COLUMNS: readonly Column[] = [
  { name: "offset", label: "#", sort: "offset", text: (row) => (row.offset === null ? "" : String(row.offset + 1)) },
  { name: "domain", label: "Domain", sort: "domain", text: (row) => row.domain },
  { name: "dns", label: "DNS", sort: "dnsStatus", text: (row) => word(row.dnsStatus) },
  { name: "http", label: "HTTP", sort: "httpStatus", text: (row) => [word(row.httpStatus), row.httpStatusCode ?? ""].join(" ").trim() },
  { name: "lead", label: "Lead", text: (row) => word(row.leadStatus) },
  { name: "score", label: "Score", sort: "leadScore", text: (row) => row.leadScore?.toFixed(1) ?? "" },
];

/** Height of a row in pixels; the style sheet uses the same value. */
const ROW_PX = 32;
/** Extra rows beyond each edge, so that a quick scroll shows no empty area. */
const OVERSCAN = 8;
/** The tallest element that every browser can lay out, in pixels. A taller table scrolls in proportion. */
const HEIGHT_PX_MAX = 15_000_000;
/** Shortest time between two queries while a query must search or sort, in milliseconds. */
const COSTLY_EVERY_MS = 250;
/** Largest share of the time that such queries may take. */
const COSTLY_SHARE = 0.1;
/** Rows beyond each edge that such a query reads in addition, so that scrolling needs no new query. */
const COSTLY_MARGIN = 400;

interface Line {
  readonly root: HTMLElement;
  readonly cells: readonly HTMLElement[];
}

/** The result of a costly query, valid until a certain time. */
interface Read {
  readonly first: number;
  readonly page: DomainPage;
  readonly until: number;
}

/** The domain table of the current campaign. */
export class DomainTable {
  readonly #root = byId("table");
  readonly #count = byId("row-count");
  readonly #countOf = byId("row-count-of");
  readonly #filters = byId<HTMLFormElement>("filters");
  readonly #body = element("div", { class: "table-body", role: "rowgroup", tabindex: "0", "aria-label": "Domains, scrollable" });
  readonly #ground = element("div", { class: "table-ground", role: "presentation" });
  readonly #heads: readonly HTMLElement[];
  readonly #lines: Line[] = [];
  #campaign: Campaign | undefined;
  #sortBy: SortKey = "offset";
  #sortOrder: "asc" | "desc" = "asc";
  #total = 0;
  #kept: Read | undefined;
  #pending: number | undefined;
  #timer: number | undefined;

  constructor() {
    this.#heads = COLUMNS.map((column) => this.#head(column));
    const headRow = element("div", { class: "row head", role: "row", "aria-rowindex": "1" }, ...this.#heads);
    this.#body.append(this.#ground);
    this.#root.append(element("div", { role: "rowgroup" }, headRow), this.#body);
    this.#body.addEventListener("scroll", () => this.#schedule(), { passive: true });
    new ResizeObserver(() => this.#schedule()).observe(this.#body);
    this.#filters.addEventListener("input", () => this.#restart());
    this.#filters.addEventListener("submit", (event) => event.preventDefault());
    this.#showSort();
  }

  /** Shows another campaign, from the first row. */
  show(campaign: Campaign): void {
    this.#campaign = campaign;
    this.#restart();
  }

  /** Schedules an update after a change of the view. */
  update(phase: string): void {
    this.#root.dataset["phase"] = phase;
    const wait = (this.#kept?.until ?? 0) - performance.now();
    if (wait <= 0) this.#schedule();
    else this.#timer ??= window.setTimeout(() => this.#refresh(), wait);
  }

  #restart(): void {
    this.#body.scrollTop = 0;
    this.#refresh();
  }

  #refresh(): void {
    this.#kept = undefined;
    this.#schedule();
  }

  #schedule(): void {
    this.#pending ??= requestAnimationFrame(() => {
      this.#pending = undefined;
      this.#render();
    });
  }

  #isCostly(): boolean {
    return this.#sortBy !== "offset" || this.#isFiltered();
  }

  #isFiltered(): boolean {
    const { search, dnsStatus, httpStatus, leadStatus } = this.#query(0, 0);
    return Boolean(search ?? dnsStatus ?? httpStatus ?? leadStatus);
  }

  #query(offset: number, limit: number): DomainQuery {
    const query: DomainQuery = { offset, limit, sortBy: this.#sortBy, sortOrder: this.#sortOrder };
    const values = new FormData(this.#filters);
    for (const name of ["search", "dnsStatus", "httpStatus", "leadStatus"] as const) {
      const value = values.get(name);
      if (typeof value === "string" && value.trim() !== "") query[name] = value.trim();
    }
    return query;
  }

  #render(): void {
    if (this.#campaign === undefined) return;
    const seen = Math.ceil(this.#body.clientHeight / ROW_PX) + 1;
    const limit = seen + 2 * OVERSCAN;
    let first = this.#firstRow(limit);
    let page = this.#read(this.#campaign, first, limit);
    if (page.total !== this.#total) {
      this.#resize(page.total);
      // With fewer rows than before, the visible rows may now lie beyond the end.
      const again = this.#firstRow(limit);
      if (again !== first) page = this.#read(this.#campaign, (first = again), limit);
    }
    this.#place(first, page.rows);
    setText(this.#count, page.total.toLocaleString("en"));
    setText(this.#countOf, this.#isFiltered() ? "rows match" : page.total === 1 ? "row" : "rows");
  }

  /** Reads rows. A costly query reads many rows at once, and runs rarely. */
  #read(campaign: Campaign, first: number, limit: number): DomainPage {
    const began = performance.now();
    const kept = this.#kept;
    if (kept !== undefined && began < kept.until && kept.first <= first) {
      const { total, rows } = kept.page;
      const isThere = Math.min(first + limit, total) <= kept.first + rows.length;
      if (isThere) return { ...kept.page, rows: rows.slice(first - kept.first, first - kept.first + limit) };
    }
    this.#kept = undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#isCostly()) return campaign.domains(this.#query(first, limit));
    const from = Math.max(0, first - COSTLY_MARGIN);
    const page = campaign.domains(this.#query(from, first - from + limit + COSTLY_MARGIN));
    const now = performance.now();
    this.#kept = { first: from, page, until: now + Math.max(COSTLY_EVERY_MS, (now - began) / COSTLY_SHARE) };
    return { ...page, rows: page.rows.slice(first - from, first - from + limit) };
  }

  #firstRow(limit: number): number {
    const top = this.#body.scrollTop;
    const last = Math.max(0, this.#total - limit);
    if (this.#total * ROW_PX <= HEIGHT_PX_MAX) return Math.min(last, Math.max(0, Math.floor(top / ROW_PX) - OVERSCAN));
    return Math.round((top / (HEIGHT_PX_MAX - this.#body.clientHeight)) * last);
  }

  #resize(total: number): void {
    this.#total = total;
    this.#ground.style.height = `${Math.min(total * ROW_PX, HEIGHT_PX_MAX)}px`;
    this.#root.setAttribute("aria-rowcount", String(total + 1));
  }

  #place(first: number, rows: readonly DomainRow[]): void {
    while (this.#lines.length < rows.length) this.#addLine();
    // In a table that is too tall to lay out, rows are placed around the visible area.
    const isExact = this.#total * ROW_PX <= HEIGHT_PX_MAX;
    const top = isExact ? first * ROW_PX : Math.min(this.#body.scrollTop, HEIGHT_PX_MAX - rows.length * ROW_PX);
    for (const [index, line] of this.#lines.entries()) {
      const row = rows[index];
      line.root.hidden = row === undefined;
      if (row === undefined) continue;
      line.root.style.transform = `translateY(${top + index * ROW_PX}px)`;
      line.root.setAttribute("aria-rowindex", String(first + index + 2));
      line.root.dataset["domainId"] = row.domainId;
      line.root.classList.toggle("unconfirmed", row.unconfirmed);
      line.root.title = row.unconfirmed ? "Not in the last snapshot; kept until the server names it." : "";
      for (const [at, column] of COLUMNS.entries()) {
        const cell = line.cells[at];
        if (cell === undefined) continue;
        setText(cell, column.text(row));
        if (column.name === "dns") cell.dataset["status"] = row.dnsStatus ?? "";
        if (column.name === "http") cell.dataset["status"] = row.httpStatus ?? "";
        if (column.name === "lead") cell.dataset["status"] = row.leadStatus ?? "";
      }
    }
  }

  #addLine(): void {
    const cells = COLUMNS.map(({ name }) => element("span", { role: "cell", class: `cell ${name}` }));
    const root = element("div", { class: "row", role: "row", "data-testid": "domain-row" }, ...cells);
    this.#ground.append(root);
    this.#lines.push({ root, cells });
  }

  #head({ name, label, sort }: Column): HTMLElement {
    const head = element("span", { role: "columnheader", class: `cell ${name}` });
    if (sort === undefined) {
      head.append(label);
      return head;
    }
    const button = element("button", { type: "button", "data-testid": `sort-${name}` }, label);
    button.addEventListener("click", () => {
      this.#sortOrder = this.#sortBy === sort && this.#sortOrder === "asc" ? "desc" : "asc";
      this.#sortBy = sort;
      this.#showSort();
      this.#restart();
    });
    head.append(button);
    return head;
  }

  #showSort(): void {
    for (const [index, { sort }] of COLUMNS.entries()) {
      const head = this.#heads[index];
      if (sort === this.#sortBy) head?.setAttribute("aria-sort", this.#sortOrder === "asc" ? "ascending" : "descending");
      else head?.removeAttribute("aria-sort");
    }
  }
}

/** Offers each status that occurs as a filter. A filter stays, also while no row has its status. */
export function offerStatuses(name: string, counts: Readonly<Record<string, number>>): void {
  const select = byId<HTMLFormElement>("filters").elements.namedItem(name) as HTMLSelectElement;
  const known = new Set([...select.options].map((option) => option.value));
  for (const status of Object.keys(counts).sort()) {
    if (status !== "" && !known.has(status)) select.append(element("option", { value: status }, plain(status)));
  }
}
