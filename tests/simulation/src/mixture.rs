//! What a page shows while it has no position: the last state that was fetched without one, and the
//! rows that were there before. Nothing in a log joins that; only a snapshot replaces it.

use std::rc::Rc;

use campaign_sync::protocol::Digest;
use campaign_sync::protocol::digest::RowFields;
use campaign_sync::store::CampaignStore;

use super::invariants::{Check, demand};
use super::oracle::{difference, same_record, words_add_up};
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
        self.compared = None;
        self.states.extend(shown.filter(|_| self.states.is_empty()));
        self.states.push(offered);
    }

    /// The states.
    pub(crate) fn states(&self) -> &[Rc<State>] {
        &self.states
    }

    /// G1: the record is that of the last one, and no row is lost or made up. Whoever shows other rows
    /// than in the step before, or the first time, has `said` so.
    pub(crate) fn check(&mut self, store: &CampaignStore, said: bool) -> Check {
        let Some(last) = self.states.last() else { return Ok(()) };
        let table = store.table();
        let total = last.record.total.max(table.len() as u64);
        let same = same_record(store, &Record { total, ..last.record.clone() });
        demand(same, "G1", || format!("without a position the record is {:?}", store.record()))?;
        let rows = Some((table.len(), table.digest()));
        if std::mem::replace(&mut self.compared, rows) == rows {
            return Ok(());
        }
        demand(said, "changes", || "nobody was told of a state without a position".to_owned())?;
        let genuine = (0..table.len()).all(|row| is_mixed(&table.fields(row), &self.states));
        let genuine = genuine && words_add_up(table);
        let ids = self.states.iter().flat_map(|state| state.rows.iter());
        let lost = ids.filter(|(id, _)| table.find(id).is_none()).count();
        demand(genuine && lost == 0, "G1", || {
            let difference = difference(store, &self.states);
            format!("without a position, {lost} rows lost: {difference}")
        })
    }
}

/// Whether each column is what the last of these states that tells of it says: who does not leaves it.
fn is_mixed(row: &RowFields<'_>, states: &[Rc<State>]) -> bool {
    let rows = states.iter().filter_map(|state| state.rows.get(row.domain_id));
    let rows = rows.map(|known| known.fields(row.domain_id));
    let mixed = rows.reduce(|before, after| RowFields {
        domain_id: row.domain_id,
        domain: after.domain.or(before.domain),
        offset: after.offset.or(before.offset),
        dns_status: after.dns_status.or(before.dns_status),
        http_status: after.http_status.or(before.http_status),
        http_status_code: after.http_status_code.or(before.http_status_code),
        lead_status: after.lead_status.or(before.lead_status),
        lead_score: after.lead_score.or(before.lead_score),
    });
    mixed.as_ref() == Some(row)
}
