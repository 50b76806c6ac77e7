//! The fold: applies each event to a campaign. An event is validated as a whole and then applied as
//! a whole (docs/PROTOCOL.md, chapter 10).

use std::sync::Arc;

use super::change::{Change, EventMeta, Fault, LastTransition, PhaseChange};
use super::{CampaignStore, ExpectedDigest};
use crate::protocol::body::{Body, Progress, StatusChange};
use crate::protocol::campaign::{CampaignRecord, PhaseCounters};
use crate::protocol::domain::RowPatch;
use crate::protocol::transition::{Rollback, Transition};
use crate::protocol::{Code, Status};

impl CampaignStore {
    /// Applies one event of v1.
    ///
    /// # Errors
    /// [`Fault`]; the store is then unchanged.
    pub fn apply(&mut self, body: &Body<'_>, meta: EventMeta<'_>) -> Result<Change, Fault> {
        let mut change = Change::default();
        let before = self.record.as_ref().map(PhaseChange::of);
        match body {
            Body::Row(row) => self.apply_rows(core::slice::from_ref(row))?,
            Body::Rows(rows) => self.apply_rows(rows)?,
            Body::Removed(ids) => {
                for id in ids {
                    self.table.remove(id);
                    self.unconfirmed.remove(id);
                }
                self.recount();
            }
            Body::Progress(progress) => self.apply_progress(progress),
            Body::Status(status) => self.apply_status(status),
            Body::Transition(transition) => self.apply_transition(transition, meta, &mut change)?,
            Body::Record(record) => self.record = Some((**record).clone()),
            Body::Deleted | Body::Notification { .. } | Body::Nothing => {}
        }
        change.phase = self.record.as_ref().and_then(|after| PhaseChange::between(before, after));
        Ok(change)
    }

    fn apply_rows(&mut self, rows: &[RowPatch<'_>]) -> Result<(), Fault> {
        for (index, row) in rows.iter().enumerate() {
            // An earlier patch of the same event may create the row that this patch changes.
            let created = || {
                let same = |other: &&RowPatch<'_>| other.domain_id == row.domain_id;
                rows[..index].iter().find(same).is_some_and(|it| it.domain.value().is_some())
            };
            if let Err(code) = self.table.validate(row)
                && !(row.domain.value().is_none() && created())
            {
                return Err(Fault::Invalid(code));
            }
        }
        for row in rows {
            self.table.upsert(row).map_err(Fault::Invalid)?;
            if !self.unconfirmed.is_empty() {
                self.unconfirmed.remove(&row.domain_id);
            }
        }
        self.recount();
        Ok(())
    }

    /// Sets the domain count to the number of rows, after every event about rows.
    fn recount(&mut self) {
        let rows = self.table.len() as u64;
        self.record.get_or_insert_default().total_domain_count = rows;
    }

    /// Progress belongs to one phase. Progress of another phase is late or early and changes
    /// nothing.
    fn apply_progress(&mut self, progress: &Progress) {
        let Some(record) = self.record.as_mut() else { return };
        if record.phase == progress.phase {
            record.status = progress.status;
            record.counters = progress.counters;
        }
    }

    fn apply_status(&mut self, change: &StatusChange) {
        let Some(record) = self.record.as_mut() else { return };
        if change.phase.is_none_or(|phase| phase == record.phase) {
            record.status = change.status;
            let failed = change.status == Status::Failed;
            record.error_message = if failed { change.message.clone() } else { None };
        }
    }

    fn apply_transition(
        &mut self,
        transition: &Arc<Transition>,
        meta: EventMeta<'_>,
        change: &mut Change,
    ) -> Result<(), Fault> {
        if let Some(code) = transition.refusal() {
            // The count and digest of a refused transition must not clear this error.
            self.error = Some(code);
            change.refused = Some(code);
            return Ok(());
        }
        if let (Some(ours), Some(previous)) = (&self.record, transition.previous_phase)
            && previous != ours.phase
        {
            return Err(Fault::WrongPreviousPhase);
        }
        let state = (transition.new_phase, transition.new_status);
        if transition.campaign.as_ref().is_some_and(|record| PhaseChange::of(record) != state) {
            return Err(Fault::Invalid(Code::InvalidContent));
        }
        set_record(self.record.get_or_insert_default(), transition);
        change.expected = expected(transition);
        self.last_transition = Some(LastTransition {
            transition: Arc::clone(transition),
            timestamp: meta.timestamp.to_owned(),
            sequence_number: meta.sequence_number,
        });
        self.error = None;
        Ok(())
    }
}

/// The count and digest that a checkpoint claims. A transition without a digest is not a
/// checkpoint, and its count may cover only the phase.
fn expected(transition: &Transition) -> Option<ExpectedDigest> {
    let digest = transition.domains_digest?;
    Some(ExpectedDigest { count: transition.domains_count, digest: Some(digest) })
}

/// Applies an accepted transition to the record. Phase, status and counters change together.
fn set_record(record: &mut CampaignRecord, transition: &Transition) {
    let known = record.total_domain_count;
    match &transition.campaign {
        Some(complete) => *record = complete.clone(),
        None => set_counts(record, transition),
    }
    record.total_domain_count = record.total_domain_count.max(known);
    if let Some(rollback) = rollback_of(transition) {
        record.phase = rollback.phase;
        record.status = rollback.status;
        record.counters = rollback.counters;
        record.total_domain_count = rollback.total_domain_count;
    }
}

/// Applies a transition without a record. The phase's counters come from the payload.
fn set_counts(record: &mut CampaignRecord, transition: &Transition) {
    record.phase = transition.new_phase;
    record.status = transition.new_status;
    record.error_message = None;
    record.counters = PhaseCounters {
        total_items: transition.domains_count,
        processed_items: transition.processed_count,
        successful_items: transition.successful_count,
        failed_items: transition.failed_items,
        progress_percentage: 0.0,
    }
    .with_derived_progress();
    record.total_domain_count = transition.domains_count;
}

fn rollback_of(transition: &Transition) -> Option<&Rollback> {
    if transition.transition_type == "error_recovery" { transition.rollback.as_ref() } else { None }
}
