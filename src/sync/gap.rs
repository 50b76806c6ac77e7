//! The gap buffer: events that arrived before their predecessors, within bounds.

use std::collections::BTreeMap;

use crate::protocol::{Epoch, EventHash, SequenceNumber};

/// An event held until it is next. Its hash has been verified.
#[derive(Clone, Debug)]
pub struct Held {
    /// The document as received.
    pub document: String,
    /// Its hash.
    pub hash: EventHash,
}

/// Events beyond a gap, of one log.
#[derive(Clone, Debug)]
pub struct GapBuffer {
    events: BTreeMap<u64, Held>,
    bytes: usize,
    epoch: Option<Epoch>,
    events_max: usize,
    bytes_max: usize,
}

/// What became of an event that was to be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holding {
    /// Held.
    Held,
    /// Already held, the same.
    Known,
    /// Another event is held under this number.
    Conflict,
    /// Not held: the buffer is full of nearer ones.
    Full,
}

impl GapBuffer {
    /// An empty buffer with these bounds.
    pub const fn new(events_max: usize, bytes_max: usize) -> Self {
        Self { events: BTreeMap::new(), bytes: 0, epoch: None, events_max, bytes_max }
    }

    /// Holds an event. When full, the far end gives way: recovery brings it again.
    pub fn hold(
        &mut self,
        epoch: &Epoch,
        number: SequenceNumber,
        document: &str,
        hash: EventHash,
    ) -> Holding {
        if self.epoch.as_ref() != Some(epoch) {
            self.clear();
            self.epoch = Some(epoch.clone());
        }
        if let Some(held) = self.events.get(&number.get()) {
            return if held.hash == hash { Holding::Known } else { Holding::Conflict };
        }
        self.bytes += document.len();
        self.events.insert(number.get(), Held { document: document.to_owned(), hash });
        let mut holding = Holding::Held;
        while self.events.len() > self.events_max || self.bytes > self.bytes_max {
            let Some((far, held)) = self.events.pop_last() else { break };
            self.bytes -= held.document.len();
            if far == number.get() {
                holding = Holding::Full;
            }
        }
        holding
    }

    /// Takes the event after `position`, if it is held, and forgets those at or below it.
    pub fn take_next(&mut self, epoch: &Epoch, position: SequenceNumber) -> Option<Held> {
        if self.events.is_empty() {
            return None;
        }
        if self.epoch.as_ref() != Some(epoch) {
            self.clear();
            return None;
        }
        while let Some(entry) = self.events.first_entry() {
            if *entry.key() > position.next().get() {
                return None;
            }
            let (number, held) = entry.remove_entry();
            self.bytes -= held.document.len();
            if number == position.next().get() {
                return Some(held);
            }
        }
        None
    }

    /// How many are held.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Bytes held.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.events.clear();
        self.bytes = 0;
        self.epoch = None;
    }
}
