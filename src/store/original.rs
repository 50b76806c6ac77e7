//! The fold of the original dialect, where continuity cannot be proved (design §3.1).
//!
//! Rows are only ever added to; a phase's counters only ever follow messages about that phase; and
//! whatever contradicts the phase we know is told to the caller, who asks for a snapshot.

use super::apply::{EventMeta, LastTransition, PhaseChange};
use super::{CampaignStore, Change, Claim};
use crate::protocol::body::{Body, StatusChange};
use crate::protocol::campaign::PhaseCounters;
use crate::protocol::domain::RowPatch;
use crate::protocol::original::{LegacyTransition, Message, OriginalProgress, PhaseComplete};
use crate::protocol::snapshot::RestSnapshot;
use crate::protocol::time::parse_rfc3339_ms;
use crate::protocol::transition::Transition;
use crate::protocol::{Code, Phase, SequenceNumber, Status};

/// What a message of the original dialect did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OriginalChange {
    /// As in v1.
    pub change: Change,
    /// The full transition that was accepted or refused, if the message was one.
    pub transition: Option<Box<Transition>>,
    /// The message speaks of a phase that nobody announced to us.
    pub unannounced: bool,
}

impl CampaignStore {
    /// Applies one message.
    ///
    /// # Errors
    /// [`Code::InvalidContent`] where a row cannot be applied; nothing has changed then.
    pub fn apply_original(
        &mut self,
        message: &Message<'_>,
        timestamp: &str,
    ) -> Result<OriginalChange, Code> {
        let mut done = OriginalChange::default();
        match message {
            Message::Event(body) => return self.apply_original_event(body, timestamp),
            Message::Progress(progress) | Message::StateSync(Some(progress)) => {
                done.unannounced = self.original_progress(progress, timestamp);
            }
            Message::LegacyTransition(legacy) => {
                let transition = expand_legacy(legacy);
                return Ok(self.original_transition(&transition, timestamp));
            }
            Message::PhaseComplete(complete) => {
                done.unannounced = self.original_phase_complete(complete, timestamp);
            }
            Message::CampaignComplete(complete) => {
                if let Some(record) = &mut self.record {
                    record.status = complete.status;
                }
            }
            Message::Ack { .. }
            | Message::SubscriptionConfirmed
            | Message::Pong
            | Message::StateSync(None)
            | Message::SessionExpired
            | Message::Error { .. }
            | Message::Ignored
            | Message::Unknown => {}
        }
        Ok(done)
    }

    /// Takes a fetched snapshot in: its record replaces ours, its rows are added to ours. Lists of
    /// the original may be cut off, so a row that is missing there is no row that is gone.
    ///
    /// # Errors
    /// [`Code::InvalidContent`] where a row cannot be applied; nothing has changed then.
    pub fn resynchronise(
        &mut self,
        snapshot: &RestSnapshot<'_>,
    ) -> Result<Option<PhaseChange>, Code> {
        self.upsert_original(&snapshot.rows)?;
        let phase = PhaseChange::between(self.record.as_ref(), &snapshot.campaign);
        let known = self.table.len() as u64;
        let mut record = snapshot.campaign.clone();
        record.total_domain_count = record.total_domain_count.max(known);
        self.record = Some(record);
        self.error = None;
        Ok(phase)
    }

    fn apply_original_event(
        &mut self,
        body: &Body<'_>,
        timestamp: &str,
    ) -> Result<OriginalChange, Code> {
        let mut done = OriginalChange::default();
        match body {
            Body::Row(row) => self.upsert_original(core::slice::from_ref(row))?,
            Body::Rows(rows) => self.upsert_original(rows)?,
            Body::Transition(transition) => {
                return Ok(self.original_transition(transition, timestamp));
            }
            Body::Status(status) => {
                done.unannounced = self.original_status(status, timestamp);
            }
            Body::Record(record) => {
                done.change.phase = PhaseChange::between(self.record.as_ref(), record);
                self.record = Some((**record).clone());
            }
            Body::Deleted => done.change.ended = true,
            Body::Notification { level, message } => {
                done.change.notification = Some((level.clone(), message.clone()));
            }
            // Rows of this dialect are never taken away by events; progress has its own message.
            Body::Removed(_) | Body::Progress(_) | Body::Nothing => {}
        }
        Ok(done)
    }

