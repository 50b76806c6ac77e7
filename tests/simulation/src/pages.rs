//! Pages of rows, as an application reads them: in each order, with a search and without one.

use campaign_sync::protocol::CampaignId;
use campaign_sync::store::query::{DomainRow, RowOrder};
use campaign_sync::store::{DomainQuery, DomainTable, SortBy};
use campaign_sync::sync::Machine;

use super::invariants::{Check, demand};
use super::world::World;

/// The most rows in a page.
const LIMIT: usize = 1_000;

/// A page: the number of rows that match, and the ids of its rows.
type Page = (usize, Vec<String>);

impl World {
    /// Reads the first page of rows of a campaign, and compares it with the page made of all rows here. Each
    /// application has its own order, so most pages come from the client's cache.
    pub(crate) fn read_page(&mut self, number: usize, id: &CampaignId) -> Check {
        let client = &mut self.clients[number];
        let order = order(client.page_order);
        fold_names(&mut client.machine, id.as_str());
        let query = DomainQuery { offset: 0, limit: LIMIT, order };
        let ids =
            |page: &[_]| page.iter().map(|row: &DomainRow<'_>| row.domain_id.to_owned()).collect();
        let shown = client.machine.domains(id.as_str(), &query);
        let shown = shown.map(|page| (page.total, ids(&page.rows)));
        let store = client.machine.subscription(id.as_str()).map(|it| it.store());
        let expected = store.map(|it| expected([it.table(), it.unconfirmed()], &query.order));
        demand(shown == expected, "rows", || {
            format!("{:?} shows {shown:?}, the rows are {expected:?}", query.order)
        })
    }
}

/// The order of that number: every column, both directions, all rows or some.
fn order(number: u64) -> RowOrder {
    let columns =
        [SortBy::Offset, SortBy::Domain, SortBy::DnsStatus, SortBy::HttpStatus, SortBy::LeadScore];
    let searches = ["", "NÄME", "ame-1"];
    let chosen = |count: usize| (number % count as u64) as usize;
    RowOrder {
        sort_by: columns[chosen(columns.len())],
        descending: chosen(2) == 1,
        search: folded(searches[chosen(searches.len())]),
        ..RowOrder::default()
    }
}

/// Folds new names, as the package does before a search.
fn fold_names(machine: &mut Machine, id: &str) {
    let names = machine.unfolded(id);
    let pairs: Vec<String> =
        names.into_iter().flat_map(|name| [name.to_owned(), folded(name)]).collect();
    if !pairs.is_empty() {
        machine.fold(id, &pairs.join("\0"));
    }
}

fn folded(text: &str) -> String {
    text.to_uppercase().to_lowercase()
}

/// The page that the rows of both tables make.
fn expected(tables: [&DomainTable; 2], order: &RowOrder) -> Page {
    let mut ids: Vec<String> = tables.into_iter().flat_map(|table| sorted(table, order)).collect();
    let total = ids.len();
    ids.truncate(LIMIT);
    (total, ids)
}

/// The ids of the matching rows. Sorting keeps the order of equal rows.
fn sorted(table: &DomainTable, order: &RowOrder) -> Vec<String> {
    let matches = |row: &usize| folded(table.name(*row)).contains(&order.search);
    let mut rows: Vec<usize> = (0..table.len()).filter(matches).collect();
    rows.sort_by_key(|row| table.offset(*row).unwrap_or(i64::MAX));
    if order.sort_by == SortBy::Offset {
        if order.descending {
            rows.reverse();
        }
    } else {
        rows.sort_by(|one, next| {
            let (one, next) = if order.descending { (next, one) } else { (one, next) };
            let (one, next) = (table.fields(*one), table.fields(*next));
            match order.sort_by {
                SortBy::Offset => one.offset.cmp(&next.offset),
                SortBy::Domain => one.domain.cmp(&next.domain),
                SortBy::DnsStatus => one.dns_status.cmp(&next.dns_status),
                SortBy::HttpStatus => one.http_status.cmp(&next.http_status),
                SortBy::LeadScore => {
                    let score = |score: Option<f64>| score.unwrap_or(f64::NEG_INFINITY);
                    score(one.lead_score).total_cmp(&score(next.lead_score))
                }
            }
        });
    }
    rows.into_iter().map(|row| table.id(row).to_owned()).collect()
}
