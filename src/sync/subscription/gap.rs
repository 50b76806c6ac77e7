//! The gap buffer: events that arrived before their predecessors, within bounds.

use crate::protocol::{Epoch, EventHash, SequenceNumber};

/// An event held until it is next. Its hash has been verified.
#[derive(Clone, Debug)]
pub struct Held {
    number: u64,
    /// The document as received.
    pub document: String,
    /// The event's hash.
    pub hash: EventHash,
}

/// Events of one epoch beyond a gap.
#[derive(Clone, Debug)]
pub struct GapBuffer {
    /// From the farthest to the nearest, so that the next one is at the end.
    events: Vec<Held>,
    bytes: usize,
    epoch: Option<Epoch>,
    events_max: usize,
    bytes_max: usize,
}

/// The result of holding an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldOutcome {
    /// The event is held.
    Held,
    /// The same event is already held.
    Known,
    /// Another event is held under this number.
    Conflict,
    /// The event is not held, because the buffer is full of nearer events.
    Full,
}

impl GapBuffer {
    /// Creates an empty buffer with these bounds.
    pub const fn new(events_max: usize, bytes_max: usize) -> Self {
        Self { events: Vec::new(), bytes: 0, epoch: None, events_max, bytes_max }
    }

    /// Holds an event. A full buffer drops the farthest events; recovery delivers them again.
    pub fn hold(
        &mut self,
        epoch: &Epoch,
        number: SequenceNumber,
        document: &str,
        hash: EventHash,
    ) -> HoldOutcome {
        if self.epoch.as_ref() != Some(epoch) {
            self.clear();
            self.epoch = Some(epoch.clone());
        }
        let number = number.get();
        let place = match self.events.binary_search_by(|held| number.cmp(&held.number)) {
            Ok(at) if self.events.get(at).is_some_and(|held| held.hash == hash) => {
                return HoldOutcome::Known;
            }
            Ok(_) => return HoldOutcome::Conflict,
            Err(place) => place,
        };
        self.bytes += document.len();
        self.events.insert(place, Held { number, document: document.to_owned(), hash });
        let mut holding = HoldOutcome::Held;
        while self.events.len() > self.events_max || self.bytes > self.bytes_max {
            let far = self.events.remove(0);
            self.bytes -= far.document.len();
            if far.number == number {
                holding = HoldOutcome::Full;
            }
        }
        holding
    }

    /// Removes and returns the event after `position`, if it is held. Drops the events at or below
    /// `position`.
    pub fn take_next(&mut self, epoch: &Epoch, position: SequenceNumber) -> Option<Held> {
        if self.events.is_empty() {
            return None;
        }
        if self.epoch.as_ref() != Some(epoch) {
            self.clear();
        }
        let next = position.next().get();
        loop {
            let held = self.events.pop_if(|held| held.number <= next)?;
            self.bytes -= held.document.len();
            if held.number == next {
                return Some(held);
            }
        }
    }

    /// The number of held events.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether no event is held.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The size of the held documents in bytes.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Drops all held events.
    pub fn clear(&mut self) {
        self.events.clear();
        self.bytes = 0;
        self.epoch = None;
    }
}