    fn upsert_original(&mut self, rows: &[RowPatch<'_>]) -> Result<(), Code> {
        for row in rows {
            self.table.validate(row)?;
        }
        for row in rows {
            self.table.upsert(row)?;
        }
        let count = self.table.len() as u64;
        if let Some(record) = &mut self.record {
            record.total_domain_count = record.total_domain_count.max(count);
        }
        Ok(())
    }

    /// Tells whether the phase spoken of is not the one we know.
    fn original_progress(&mut self, progress: &OriginalProgress, timestamp: &str) -> bool {
        if self.is_before_last_transition(timestamp) {
            return false;
        }
        let rows = self.table.len() as u64;
        let first = self.record.is_none();
        let record = self.record.get_or_insert_default();
        if first {
            record.phase = progress.phase.unwrap_or(record.phase);
            record.total_domain_count = rows;
        }
        if progress.phase.is_some_and(|phase| phase != record.phase) {
            return true;
        }
        record.status = progress.status.unwrap_or(record.status);
        let counters = &mut record.counters;
        set(&mut counters.total_items, progress.total_items);
        set(&mut counters.processed_items, progress.processed_items);
        set(&mut counters.successful_items, progress.successful_items);
        set(&mut counters.failed_items, progress.failed_items);
        match progress.percent {
            Some(percent) => counters.progress_percentage = percent,
            None => *counters = counters.with_derived_progress(),
        }
        false
    }

    fn original_status(&mut self, change: &StatusChange, timestamp: &str) -> bool {
        if self.is_before_last_transition(timestamp) {
            return false;
        }
        let Some(record) = &mut self.record else { return false };
        if change.phase.is_some_and(|phase| phase != record.phase) {
            return true;
        }
        record.status = change.status;
        let failed = change.status == Status::Failed;
        record.error_message = if failed { change.message.clone() } else { None };
        false
    }

    fn original_phase_complete(&mut self, complete: &PhaseComplete, timestamp: &str) -> bool {
        if self.is_before_last_transition(timestamp) {
            return false;
        }
        let Some(record) = &mut self.record else { return false };
        if complete.phase != record.phase {
            return true;
        }
        record.status = Status::Completed;
        record.counters.progress_percentage = 100.0;
        false
    }

    /// A transition into the phase we are already in changes nothing; `previousPhase` is what the
    /// caller of the original happened to write, so it decides nothing.
    fn original_transition(&mut self, transition: &Transition, timestamp: &str) -> OriginalChange {
        let mut done = OriginalChange::default();
        if self.is_before_last_transition(timestamp) {
            return done;
        }
        done.transition = Some(Box::new(transition.clone()));
        if let Some(code) = transition.refusal() {
            self.error = Some(code);
            done.change.refused = Some(code);
            return done;
        }
        if self.record.as_ref().is_some_and(|record| record.phase == transition.new_phase) {
            done.transition = None;
            return done;
        }
        let mut record = self.record.clone().unwrap_or_default();
        record.phase = transition.new_phase;
        record.status = transition.new_status;
        record.counters = counters_after(transition);
        record.error_message = None;
        record.total_domain_count = record.total_domain_count.max(transition.domains_count);
        done.change.phase = PhaseChange::between(self.record.as_ref(), &record);
        done.change.transition = true;
        // Counts are of the phase here; only DNS validation has all rows.
        if transition.new_phase == Phase::DnsValidation && transition.domains_count > 0 {
            done.change.claim = Some(Claim { count: transition.domains_count, digest: None });
        }
        self.record = Some(record);
        self.error = None;
        let meta = EventMeta { timestamp, sequence_number: SequenceNumber::ZERO };
        self.last_transition = Some(LastTransition {
            transition: transition.clone(),
            timestamp: meta.timestamp.to_owned(),
            sequence_number: meta.sequence_number,
        });
        done
    }

    /// Whether a message is older than the last transition, at the precision that both have: some
    /// of the original's messages tell only seconds.
    fn is_before_last_transition(&self, timestamp: &str) -> bool {
        let Some(last) = &self.last_transition else { return false };
        let precision = if timestamp.contains('.') { 1 } else { 1_000 };
        let (Some(this), Some(last)) =
            (parse_rfc3339_ms(timestamp), parse_rfc3339_ms(&last.timestamp))
        else {
            return false;
        };
        this.div_euclid(precision) < last.div_euclid(precision)
    }
}

fn set(counter: &mut u64, told: Option<u64>) {
    if let Some(told) = told {
        *counter = told;
    }
}

/// The counters of the phase that begins. The original announces phases that have not begun with
/// the results of the one before; a phase that has not begun has processed nothing.
fn counters_after(transition: &Transition) -> PhaseCounters {
    let begun = transition.new_status != Status::NotStarted;
    let told = |count: u64| if begun { count } else { 0 };
    PhaseCounters {
        total_items: transition.domains_count,
        processed_items: told(transition.processed_count),
        successful_items: told(transition.successful_count),
        failed_items: told(transition.failed_items),
        progress_percentage: 0.0,
    }
    .with_derived_progress()
}

/// A transition that tells only where it goes.
fn expand_legacy(legacy: &LegacyTransition) -> Transition {
    let refused = legacy.refusal;
    Transition {
        previous_phase: None,
        new_phase: legacy.new_phase,
        new_status: legacy.new_status.unwrap_or(Status::NotStarted),
        transition_type: "automatic".to_owned(),
        trigger_reason: None,
        prerequisites_met: refused != Some(Code::PrerequisitesNotMet),
        data_integrity_check: refused != Some(Code::IntegrityCheckFailed),
        domains_count: 0,
        processed_count: 0,
        successful_count: 0,
        failed_items: 0,
        estimated_duration: None,
        transition_metadata: None,
        rollback: None,
        campaign: None,
        domains_digest: None,
    }
}
