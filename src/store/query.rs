//! Queries for rows: filtered, sorted, one page at a time.
//!
//! The order of the last query is cached. It is computed again only if a column that it depends on
//! has changed, so scrolling through 100,000 rows costs a page, not a sort.

use core::cmp::Ordering;

use super::folding::FoldedNames;
use super::table::{DNS, DomainTable, HTTP, LEAD, Versions};
use crate::protocol::merge_sort::sort;
use crate::protocol::write::{JsonWriter, ToJson};

/// The most rows in one page.
pub const PAGE_ROWS_MAX: usize = 1_000;

/// A query for one page of rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DomainQuery {
    /// Rows to skip at the beginning.
    pub offset: usize,
    /// Rows to return, at most [`PAGE_ROWS_MAX`].
    pub limit: usize,
    /// Filters and sort order.
    pub order: RowOrder,
}

/// Filters and sort order of rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowOrder {
    /// Part of the name, in any case; empty matches every row. Letters beyond ASCII are folded.
    pub search: String,
    /// Only rows with this DNS outcome.
    pub dns_status: Option<String>,
    /// Only rows with this HTTP outcome.
    pub http_status: Option<String>,
    /// Only rows with this lead outcome.
    pub lead_status: Option<String>,
    /// The column to sort by.
    pub sort_by: SortBy,
    /// Whether the largest value comes first.
    pub descending: bool,
}

/// A column to sort by. Rows with equal values are in the order of their offsets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    /// Place in the generated sequence.
    #[default]
    Offset,
    /// Name.
    Domain,
    /// DNS outcome.
    DnsStatus,
    /// HTTP outcome.
    HttpStatus,
    /// Lead score.
    LeadScore,
}

impl SortBy {
    /// The column of [`Versions::statuses`] that the order depends on.
    const fn status_column(self) -> Option<usize> {
        match self {
            Self::Offset | Self::Domain => None,
            Self::DnsStatus => Some(DNS),
            Self::HttpStatus => Some(HTTP),
            Self::LeadScore => Some(LEAD),
        }
    }
}

/// One row, as JavaScript sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct DomainRow<'a> {
    /// Stable id.
    pub domain_id: &'a str,
    /// Name.
    pub domain: &'a str,
    /// Place in the generated sequence.
    pub offset: Option<i64>,
    /// DNS outcome.
    pub dns_status: Option<&'a str>,
    /// HTTP outcome.
    pub http_status: Option<&'a str>,
    /// HTTP status code.
    pub http_status_code: Option<i64>,
    /// Lead outcome.
    pub lead_status: Option<&'a str>,
    /// Lead score.
    pub lead_score: Option<f64>,
    /// Whether the server's last snapshot lacked the row.
    pub unconfirmed: bool,
}

/// One page of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct DomainPage<'a> {
    /// Rows that match the filters, on all pages.
    pub total: usize,
    /// The rows of this page.
    pub rows: Vec<DomainRow<'a>>,
}

impl ToJson for DomainRow<'_> {
    fn show(&self, to: &mut JsonWriter) {
        let whole = |number: Option<i64>| number.map(|it| it as f64);
        to.text("domainId", self.domain_id);
        to.text("domain", self.domain);
        to.nullable_number("offset", whole(self.offset));
        to.nullable_text("dnsStatus", self.dns_status);
        to.nullable_text("httpStatus", self.http_status);
        to.nullable_number("httpStatusCode", whole(self.http_status_code));
        to.nullable_text("leadStatus", self.lead_status);
        to.nullable_number("leadScore", self.lead_score);
        to.flag("unconfirmed", self.unconfirmed);
    }
}

impl ToJson for DomainPage<'_> {
    fn show(&self, to: &mut JsonWriter) {
        to.count("total", self.total as u64);
        to.member("rows", "[");
        for row in &self.rows {
            to.open("{");
            row.show(to);
            to.close("}");
        }
        to.close("]");
    }
}

/// The cached order of the last query over one table.
#[derive(Clone, Debug, Default)]
pub struct OrderCache {
    order: RowOrder,
    versions: Option<Versions>,
    rows: Vec<u32>,
    folded: u64,
}

impl OrderCache {
    /// The rows of `table` in the requested order, computed again only if a column that it depends
    /// on changed.
    pub fn rows(&mut self, table: &DomainTable, folded: &FoldedNames, order: &RowOrder) -> &[u32] {
        let versions = table.versions();
        let fresh = self.order == *order
            && self.folded == folded.version()
            && self.versions.is_some_and(|known| order.depends_only_on_same(known, versions));
        if !fresh {
            self.rows.clear();
            order.select(table, folded, &mut self.rows);
            order.sort(table, &mut self.rows);
            self.order = order.clone();
            self.versions = Some(versions);
            self.folded = folded.version();
        }
        &self.rows
    }
}

