/** The rows of a campaign: only those that are in view are in the document. */
import type { DomainRow } from "campaign-sync";
import { useDomains, type DomainListQuery } from "campaign-sync/react";
import { memo, useState } from "react";
import { number, plain } from "./format.js";

/** Height of a row and of the window, in pixels, as the styles have them. */
const ROW_PX = 24;
const WINDOW_PX = 480;
/** Rows beyond the window, on each side. */
const MARGIN = 5;

const COLUMNS: readonly (readonly [name: string, sortBy?: NonNullable<DomainListQuery["sortBy"]>])[] = [
  ["Domain", "domain"],
  ["DNS", "dnsStatus"],
  ["HTTP", "httpStatus"],
  ["Lead"],
  ["Score", "leadScore"],
];

export function Table({ campaignId }: { campaignId: string }) {
  const [query, setQuery] = useState<DomainListQuery>({});
  const [top, setTop] = useState(0);
  const [chosen, choose] = useState<DomainRow | null>(null);
  const { total, row, pending } = useDomains(campaignId, query);
  const first = Math.max(0, Math.floor(top / ROW_PX) - MARGIN);
  const last = Math.min(total, Math.ceil((top + WINDOW_PX) / ROW_PX) + MARGIN);
  const shown = Array.from({ length: Math.max(0, last - first) }, (_, at) => row(first + at));
  const sort = (sortBy: NonNullable<DomainListQuery["sortBy"]>) =>
    setQuery({ ...query, sortBy, sortOrder: query.sortBy === sortBy && query.sortOrder !== "desc" ? "desc" : "asc" });
  return (
    <section className="domains" aria-label="Domains" aria-busy={pending}>
      <label>
        Search
        <input type="search" value={query.search ?? ""} onChange={(event) => setQuery({ ...query, search: event.target.value })} />
      </label>
      <label>
        DNS
        <select value={query.dnsStatus ?? ""} onChange={({ target }) => setQuery(withDns(query, target.value))}>
          <option value="">any</option>
          <option value="resolved">resolved</option>
          <option value="unresolved">unresolved</option>
        </select>
      </label>
      <p className="total">{`${number(total)} rows`}</p>
      <div className="columns" role="row">
        {COLUMNS.map(([name, sortBy]) =>
          sortBy === undefined ? (
            <span key={name}>{name}</span>
          ) : (
            <button key={name} type="button" aria-pressed={query.sortBy === sortBy} onClick={() => sort(sortBy)}>
              {name}
              {query.sortBy === sortBy && (query.sortOrder === "desc" ? " ↓" : " ↑")}
            </button>
          ),
        )}
      </div>
      <div className="window" style={{ height: WINDOW_PX, overflow: "auto" }} onScroll={(event) => setTop(event.currentTarget.scrollTop)}>
        <ul style={{ height: total * ROW_PX, paddingTop: first * ROW_PX, boxSizing: "border-box" }}>
          {shown.map((it) => it !== undefined && <Row key={it.domainId} row={it} onChoose={choose} />)}
        </ul>
      </div>
      {total === 0 && <p className="empty">No domain.</p>}
      {chosen !== null && <Details row={chosen} onClose={() => choose(null)} />}
    </section>
  );
}

function withDns({ dnsStatus: _, ...others }: DomainListQuery, dnsStatus: string): DomainListQuery {
  return dnsStatus === "" ? others : { ...others, dnsStatus };
}

const Row = memo(function Row({ row, onChoose }: { row: DomainRow; onChoose: (row: DomainRow) => void }) {
  return (
    <li className="row" style={{ height: ROW_PX }}>
      <button type="button" className="link" onClick={() => onChoose(row)}>
        {row.domain}
      </button>
      <Status word={row.dnsStatus} />
      <Status word={row.httpStatus} code={row.httpStatusCode} />
      <Status word={row.leadStatus} />
      <span>{row.leadScore === null ? "" : row.leadScore.toFixed(1)}</span>
      {row.unconfirmed && <span title="The server did not name this row again.">?</span>}
    </li>
  );
});

/** All columns of the row that was chosen, as they were then. */
function Details({ row, onClose }: { row: DomainRow; onClose: () => void }) {
  const { domain, domainId, unconfirmed, ...columns } = row;
  return (
    <aside className="details" aria-label={`Details of ${domain}`}>
      <h2>{domain}</h2>
      <dl>
        {Object.entries(columns).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value ?? "–"}</dd>
          </div>
        ))}
      </dl>
      <p className="muted">{`${domainId}${unconfirmed ? ", unconfirmed" : ""}`}</p>
      <button type="button" onClick={onClose}>
        Close
      </button>
    </aside>
  );
}

function Status({ word, code = null }: { word: string | null; code?: number | null }) {
  if (word === null) return <span className="muted">–</span>;
  return <span className={`status ${word}`}>{code === null ? plain(word) : `${plain(word)} (${code})`}</span>;
}
