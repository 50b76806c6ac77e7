//! How often the same next event failed to arrive whole.

use crate::protocol::SequenceNumber;
use crate::sync::config::Config;

/// The failures of one event. Another event that is next restarts the count.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DeliveryFailures {
    next: SequenceNumber,
    count: u32,
}

impl DeliveryFailures {
    /// The event `next` did not arrive whole. Returns whether that has happened so often that only a
    /// snapshot will help.
    pub(super) fn record(&mut self, config: &Config, next: SequenceNumber) -> bool {
        if self.next != next {
            *self = Self { next, count: 0 };
        }
        self.count += 1;
        self.count >= config.same_event_failures_max
    }
}
