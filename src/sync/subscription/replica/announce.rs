//! Notices, cache invalidations and log records of one campaign. Caches come first, because a listener
//! that receives a phase may read the cache.
//!
//! These steps change nothing but the outbox, and use no other steps.

use super::Replica;
use crate::protocol::transition::Transition;
use crate::protocol::violation::Violation;
use crate::protocol::{Code, Phase, SequenceNumber, Status};
use crate::store::campaign::SnapshotApplied;
use crate::store::{Change, Discrepancy, PhaseChange};
use crate::sync::context::Context;
use crate::sync::log::{Level, LogSubject};
use crate::sync::notice::{CacheInvalidated, Detail, PhaseTransition};
use crate::sync::time::Timestamp;

/// Why a phase or its status changed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PhaseCause<'a> {
    /// As in [`PhaseTransition`].
    pub(super) transition_type: &'a str,
    pub(super) trigger_reason: Option<&'a str>,
    pub(super) estimated_duration: Option<f64>,
    /// The time of the event; empty if only the result is known.
    pub(super) timestamp: &'a str,
}

impl PhaseCause<'_> {
    /// Only the result is known, from a snapshot.
    const SNAPSHOT: Self = Self {
        transition_type: "snapshot",
        trigger_reason: None,
        estimated_duration: None,
        timestamp: "",
    };
}

impl Replica {
    fn epoch(&self) -> Option<String> {
        self.store.position().map(|position| position.epoch.as_str().to_owned())
    }

    /// Announces that cached data of this campaign is no longer valid.
    pub(in crate::sync::subscription) fn invalidate(&self, cx: &mut Context, reason: &'static str) {
        cx.clear_content(&self.id);
        let transition = reason == "phase_transition";
        let phase = self.store.record().map(|record| record.phase);
        self.notify(
            cx,
            Detail::CacheInvalidated(CacheInvalidated {
                reason,
                new_phase: phase.filter(|_| transition),
                epoch: self.epoch(),
                sequence_number: self.applied().get(),
            }),
        );
    }

    /// Announces an applied transition event, accepted or refused.
    pub(super) fn announce_transition(
        &self,
        cx: &mut Context,
        transition: &Transition,
        change: &Change,
        timestamp: &str,
    ) {
        if let Some(code) = change.refused {
            self.notify(
                cx,
                Detail::TransitionRefused {
                    code,
                    new_phase: transition.new_phase,
                    trigger_reason: transition.trigger_reason.clone(),
                },
            );
            return;
        }
        if !change.phase.is_some_and(enters_phase) {
            self.invalidate(cx, "phase_transition");
        }
        if let Some(phase) = change.phase {
            let cause = PhaseCause {
                transition_type: &transition.transition_type,
                trigger_reason: transition.trigger_reason.as_deref(),
                estimated_duration: transition.estimated_duration,
                timestamp,
            };
            self.announce_phase(cx, phase, cause);
        }
    }

    /// Announces a change of phase or status.
    pub(super) fn announce_phase(
        &self,
        cx: &mut Context,
        phase: PhaseChange,
        cause: PhaseCause<'_>,
    ) {
        let is_new = enters_phase(phase);
        if is_new {
            self.invalidate(cx, "phase_transition");
        }
        if !self.introduced {
            return;
        }
        if is_new {
            self.announce_new_phase(cx, Some(phase.from.0), phase.to, cause);
        } else {
            self.announce_phase_status(cx, phase, cause.timestamp);
        }
    }

    /// Announces the phase of a campaign that is loaded for its first handle.
    pub(super) fn announce_introduction(&self, cx: &mut Context, now: (Phase, Status)) {
        self.announce_new_phase(cx, None, now, PhaseCause::SNAPSHOT);
    }

    fn announce_phase_status(&self, cx: &mut Context, phase: PhaseChange, timestamp: &str) {
        self.notify(
            cx,
            Detail::PhaseStatusChange {
                phase: phase.to.0,
                from: phase.from.1,
                to: phase.to.1,
                timestamp: timestamp.to_owned(),
                sequence_number: self.applied().get(),
                recovered: !self.recovery.is_idle(),
            },
        );
    }

    fn announce_new_phase(
        &self,
        cx: &mut Context,
        previous_phase: Option<Phase>,
        (new_phase, new_status): (Phase, Status),
        cause: PhaseCause<'_>,
    ) {
        self.notify(
            cx,
            Detail::PhaseTransition(PhaseTransition {
                previous_phase,
                new_phase,
                new_status,
                timestamp: cause.timestamp.to_owned(),
                transition_type: cause.transition_type.to_owned(),
                trigger_reason: cause.trigger_reason.map(str::to_owned),
                estimated_duration: cause.estimated_duration,
                epoch: self.epoch(),
                sequence_number: self.applied().get(),
                recovered: !self.recovery.is_idle(),
                initial: previous_phase.is_none(),
            }),
        );
    }

    /// Announces that a snapshot or repaired buckets replaced rows.
    pub(super) fn announce_snapshot_applied(&self, cx: &mut Context, applied: &SnapshotApplied) {
        cx.mark_changed(&self.id);
        if let Some(phase) = applied.phase {
            self.announce_phase(cx, phase, PhaseCause::SNAPSHOT);
        }
        if applied.unconfirmed > 0 {
            self.notify(cx, Detail::Unconfirmed { rows: applied.unconfirmed });
        }
        self.log(cx, Level::Info, "snapshot", Some(self.applied()), None, Some(applied.rows));
    }

