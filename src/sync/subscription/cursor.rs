//! What one socket carries of one campaign since the server set its cursor: every number, in order.

use crate::protocol::SequenceNumber;

/// The cursor as the client sees it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SocketCursor {
    /// The number that must come next.
    next: SequenceNumber,
    /// The last number that is replay.
    to: SequenceNumber,
}

impl SocketCursor {
    /// The cursor stands before `next`, and numbers up to `to` are replay.
    pub(super) const fn new(next: SequenceNumber, to: SequenceNumber) -> Self {
        Self { next, to }
    }

    /// The number that must come next.
    pub(super) const fn next(&self) -> SequenceNumber {
        self.next
    }

    /// Whether `number` can only come if one before it was lost.
    pub(super) fn is_gap(&self, number: SequenceNumber) -> bool {
        number > self.next
    }

    /// `number` came; returns whether as part of the replay.
    pub(super) fn observe(&mut self, number: SequenceNumber) -> bool {
        let replayed = number >= self.next && number <= self.to;
        self.next = self.next.max(number.next());
        replayed
    }
}
