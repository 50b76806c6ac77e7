//! The dedupe window: hashes of the last applied events, by number.

use crate::protocol::{EventHash, SequenceNumber};

/// Remembers the hashes of the last applied numbers, which are contiguous.
#[derive(Clone, Debug)]
pub struct DedupeWindow {
    /// A ring: number `n` is at `(n - first) % capacity`.
    hashes: Vec<EventHash>,
    capacity: usize,
    first: u64,
    last: u64,
}

impl DedupeWindow {
    /// Creates an empty window for `capacity` hashes.
    pub const fn new(capacity: usize) -> Self {
        Self { hashes: Vec::new(), capacity, first: 1, last: 0 }
    }

    /// Forgets all hashes. The next number to remember may be any.
    pub fn clear(&mut self) {
        self.hashes.clear();
        (self.first, self.last) = (1, 0);
    }

    /// Remembers the hash of `number`. If `number` does not follow the last remembered number, the
    /// window starts again at `number`.
    pub fn remember(&mut self, number: SequenceNumber, hash: EventHash) {
        let number = number.get();
        if self.first > self.last || number != self.last + 1 {
            self.clear();
            self.first = number;
        }
        self.last = number;
        let slot = ((number - self.first) as usize) % self.capacity.max(1);
        match self.hashes.get_mut(slot) {
            Some(kept) => *kept = hash,
            None => self.hashes.push(hash),
        }
    }

    /// The hash of `number`, if it is still remembered.
    pub fn hash_of(&self, number: SequenceNumber) -> Option<EventHash> {
        let number = number.get();
        let remembered = number >= self.first
            && number <= self.last
            && self.last - number < self.hashes.len() as u64;
        let slot = ((number.wrapping_sub(self.first)) as usize) % self.capacity.max(1);
        if remembered { self.hashes.get(slot).copied() } else { None }
    }
}
