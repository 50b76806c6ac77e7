//! Handling of one event: it is applied, held or rejected.
//!
//! These steps use the steps of the parent module, which uses none of them.

use super::Replica;
use super::announce::PhaseCause;
use crate::protocol::body::Body;
use crate::protocol::client::Reason;
use crate::protocol::envelope::{Envelope, RawSequence};
use crate::protocol::event::EventKind;
use crate::protocol::json::Reader;
use crate::protocol::time::parse_rfc3339_ms;
use crate::protocol::violation::Violation;
use crate::protocol::{Code, SequenceNumber};
use crate::store::{Change, EventMeta, Fault};
use crate::sync::context::Context;
use crate::sync::context::{RECORD, ROWS};
use crate::sync::encryption::Undecryptable;
use crate::sync::notice::Detail;
use crate::sync::outcome::Verdict;
use crate::sync::subscription::gap::HoldOutcome;
use crate::sync::subscription::sequencer::Decision;

impl Replica {
    /// Handles one sequenced event of this campaign.
    pub(in crate::sync) fn on_event(
        &mut self,
        cx: &mut Context,
        document: &str,
        envelope: &Envelope<'_>,
        sequence: &RawSequence<'_>,
    ) -> Verdict {
        if !self.is_active() {
            return Verdict::Ignored;
        }
        let number = sequence.number();
        match self.sequencer.decide(self.store.position(), envelope, sequence) {
            Decision::Next => {
                self.recovery.observe(number);
                let verdict = self.apply_event(cx, envelope, sequence);
                if matches!(verdict, Verdict::Applied | Verdict::AppliedUnknown) {
                    self.after_progress(cx);
                }
                verdict
            }
            Decision::Known => self.on_known(cx, number),
            Decision::OutOfOrder => {
                cx.metrics.out_of_order += 1;
                Verdict::OutOfOrder
            }
            Decision::Corrupt => {
                cx.metrics.corrupt += 1;
                self.announce_corrupt(cx, number, sequence.event_id());
                self.retry_current(cx);
                Verdict::Corrupt
            }
            Decision::SupersededEpoch => {
                cx.metrics.retired_epoch += 1;
                Verdict::SupersededEpoch
            }
            Decision::BeforePosition => self.hold(cx, document, sequence),
            Decision::ForeignEpoch => {
                cx.metrics.foreign_epoch += 1;
                if self.recovery.receives_epoch(sequence.epoch()) {
                    // The event follows a snapshot of that epoch, and a part of the snapshot is
                    // missing.
                    return self.hold(cx, document, sequence);
                }
                self.request_recovery(cx, Reason::Divergence, true);
                Verdict::ForeignEpoch
            }
            Decision::Contradiction => self.diverge(cx, "hash", number),
            Decision::Gap => self.on_gap(cx, document, sequence),
        }
    }

    fn on_known(&mut self, cx: &mut Context, number: SequenceNumber) -> Verdict {
        if self.recovery.observe(number) {
            cx.metrics.redelivered += 1;
            self.recovery.extend(cx);
            return Verdict::Redelivered;
        }
        cx.metrics.duplicates += 1;
        self.notify(cx, Detail::Duplicate { sequence_number: number.get() });
        Verdict::Duplicate
    }

    fn on_gap(&mut self, cx: &mut Context, document: &str, sequence: &RawSequence<'_>) -> Verdict {
        let (expected, received) = (self.applied().next(), sequence.number());
        if self.sequencer.holds_nothing() && self.recovery.is_idle() {
            cx.metrics.gaps += 1;
            self.announce_gap(cx, expected, received);
        }
        let verdict = self.hold(cx, document, sequence);
        if verdict != Verdict::Divergence && self.recovery.on_gap(cx, received, expected) {
            self.send_due_request(cx);
        }
        self.recovery.observe(received);
        verdict
    }

    /// Applies the event after the position: first the store, then the position, then listeners.
    fn apply_event(
        &mut self,
        cx: &mut Context,
        envelope: &Envelope<'_>,
        sequence: &RawSequence<'_>,
    ) -> Verdict {
        let known = self.store.position().map_or("", |position| position.event_id.as_str());
        let broken = !known.is_empty() && sequence.previous_event_id() != Some(known);
        if broken {
            return self.diverge(cx, "previous_event", sequence.number());
        }
        let data = match cx.encryption.open_event(envelope, sequence) {
            Ok(data) => data,
            Err(why) => return self.on_undecryptable_event(cx, &why),
        };
        let Some(kind) = EventKind::parse(envelope.kind) else {
            cx.metrics.unknown_types += 1;
            self.advance(cx, sequence);
            return Verdict::AppliedUnknown;
        };
        let reader = &mut Reader::new(&data);
        let read = Body::read(kind, reader, sequence.campaign_id());
        let body = match &read {
            Ok(body) => body,
            Err(code) => return self.reject_event(cx, *code, reader.violation),
        };
        let timestamp = envelope.timestamp();
        let meta = EventMeta { timestamp, sequence_number: sequence.number() };
        match self.store.apply(body, meta) {
            Ok(change) => {
                self.advance(cx, sequence);
                if let Some(sent_ms) = parse_rfc3339_ms(timestamp) {
                    let age_ms = (cx.now.wall_ms - sent_ms).max(0) as u64;
                    cx.metrics.event_age_ms.record(age_ms);
                }
                cx.mark_content(&self.id, content_of(body));
                self.announce_change(cx, body, change, timestamp);
                Verdict::Applied
            }
            Err(Fault::Invalid(code)) => self.reject_event(cx, code, Violation::STATE),
            Err(Fault::WrongPreviousPhase) => self.diverge(cx, "previous_phase", sequence.number()),
        }
    }

