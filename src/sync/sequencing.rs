//! Sequencing: what the machine does with an event of v1. The decision table of design §4, in its
//! order; `docs/PROTOCOL.md` states it for authors of servers.

use super::context::Context;
use super::gap::Holding;
use super::log::{Facts, Level};
use super::notice::Notice;
use super::outcome::Verdict;
use super::recovery::Recovery;
use super::subscription::{Fate, Subscription};
use crate::protocol::body::Body;
use crate::protocol::client::Reason;
use crate::protocol::envelope::{Envelope, RawSequence};
use crate::protocol::event::EventKind;
use crate::protocol::time::parse_rfc3339_ms;
use crate::protocol::{Code, Epoch, EventHash, SequenceNumber};
use crate::store::Fault;
use crate::store::apply::EventMeta;

impl Subscription {
    /// Decides about one sequenced event of this campaign.
    pub(super) fn on_event(
        &mut self,
        cx: &mut Context,
        document: &str,
        envelope: &Envelope<'_>,
        sequence: &RawSequence<'_>,
    ) -> Verdict {
        if self.fate != Fate::Open {
            return Verdict::Ignored;
        }
        if let Some(verdict) = self.already_applied(cx, sequence) {
            return verdict;
        }
        if !is_intact(envelope, sequence) && !planted!(HashUnchecked) {
            return self.on_corrupt(cx, sequence);
        }
        if self.retired.iter().any(|epoch| epoch.as_str() == sequence.epoch()) {
            cx.metrics.retired_epoch += 1;
            return Verdict::RetiredEpoch;
        }
        let number = sequence.number();
        match self.store.position() {
            None => return self.hold(cx, document, sequence),
            Some(position)
                if position.epoch.as_str() != sequence.epoch() && !planted!(EpochIgnored) =>
            {
                return self.on_foreign_epoch(cx, document, sequence);
            }
            Some(position) if number <= position.sequence_number => {
                return self.on_divergence(cx, "hash", number);
            }
            Some(position) if number > position.sequence_number.next() => {
                return self.on_gap(cx, document, sequence);
            }
            Some(_) => {}
        }
        self.stream.carry(number);
        let verdict = self.apply_next(cx, envelope, sequence);
        if matches!(verdict, Verdict::Applied | Verdict::AppliedUnknown) {
            self.after_progress(cx);
        }
        verdict
    }

    /// An event at or below the position, told by its claimed hash alone.
    fn already_applied(&mut self, cx: &mut Context, sequence: &RawSequence<'_>) -> Option<Verdict> {
        let position = self.store.position()?;
        let number = sequence.number();
        if number > position.sequence_number || position.epoch.as_str() != sequence.epoch() {
            return None;
        }
        match self.window.hash_of(number) {
            None => {
                cx.metrics.out_of_order += 1;
                Some(Verdict::OutOfOrder)
            }
            Some(known) if known == sequence.hash => {
                if self.stream.carry(number) {
                    cx.metrics.redelivered += 1;
                    self.recovery.extend(cx.now.at + cx.config.recovery_deadline_ms);
                    return Some(Verdict::Redelivered);
                }
                cx.metrics.duplicates += 1;
                let (campaign_id, sequence_number) = (self.id.clone(), number.get());
                cx.notify(Notice::Duplicate { campaign_id, sequence_number });
                Some(Verdict::Duplicate)
            }
            Some(_) => None,
        }
    }

    /// A corrupt event proves nothing but that something was sent and did not arrive whole.
    fn on_corrupt(&mut self, cx: &mut Context, sequence: &RawSequence<'_>) -> Verdict {
        cx.metrics.corrupt += 1;
        let (campaign_id, sequence_number) = (self.id.clone(), sequence.number().get());
        cx.notify(Notice::Corrupt { campaign_id, sequence_number });
        cx.log(
            Level::Warn,
            "corrupt",
            Facts {
                campaign_id: Some(&self.id),
                sequence_number: Some(sequence.number().get()),
                event_id: Some(sequence.event_id()),
                ..Facts::default()
            },
        );
        self.ask_for_next(cx);
        Verdict::Corrupt
    }

    /// The next event did not arrive as it was sent: it is asked for again, and at the third time a
    /// snapshot in its place.
    pub(super) fn ask_for_next(&mut self, cx: &mut Context) {
        match self.recovery {
            Recovery::Settled => {
                let snapshot = self.strike(cx);
                self.want(cx, Reason::Hash, snapshot);
            }
            // The answer to what is asked or due brings it again.
            Recovery::Due { .. } | Recovery::Asked { .. } => {}
            Recovery::Replaying { .. } | Recovery::Receiving { .. } => self.ask_again(cx, 0),
        }
    }

