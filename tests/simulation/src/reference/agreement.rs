//! Compares the server's state with the model's. The two folds were written independently.

use campaign_sync::protocol::digest::RowHasher;
use campaign_sync_harness::log::{Appended, Recount, Row, View};

use super::super::invariants::{Check, demand};
use super::super::oracle::is_record;
use super::super::server::log::Campaign;
use super::super::server::state::State;

/// After every event: compares the number, the count and the digest of all rows, and the record.
pub(super) fn of_append(appended: &Appended, campaign: &Campaign) -> Check {
    let (head, written, state) = (&appended.head, &appended.state, campaign.state());
    let ours = (campaign.log().head(), state.rows.len() as u64, state.digest);
    let theirs = (head.number, head.domains_count, head.domains_digest);
    demand(theirs == ours, "core", || {
        format!(
            "{} is at {theirs:?} (number, rows, digest), and the model at {ours:?}",
            campaign.id
        )
    })?;
    let same = is_record(&written.record, &state.record) && written.deleted == state.deleted;
    demand(same, "core", || {
        format!("{} is {written:?}, and in the model {:?}", campaign.id, state.record)
    })
}

/// At intervals: compares every row, and runs the integrity check of transitions.
pub(super) fn of_rows(view: Option<&View>, recount: Option<&Recount>, state: &State) -> Check {
    let rows = view.map_or(&[][..], |view| &view.rows);
    let wrong = rows.iter().find(|row| !has(state, row));
    demand(rows.len() == state.rows.len() && wrong.is_none(), "core", || {
        format!("{} rows, {} in the model; not as there: {wrong:?}", rows.len(), state.rows.len())
    })?;
    demand(recount.is_some_and(Recount::agrees), "core", || {
        format!("after a recount, the rows do not add up: {recount:?}")
    })
}

/// Whether the model has exactly this row.
pub(super) fn has(state: &State, row: &Row) -> bool {
    let hash = row.hash(&mut RowHasher::default());
    state.rows.get(&row.domain_id).is_some_and(|ours| ours.hash == hash)
}
