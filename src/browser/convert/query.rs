//! Queries of the application: the subject, the campaign, and for rows the filters and sort order.

use std::borrow::Cow;

use crate::protocol::Code;
use crate::protocol::lookup::lookup;
use crate::protocol::schema::{Field, Kind, Value, nullable, optional, read_raw, required, slots};
use crate::store::query::{DomainQuery, RowOrder, SortBy};

/// Rows per page if the query has no limit.
const LIMIT_DEFAULT: usize = 100;

/// The subject of a query.
#[derive(Clone, Copy)]
pub(in crate::browser) enum Query {
    View,
    Status,
    Domains,
    Unfolded,
    Changes,
    /// Whether the whole list is wanted.
    Catalogue(bool),
    CatalogueStatus,
    Metrics,
    Diagnostics,
}

/// Reads a query from JSON: the subject, the campaign, and for rows the filters and sort order.
pub(in crate::browser) fn query(json: &str) -> Result<(Query, Cow<'_, str>, DomainQuery), Code> {
    let values = &mut slots();
    read_raw(json, &QUERY, values)?;
    let [read, campaign_id, offset, limit, search, statuses @ ..] = values;
    let [dns_status, http_status, lead_status, sort_by, order] = statuses;
    let saturated = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let query = DomainQuery {
        offset: saturated(offset.count()),
        limit: limit.unsigned().map_or(LIMIT_DEFAULT, saturated),
        order: RowOrder {
            search: search.string_or_empty(),
            dns_status: dns_status.string(),
            http_status: http_status.string(),
            lead_status: lead_status.string(),
            sort_by: named(sort_by, &SORT_BY)?,
            descending: named(order, &[("asc", false), ("desc", true)])?,
        },
    };
    let what = named(read, &QUERIES)?;
    Ok((what, campaign_id.text_or_empty(), query))
}

/// The value of a string in the table `words`; the first value if the string is absent.
fn named<T: Copy>(value: &Value<'_>, names: &[(&str, T)]) -> Result<T, Code> {
    let first = names.first().map(|&(_, meaning)| meaning);
    let found = match value.text() {
        Some(text) => lookup(names, &text),
        None => first,
    };
    found.ok_or(Code::InvalidContent)
}

static SORT_BY: [(&str, SortBy); 5] = [
    ("offset", SortBy::Offset),
    ("domain", SortBy::Domain),
    ("dnsStatus", SortBy::DnsStatus),
    ("httpStatus", SortBy::HttpStatus),
    ("leadScore", SortBy::LeadScore),
];

static QUERIES: [(&str, Query); 10] = [
    ("view", Query::View),
    ("status", Query::Status),
    ("domains", Query::Domains),
    ("unfolded", Query::Unfolded),
    ("changes", Query::Changes),
    ("catalogue", Query::Catalogue(false)),
    ("wholeCatalogue", Query::Catalogue(true)),
    ("catalogueStatus", Query::CatalogueStatus),
    ("metrics", Query::Metrics),
    ("diagnostics", Query::Diagnostics),
];

static QUERY: [Field; 10] = [
    required("read", Kind::Text),
    optional("campaignId", Kind::Text),
    optional("offset", Kind::Unsigned),
    optional("limit", Kind::Unsigned),
    nullable("search", Kind::Text),
    nullable("dnsStatus", Kind::Text),
    nullable("httpStatus", Kind::Text),
    nullable("leadStatus", Kind::Text),
    nullable("sortBy", Kind::Text),
    nullable("sortOrder", Kind::Text),
];
