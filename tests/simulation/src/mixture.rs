//! What a page shows while it has no position: the last state that was fetched without one, and the
//! rows that were there before. Nothing in a log joins that; only a snapshot replaces it.

use std::rc::Rc;

use campaign_sync::protocol::Digest;
use campaign_sync::protocol::digest::RowFields;
use campaign_sync::store::CampaignStore;

use super::invariants::{Check, demand};
use super::oracle::{difference, same_record};
use super::server::state::{Record, State};

/// The states that are shown together, the last one last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mixture {
    states: Vec<Rc<State>>,
    /// The rows, as they were last compared one by one.
    compared: Option<(usize, Digest)>,
}

impl Mixture {
    /// Whether what is shown has a position, or is nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// Another one is taken in, perhaps on top of what had a position.
    pub(crate) fn add(&mut self, shown: Option<Rc<State>>, offered: Rc<State>) {
        self.states.extend(shown.filter(|_| self.states.is_empty()));
        self.states.push(offered);
    }

    /// The states.
    pub(crate) fn states(&self) -> &[Rc<State>] {
        &self.states
    }

    /// G1: the record is that of the last one, and no row is lost or made up.
    pub(crate) fn check(&mut self, store: &CampaignStore) -> Check {
        let Some(last) = self.states.last() else { return Ok(()) };
        let table = store.table();
        let total = last.record.total.max(table.len() as u64);
        let same = same_record(store, &Record { total, ..last.record.clone() });
        demand(same, "G1", || format!("without a position the record is {:?}", store.record()))?;
        let rows = Some((table.len(), table.digest()));
        if std::mem::replace(&mut self.compared, rows) == rows {
            return Ok(());
        }
        let genuine = (0..table.len()).all(|row| is_mixed(&table.fields(row), &self.states));
        let ids = self.states.iter().flat_map(|state| state.rows.iter());
        let lost = ids.filter(|(id, _)| table.find(id).is_none()).count();
        demand(genuine && lost == 0, "G1", || {
            let difference = difference(store, &self.states);
            format!("without a position, {lost} rows lost: {difference}")
        })
    }
}

/// Whether every column is that of one of these states: who does not tell of a column leaves it.
fn is_mixed(row: &RowFields<'_>, states: &[Rc<State>]) -> bool {
    let states = states.iter().filter_map(|state| state.rows.get(row.domain_id));
    let known: Vec<RowFields<'_>> = states.map(|it| it.fields(row.domain_id)).collect();
    known.iter().any(|it| it.domain == row.domain)
        && known.iter().any(|it| it.offset == row.offset)
        && known.iter().any(|it| it.dns_status == row.dns_status)
        && known.iter().any(|it| it.http_status == row.http_status)
        && known.iter().any(|it| it.http_status_code == row.http_status_code)
        && known.iter().any(|it| it.lead_status == row.lead_status)
        && known.iter().any(|it| it.lead_score == row.lead_score)
}