    fn advance(&mut self, cx: &mut Context, sequence: &RawSequence<'_>) {
        let number = sequence.number();
        self.store.advance(number, sequence.event_id());
        self.sequencer.remember(number, sequence.hash);
        self.freshness.on_applied(number);
        self.recovery.on_applied(cx);
        cx.metrics.applied += 1;
        cx.mark_changed(&self.id);
        if sequence.is_checkpoint() || number.get().is_multiple_of(cx.config.log_every_events) {
            self.announce_sequence(cx, number, sequence.event_id());
        }
    }

    fn announce_change(
        &mut self,
        cx: &mut Context,
        body: &Body<'_>,
        change: Change,
        timestamp: &str,
    ) {
        match body {
            Body::Transition(transition) => {
                self.announce_transition(cx, transition, &change, timestamp);
            }
            Body::Notification { level, message } => {
                let (level, message) = (level.clone(), message.clone());
                self.notify(cx, Detail::Notification { level, message });
            }
            Body::Deleted => self.end(cx, "deleted"),
            Body::Progress(_) | Body::Status(_) | Body::Record(_) => {
                if let Some(phase) = change.phase {
                    self.announce_phase(
                        cx,
                        phase,
                        PhaseCause { timestamp, ..PhaseCause::default() },
                    );
                }
            }
            Body::Row(_) | Body::Rows(_) | Body::Removed(_) | Body::Nothing => {}
        }
        if let Some(expected) = change.expected {
            self.compare(cx, expected);
        }
    }

    /// Rejects the next event, because it cannot be applied. A replay would bring the same bytes; a
    /// snapshot may not.
    fn reject_event(&mut self, cx: &mut Context, code: Code, violation: Violation) -> Verdict {
        self.announce_rejected(cx, code, Some(self.applied().next()), violation);
        self.request_recovery(cx, Reason::Rejected, true);
        Verdict::Rejected
    }

    /// Handles the next event if its content does not open.
    fn on_undecryptable_event(&mut self, cx: &mut Context, why: &Undecryptable) -> Verdict {
        if let Some(missing) = why.missing_key() {
            return self.block_on_missing_key(cx, why.code(), missing);
        }
        self.store.raise(why.code());
        self.announce_rejected(cx, why.code(), Some(self.applied().next()), Violation::default());
        self.retry_current(cx);
        Verdict::Refused(why.code())
    }

    /// Holds an event until it is next.
    fn hold(&mut self, cx: &mut Context, document: &str, sequence: &RawSequence<'_>) -> Verdict {
        match self.sequencer.hold(document, sequence) {
            None => Verdict::Ignored,
            Some(HoldOutcome::Held) => {
                cx.metrics.held += 1;
                Verdict::Held
            }
            Some(HoldOutcome::Known) => {
                cx.metrics.duplicates += 1;
                Verdict::Duplicate
            }
            Some(HoldOutcome::Conflict) => self.diverge(cx, "hash", sequence.number()),
            Some(HoldOutcome::Full) => {
                cx.metrics.held_overflows += 1;
                Verdict::Overflow
            }
        }
    }

    /// Applies held events that have become next. Then completes the replay and resolves the waits that
    /// have been reached.
    pub(super) fn after_progress(&mut self, cx: &mut Context) {
        while let Some(position) = self.store.position() {
            let Some(held) = self.sequencer.take_next(position) else { break };
            // The event was parsed and verified when it was held.
            let Ok(envelope) = Envelope::parse(&held.document) else { break };
            let Some(sequence) = envelope.sequence else { break };
            let verdict = self.apply_event(cx, &envelope, &sequence);
            if !matches!(verdict, Verdict::Applied | Verdict::AppliedUnknown) {
                break;
            }
        }
        self.finish_replay(cx);
        self.resolve_waiters(cx);
    }

    /// Completes a replay once its last event has been applied and no event is held. The server did not
    /// have the held events when it answered, and this socket carries their predecessors next.
    fn finish_replay(&mut self, cx: &mut Context) {
        if !self.sequencer.holds_nothing() {
            return;
        }
        let Some(finished) = self.recovery.finish_replay(self.applied()) else { return };
        if !self.freshness.is_lagging() {
            self.freshness.prove(finished.asked);
        }
        let outcome = if finished.events == 0 { "current" } else { "replay" };
        self.announce_recovered(cx, finished.need.origin(), outcome, finished.events);
        self.begin_repair(cx);
    }

    /// Resolves the waits for a position that the state has reached.
    pub(super) fn resolve_waiters(&mut self, cx: &mut Context) {
        self.waiters.resolve(cx, self.store.position(), self.sequencer.superseded());
    }
}

/// The content that an event changes. A transition invalidates all cached data by itself.
const fn content_of(body: &Body<'_>) -> u8 {
    match body {
        Body::Row(_) | Body::Rows(_) | Body::Removed(_) => ROWS,
        Body::Progress(_) | Body::Status(_) | Body::Record(_) => RECORD,
        Body::Transition(_) | Body::Deleted | Body::Notification { .. } | Body::Nothing => 0,
    }
}
