//! Queries for rows: filtered, sorted, one page at a time.
//!
//! The order of the last query is cached. It is computed again only if a column that it depends on
//! has changed, so scrolling through 100,000 rows costs a page, not a sort.

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

    /// The value of a row in this column: a number or a text. No number comes first, except no offset, and no
    /// text does.
    fn value(self, table: &DomainTable, row: usize) -> (f64, Option<&str>) {
        let status = |column| (0.0, table.status(row, column));
        match self {
            Self::Offset => (table.offset(row).map_or(f64::INFINITY, |it| it as f64), None),
            Self::Domain => (0.0, Some(table.name(row))),
            Self::DnsStatus => status(DNS),
            Self::HttpStatus => status(HTTP),
            Self::LeadScore => (table.lead_score(row).unwrap_or(f64::NEG_INFINITY), None),
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

/// The cached order of the last query.
#[derive(Clone, Debug, Default)]
pub struct OrderCache {
    order: RowOrder,
    /// The versions from which the rows were computed: of the folded names and of both tables.
    versions: [u64; 3],
    /// The rows of each table.
    rows: [Vec<u32>; 2],
}

impl OrderCache {
    /// The rows of each table in the requested order, computed again only if a column that it depends
    /// on changed.
    fn rows(
        &mut self,
        tables: [&DomainTable; 2],
        folded: &FoldedNames,
        order: &RowOrder,
    ) -> &[Vec<u32>; 2] {
        let versions = [folded.version(), order.version(tables[0]), order.version(tables[1])];
        if self.versions != versions || self.order != *order {
            for (rows, table) in self.rows.iter_mut().zip(tables) {
                rows.clear();
                order.select(table, folded, rows);
                order.sort(table, rows);
            }
            self.order = order.clone();
            self.versions = versions;
        }
        &self.rows
    }
}

impl RowOrder {
    /// The sum of the versions of the columns that the order depends on. The versions of a table only increase, so
    /// an equal sum means that nothing changed.
    fn version(&self, table: &DomainTable) -> u64 {
        let Versions { rows: mut version, statuses } = table.versions();
        for (column, wanted) in self.wanted_statuses().into_iter().enumerate() {
            if wanted.is_some() || self.sort_by.status_column() == Some(column) {
                version += statuses[column];
            }
        }
        version
    }

    const fn wanted_statuses(&self) -> [&Option<String>; 3] {
        [&self.dns_status, &self.http_status, &self.lead_status]
    }

    fn select(&self, table: &DomainTable, folded: &FoldedNames, rows: &mut Vec<u32>) {
        let needle = self.search.as_bytes().trim_ascii();
        for row in 0..table.len() {
            let mut wanted = self.wanted_statuses().into_iter().enumerate();
            let same = wanted.all(|(column, wanted)| {
                wanted.is_none() || wanted.as_deref() == table.status(row, column)
            });
            if same && contains(folded.get(table.name(row)).as_bytes(), needle) {
                rows.push(row as u32);
            }
        }
    }

    /// Sorts by offset and then by the requested column, because sorting keeps the order of equal rows.
    fn sort(&self, table: &DomainTable, rows: &mut [u32]) {
        sort_by(SortBy::Offset, false, table, rows);
        if self.sort_by != SortBy::Offset {
            sort_by(self.sort_by, self.descending, table, rows);
        } else if self.descending {
            rows.reverse();
        }
    }
}

fn sort_by(column: SortBy, descending: bool, table: &DomainTable, rows: &mut [u32]) {
    sort(rows, &mut |a, b| {
        let (a, b) = if descending { (b, a) } else { (a, b) };
        let (a, b) = (column.value(table, a as usize), column.value(table, b as usize));
        a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1))
    });
}

/// The page of `query`: rows of the table first, then unconfirmed rows.
pub fn page<'a>(
    tables: [&'a DomainTable; 2],
    cache: &mut OrderCache,
    folded: &FoldedNames,
    query: &DomainQuery,
) -> DomainPage<'a> {
    let [confirmed, unconfirmed] = cache.rows(tables, folded, &query.order);
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
