//! Counts how often the same next event did not arrive intact.

use crate::protocol::SequenceNumber;
use crate::sync::config::SAME_EVENT_FAILURES_MAX;

/// The failed deliveries of one event. The count restarts when another event is next.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DeliveryFailures {
    next: SequenceNumber,
    count: u32,
}

impl DeliveryFailures {
    /// Records that the event `next` did not arrive intact. Returns whether this happened so often that
    /// only a snapshot helps.
    pub(super) fn record(&mut self, next: SequenceNumber) -> bool {
        if self.next != next {
            *self = Self { next, count: 0 };
        }
        self.count += 1;
        self.count >= SAME_EVENT_FAILURES_MAX
    }
}
