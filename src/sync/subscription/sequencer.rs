//! Sequencing: classifies an event by its number, epoch and hash. Implements the decision table of
//! docs/PROTOCOL.md, chapter 13, in its order.
//!
//! Only this module owns the hashes of applied events, the events held beyond a gap and the superseded
//! epochs.

use super::dedupe::DedupeWindow;
use super::gap::{GapBuffer, Held, HoldOutcome};
use crate::protocol::envelope::{Envelope, RawSequence};
use crate::protocol::{Epoch, EventHash, Position, SequenceNumber};
use crate::sync::config::{Config, SUPERSEDED_EPOCHS_MAX};

/// The class of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// The event was applied before; its claimed hash is the same.
    Known,
    /// The event is at or below the position, and its hash is no longer remembered.
    OutOfOrder,
    /// The event does not match its own hash.
    Corrupt,
    /// The event belongs to a superseded epoch.
    SupersededEpoch,
    /// There is no position yet.
    BeforePosition,
    /// The event belongs to an epoch that the client does not follow.
    ForeignEpoch,
    /// The event differs from the one that was applied under its number.
    Contradiction,
    /// The event is beyond the next one.
    Gap,
    /// The event is the next one.
    Next,
}

/// The sequence of one campaign.
#[derive(Clone, Debug)]
pub(super) struct Sequencer {
    window: DedupeWindow,
    held: GapBuffer,
    superseded: Vec<Epoch>,
}

impl Sequencer {
    pub(super) const fn new(config: &Config) -> Self {
        Self {
            window: DedupeWindow::new(config.dedupe_window),
            held: GapBuffer::new(config.held_events_max, config.held_bytes_max),
            superseded: Vec::new(),
        }
    }

    /// Classifies one event.
    pub(super) fn decide(
        &self,
        position: Option<&Position>,
        envelope: &Envelope<'_>,
        sequence: &RawSequence<'_>,
    ) -> Decision {
        let (epoch, number) = (sequence.epoch(), sequence.number());
        if let Some(position) = position
            && number <= position.sequence_number
            && position.epoch.is(epoch)
        {
            match self.window.hash_of(number) {
                None => return Decision::OutOfOrder,
                Some(known) if known == sequence.hash => return Decision::Known,
                Some(_) => {}
            }
        }
        if !is_intact(envelope, sequence) {
            return Decision::Corrupt;
        }
        if self.superseded.iter().any(|it| it.is(epoch)) {
            return Decision::SupersededEpoch;
        }
        let Some(position) = position else { return Decision::BeforePosition };
        if !position.epoch.is(epoch) {
            Decision::ForeignEpoch
        } else if number <= position.sequence_number {
            Decision::Contradiction
        } else if number > position.sequence_number.next() {
            Decision::Gap
        } else {
            Decision::Next
        }
    }

    /// Remembers the hash of an applied event.
    pub(super) fn remember(&mut self, number: SequenceNumber, hash: EventHash) {
        self.window.remember(number, hash);
    }

    /// Forgets the hashes of applied events. A snapshot replaced the state, and its events were not
    /// seen.
    pub(super) fn clear_window(&mut self) {
        self.window.clear();
    }

    /// Holds an event until it is next; `None` if its epoch is invalid.
    pub(super) fn hold(
        &mut self,
        document: &str,
        sequence: &RawSequence<'_>,
    ) -> Option<HoldOutcome> {
        let epoch = Epoch::new(sequence.epoch()).ok()?;
        Some(self.held.hold(&epoch, sequence.number(), document, sequence.hash))
    }

    /// Removes and returns the held event that is next after `position`.
    pub(super) fn take_next(&mut self, position: &Position) -> Option<Held> {
        self.held.take_next(&position.epoch, position.sequence_number)
    }

    /// Whether no event is held.
    pub(super) fn holds_nothing(&self) -> bool {
        self.held.is_empty()
    }

    /// The number of held events, and their size in bytes.
    pub(super) fn held(&self) -> (usize, usize) {
        (self.held.len(), self.held.bytes())
    }

    /// Drops the held events.
    pub(super) fn clear_held(&mut self) {
        self.held.clear();
    }

    /// Records that another epoch has superseded `epoch`.
    pub(super) fn supersede(&mut self, epoch: Epoch) {
        self.superseded.push(epoch);
        while self.superseded.len() > SUPERSEDED_EPOCHS_MAX {
            self.superseded.remove(0);
        }
    }

    /// The superseded epochs, the newest last.
    pub(super) fn superseded(&self) -> &[Epoch] {
        &self.superseded
    }
}

/// Whether an event matches its own hash.
fn is_intact(envelope: &Envelope<'_>, sequence: &RawSequence<'_>) -> bool {
    let (kind, timestamp) = (envelope.kind_raw, envelope.timestamp_raw);
    EventHash::of_v1(kind, timestamp, envelope.data, sequence.hashed()) == sequence.hash
}
