//! The server's cursor for one campaign on one socket. From the cursor on, the socket carries every
//! number in order.

use crate::protocol::SequenceNumber;

/// The cursor as the client sees it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SocketCursor {
    /// The number that must arrive next.
    next: SequenceNumber,
    /// The last number of the replay.
    to: SequenceNumber,
}

impl SocketCursor {
    /// Creates a cursor before `next`. Numbers up to `to` belong to the replay.
    pub(super) const fn new(next: SequenceNumber, to: SequenceNumber) -> Self {
        Self { next, to }
    }

    /// The number that must arrive next.
    pub(super) const fn next(&self) -> SequenceNumber {
        self.next
    }

    /// Whether `number` can only arrive if an earlier number was lost.
    pub(super) fn is_gap(&self, number: SequenceNumber) -> bool {
        number > self.next
    }

    /// Records that `number` arrived. Returns whether it belongs to the replay.
    pub(super) fn observe(&mut self, number: SequenceNumber) -> bool {
        let replayed = number >= self.next && number <= self.to;
        self.next = self.next.max(number.next());
        replayed
    }
}