    fn on_foreign_epoch(
        &mut self,
        cx: &mut Context,
        document: &str,
        sequence: &RawSequence<'_>,
    ) -> Verdict {
        cx.metrics.foreign_epoch += 1;
        // Behind a snapshot of that log, of which a part is missing.
        let awaited = |epoch: &Epoch| epoch.as_str() == sequence.epoch();
        if matches!(&self.recovery, Recovery::Receiving { epoch, .. } if awaited(epoch)) {
            return self.hold(cx, document, sequence);
        }
        self.want(cx, Reason::Divergence, true);
        Verdict::ForeignEpoch
    }

    /// The server's history contradicts what has been applied: nothing is applied, and a snapshot
    /// decides.
    pub(super) fn on_divergence(
        &mut self,
        cx: &mut Context,
        kind: &'static str,
        number: SequenceNumber,
    ) -> Verdict {
        cx.metrics.divergences += 1;
        self.invalidate(cx, "divergence");
        let (campaign_id, sequence_number) = (self.id.clone(), number.get());
        cx.notify(Notice::Divergence { campaign_id, kind, sequence_number });
        cx.log(
            Level::Error,
            "divergence",
            Facts {
                campaign_id: Some(&self.id),
                sequence_number: Some(number.get()),
                detail: Some(kind),
                ..Facts::default()
            },
        );
        self.want(cx, Reason::Divergence, true);
        Verdict::Divergence
    }

    fn on_gap(&mut self, cx: &mut Context, document: &str, sequence: &RawSequence<'_>) -> Verdict {
        let (expected, received) = (self.applied().next(), sequence.number());
        if self.held.is_empty() && self.recovery.is_settled() {
            cx.metrics.gaps += 1;
            let campaign_id = self.id.clone();
            let (expected, received) = (expected.get(), received.get());
            cx.notify(Notice::Gap { campaign_id, expected, received });
            cx.log(
                Level::Warn,
                "gap",
                Facts {
                    campaign_id: Some(&self.id),
                    sequence_number: Some(expected),
                    value: Some(received),
                    ..Facts::default()
                },
            );
        }
        let verdict = self.hold(cx, document, sequence);
        if verdict != Verdict::Divergence {
            self.request_missing(cx, received);
        }
        self.stream.carry(received);
        verdict
    }

    /// Something before `received` did not come.
    fn request_missing(&mut self, cx: &mut Context, received: SequenceNumber) {
        let lost = match &self.recovery {
            Recovery::Settled => {
                self.want(cx, Reason::Gap, false);
                return;
            }
            Recovery::Due { .. } | Recovery::Asked { .. } => false,
            // The socket carries everything from the answer on without a hole, or it is broken.
            Recovery::Replaying { .. } => self.stream.skips_to(received),
            Recovery::Receiving { at, .. } => received > *at,
        };
        if lost {
            self.ask_again(cx, 0);
        }
    }

    fn hold(&mut self, cx: &mut Context, document: &str, sequence: &RawSequence<'_>) -> Verdict {
        let Ok(epoch) = Epoch::new(sequence.epoch()) else { return Verdict::Ignored };
        match self.held.hold(&epoch, sequence.number(), document, sequence.hash) {
            Holding::Held => {
                cx.metrics.held += 1;
                Verdict::Held
            }
            Holding::Known => {
                cx.metrics.duplicates += 1;
                Verdict::Duplicate
            }
            Holding::Conflict => self.on_divergence(cx, "hash", sequence.number()),
            Holding::Full => {
                cx.metrics.held_overflows += 1;
                Verdict::Overflow
            }
        }
    }