impl RowOrder {
    fn depends_only_on_same(&self, known: Versions, now: Versions) -> bool {
        let sorted = self.sort_by.status_column();
        let wanted = self.wanted_statuses();
        let same = |column: usize| {
            let depends = wanted[column].is_some() || sorted == Some(column);
            !depends || known.statuses[column] == now.statuses[column]
        };
        known.rows == now.rows && (DNS..=LEAD).all(same)
    }

    const fn wanted_statuses(&self) -> [&Option<String>; 3] {
        [&self.dns_status, &self.http_status, &self.lead_status]
    }

    fn select(&self, table: &DomainTable, folded: &FoldedNames, rows: &mut Vec<u32>) {
        let mut numbers = [None; 3];
        for (column, word) in self.wanted_statuses().into_iter().enumerate() {
            let Some(word) = word else { continue };
            // A status that no row has ever had selects no rows.
            let Some(found) = table.statuses(column).find(word) else { return };
            numbers[column] = Some(found);
        }
        let needle = self.search.as_bytes().trim_ascii();
        for row in 0..table.len() {
            let statuses = table.status_numbers(row);
            let same = numbers.iter().zip(statuses).all(|(it, has)| it.is_none_or(|it| it == has));
            if same && contains(folded.get(table.name(row)).as_bytes(), needle) {
                rows.push(row as u32);
            }
        }
    }

    /// Sorts with one algorithm for all columns. Each column supplies only a comparison.
    fn sort(&self, table: &DomainTable, rows: &mut [u32]) {
        let by_offset = |a: usize, b: usize| {
            let offset = |row| table.offset(row).unwrap_or(i64::MAX);
            offset(a).cmp(&offset(b)).then(a.cmp(&b))
        };
        // Generated rows are usually in order already.
        let in_order = || rows.is_sorted_by(|&a, &b| by_offset(a as usize, b as usize).is_lt());
        if self.sort_by == SortBy::Offset && in_order() {
            if self.descending {
                rows.reverse();
            }
            return;
        }
        // A column has few statuses, so most compared rows have the same status.
        let by_status = |column: usize, a: usize, b: usize| {
            let (a, b) = (table.status_numbers(a)[column], table.status_numbers(b)[column]);
            let status = |number| table.statuses(column).status(number);
            if a == b { Ordering::Equal } else { status(a).cmp(&status(b)) }
        };
        sort(rows, &mut |a, b| {
            let (a, b) = (a as usize, b as usize);
            let ordering = match self.sort_by {
                SortBy::Offset => by_offset(a, b),
                SortBy::Domain => table.name(a).cmp(table.name(b)),
                SortBy::DnsStatus => by_status(DNS, a, b),
                SortBy::HttpStatus => by_status(HTTP, a, b),
                SortBy::LeadScore => {
                    let score = |row| table.fields(row).lead_score.unwrap_or(f64::NEG_INFINITY);
                    score(a).total_cmp(&score(b))
                }
            };
            let directed = if self.descending { ordering.reverse() } else { ordering };
            directed.then_with(|| by_offset(a, b))
        });
    }
}

/// The page of `query`: rows of the table first, then unconfirmed rows.
pub fn page<'a>(
    tables: [&'a DomainTable; 2],
    caches: &mut [OrderCache; 2],
    folded: &FoldedNames,
    query: &DomainQuery,
) -> DomainPage<'a> {
    let [confirmed, unconfirmed] = caches;
    let confirmed = confirmed.rows(tables[0], folded, &query.order);
    let unconfirmed = unconfirmed.rows(tables[1], folded, &query.order);
    let total = confirmed.len() + unconfirmed.len();
    let mut rows = Vec::new();
    let end = query.offset.saturating_add(query.limit.min(PAGE_ROWS_MAX)).min(total);
    for at in query.offset..end {
        rows.push(match at.checked_sub(confirmed.len()) {
            None => shown_row(tables[0], confirmed[at], false),
            Some(at) => shown_row(tables[1], unconfirmed[at], true),
        });
    }
    DomainPage { total, rows }
}

pub(super) fn shown_row(table: &DomainTable, row: u32, unconfirmed: bool) -> DomainRow<'_> {
    let fields = table.fields(row as usize);
    DomainRow {
        domain_id: fields.domain_id,
        domain: fields.domain.unwrap_or_default(),
        offset: fields.offset,
        dns_status: fields.dns_status,
        http_status: fields.http_status,
        http_status_code: fields.http_status_code,
        lead_status: fields.lead_status,
        lead_score: fields.lead_score,
        unconfirmed,
    }
}

/// Whether `name` contains `needle`. The case of ASCII letters is ignored; other letters are folded on
/// both sides.
fn contains(name: &[u8], needle: &[u8]) -> bool {
    needle.is_empty() || name.windows(needle.len()).any(|part| part.eq_ignore_ascii_case(needle))
}