    /// Announces that missing data was requested.
    pub(super) fn announce_request(&self, cx: &mut Context, reason: &'static str) {
        self.notify(cx, Detail::RecoveryRequested { reason });
        let number = Some(self.applied());
        self.log(cx, Level::Info, "recovery_requested", number, Some(reason), None);
    }

    /// Announces a completed recovery. Data was missing since `since`.
    pub(super) fn announce_recovered(
        &self,
        cx: &mut Context,
        (reason, since): (&'static str, Timestamp),
        outcome: &'static str,
        events: u64,
    ) {
        let duration_ms = cx.now.at.since(since);
        cx.metrics.recoveries += 1;
        cx.metrics.recovery_ms.record(duration_ms);
        cx.mark_changed(&self.id);
        self.notify(cx, Detail::Recovered { reason, outcome, duration_ms, events });
        let (number, value) = (Some(self.applied()), Some(duration_ms));
        self.log(cx, Level::Info, "recovered", number, Some(outcome), value);
    }

    /// Announces that rows differ from the server's.
    pub(super) fn announce_discrepancy(&self, cx: &mut Context, discrepancy: Discrepancy) {
        self.comparison(cx, false, discrepancy);
        let level = if discrepancy.warns() { Level::Warn } else { Level::Info };
        let (number, value) = (Some(self.applied()), Some(discrepancy.difference()));
        self.log(cx, level, "discrepancy", number, None, value);
    }

    /// Announces that rows agree with the server's again.
    pub(super) fn announce_agreement(&self, cx: &mut Context) {
        let count = self.store.table().len() as u64;
        self.comparison(cx, true, Discrepancy { server_count: count, local_count: count });
    }

    fn comparison(&self, cx: &mut Context, ok: bool, discrepancy: Discrepancy) {
        self.notify(
            cx,
            Detail::Consistency {
                ok,
                server_count: discrepancy.server_count,
                local_count: discrepancy.local_count,
                difference: discrepancy.difference(),
                warn: discrepancy.warns(),
                large: discrepancy.is_large(),
            },
        );
    }

    /// Announces an event that does not match its own hash.
    pub(super) fn announce_corrupt(
        &self,
        cx: &mut Context,
        number: SequenceNumber,
        event_id: &str,
    ) {
        let sequence_number = number.get();
        self.notify(cx, Detail::Corrupt { sequence_number });
        self.log_event(cx, Level::Warn, "corrupt", number, event_id);
    }

    /// Announces that the server's history contradicts the local state.
    pub(super) fn announce_divergence(
        &self,
        cx: &mut Context,
        kind: &'static str,
        number: SequenceNumber,
    ) {
        self.invalidate(cx, "divergence");
        let sequence_number = number.get();
        self.notify(cx, Detail::Divergence { kind, sequence_number });
        self.log(cx, Level::Error, "divergence", Some(number), Some(kind), None);
    }

    /// Announces a skipped sequence number.
    pub(super) fn announce_gap(
        &self,
        cx: &mut Context,
        expected: SequenceNumber,
        received: SequenceNumber,
    ) {
        self.notify(cx, Detail::Gap { expected: expected.get(), received: received.get() });
        self.log(cx, Level::Warn, "gap", Some(expected), None, Some(received.get()));
    }

    /// Announces that the event of that number, or a snapshot part, cannot be applied.
    pub(super) fn announce_rejected(
        &self,
        cx: &mut Context,
        code: Code,
        number: Option<SequenceNumber>,
        violation: Violation,
    ) {
        cx.mark_changed(&self.id);
        cx.metrics.refused.count(code);
        self.notify(cx, Detail::Rejected { code, violation });
        self.log(cx, Level::Error, "rejected", number, Some(code.as_str()), None);
    }

    /// Logs the progress of the sequence.
    pub(super) fn announce_sequence(
        &self,
        cx: &mut Context,
        number: SequenceNumber,
        event_id: &str,
    ) {
        self.log_event(cx, Level::Info, "sequence", number, event_id);
    }

    /// Queues a notice about this campaign.
    pub(super) fn notify(&self, cx: &mut Context, detail: Detail) {
        cx.notify(Some(&self.id), detail);
    }

    /// Logs a record about this campaign.
    pub(super) fn log(
        &self,
        cx: &mut Context,
        level: Level,
        event: &'static str,
        sequence_number: Option<SequenceNumber>,
        detail: Option<&'static str>,
        value: Option<u64>,
    ) {
        let campaign_id = Some(&self.id);
        let subject = LogSubject { campaign_id, sequence_number, event_id: None };
        cx.log_about(subject, level, event, detail, value);
    }

    /// Logs a record about one event of this campaign.
    fn log_event(
        &self,
        cx: &mut Context,
        level: Level,
        event: &'static str,
        number: SequenceNumber,
        event_id: &str,
    ) {
        let (campaign_id, sequence_number) = (Some(&self.id), Some(number));
        let subject = LogSubject { campaign_id, sequence_number, event_id: Some(event_id) };
        cx.log_about(subject, level, event, None, None);
    }
}

/// Whether the change is to another phase, and not within one.
fn enters_phase(change: PhaseChange) -> bool {
    change.from.0 != change.to.0
}