    /// Applies the event after the position: first the store, then the position, then listeners.
    fn apply_next(
        &mut self,
        cx: &mut Context,
        envelope: &Envelope<'_>,
        sequence: &RawSequence<'_>,
    ) -> Verdict {
        let known = self.store.position().map_or("", |position| position.event_id.as_str());
        let broken = !known.is_empty() && sequence.previous_event_id() != Some(known);
        if broken && !planted!(ChainUnchecked) {
            return self.on_divergence(cx, "previous_event", sequence.number());
        }
        let data = match self.open_event(cx, envelope, sequence) {
            Ok(data) => data,
            Err(verdict) => return verdict,
        };
        let Some(kind) = EventKind::parse(envelope.kind) else {
            cx.metrics.unknown_types += 1;
            self.advance(cx, sequence);
            return Verdict::AppliedUnknown;
        };
        #[cfg_attr(not(feature = "encrypted"), expect(clippy::needless_borrow))]
        let body = match Body::decode(kind, &data, sequence.campaign_id()) {
            Ok(body) => body,
            Err(code) => return self.on_rejected(cx, code),
        };
        let timestamp = envelope.timestamp();
        let meta = EventMeta { timestamp, sequence_number: sequence.number() };
        match self.store.apply(&body, meta) {
            Ok(change) => {
                self.advance(cx, sequence);
                if let Some(sent_ms) = parse_rfc3339_ms(timestamp) {
                    cx.metrics.event_age_ms.record((cx.now.wall_ms - sent_ms).max(0) as u64);
                }
                self.announce(cx, &body, change, timestamp);
                Verdict::Applied
            }
            Err(Fault::Invalid(_)) | Err(Fault::WrongPreviousPhase)
                if planted!(AdvancedBeforeApplied) =>
            {
                self.advance(cx, sequence);
                Verdict::Applied
            }
            Err(Fault::Invalid(code)) => self.on_rejected(cx, code),
            Err(Fault::WrongPreviousPhase) => {
                self.on_divergence(cx, "previous_phase", sequence.number())
            }
        }
    }

    /// The next event cannot be applied: a replay would bring the same bytes, a snapshot may not.
    fn on_rejected(&mut self, cx: &mut Context, code: Code) -> Verdict {
        self.note_rejected(cx, code, Some(self.applied().next()));
        self.want(cx, Reason::Rejected, true);
        Verdict::Rejected
    }

    /// Counts and tells that the event of that number, or a part of a snapshot, cannot be taken.
    pub(super) fn note_rejected(
        &self,
        cx: &mut Context,
        code: Code,
        number: Option<SequenceNumber>,
    ) {
        cx.mark_changed(&self.id);
        cx.metrics.refused.count(code);
        cx.notify(Notice::Rejected { code, campaign_id: Some(self.id.clone()) });
        cx.log(
            Level::Error,
            "rejected",
            Facts {
                campaign_id: Some(&self.id),
                sequence_number: number.map(SequenceNumber::get),
                detail: Some(code.as_str()),
                ..Facts::default()
            },
        );
    }

    fn advance(&mut self, cx: &mut Context, sequence: &RawSequence<'_>) {
        let number = sequence.number();
        self.store.advance(number, sequence.event_id());
        self.window.remember(number, sequence.hash);
        self.proof.note_applied(number);
        self.rate.note_progress();
        cx.metrics.applied += 1;
        let deadline = cx.now.at + cx.config.recovery_deadline_ms;
        self.recovery.extend(deadline);
        if let Recovery::Replaying { events, .. } = &mut self.recovery {
            *events += 1;
        }
        if !planted!(ChangeUntold) {
            cx.mark_changed(&self.id);
        }
        if sequence.is_checkpoint() || number.get().is_multiple_of(cx.config.log_every_events) {
            cx.log(
                Level::Info,
                "sequence",
                Facts {
                    campaign_id: Some(&self.id),
                    sequence_number: Some(number.get()),
                    event_id: Some(sequence.event_id()),
                    ..Facts::default()
                },
            );
        }
    }

    /// Applies held events that have become next, and settles what is thereby complete.
    pub(super) fn after_progress(&mut self, cx: &mut Context) {
        while let Some(position) = self.store.position() {
            let Some(held) = self.held.take_next(&position.epoch, position.sequence_number) else {
                break;
            };
            // It was parsed and verified when it was held.
            let Ok(envelope) = Envelope::parse(&held.document) else { break };
            let Some(sequence) = envelope.sequence else { break };
            let verdict = self.apply_next(cx, &envelope, &sequence);
            if !matches!(verdict, Verdict::Applied | Verdict::AppliedUnknown) {
                break;
            }
        }
        self.settle_replay(cx);
        self.settle_reached(cx);
    }

    /// Resolves the waits for a position that the state has reached.
    pub(super) fn settle_reached(&mut self, cx: &mut Context) {
        self.waiters.settle(cx, self.store.position(), &self.retired);
    }
}

/// Whether an event matches its own hash.
fn is_intact(envelope: &Envelope<'_>, sequence: &RawSequence<'_>) -> bool {
    let (kind, timestamp) = (envelope.kind_raw, envelope.timestamp_raw);
    EventHash::of_v1(kind, timestamp, envelope.data, sequence.hashed()) == sequence.hash
}
