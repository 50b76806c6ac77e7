//! The rate limit for the recovery requests of a campaign.

use crate::sync::config::{BURST_MAX, BURST_WINDOW_MS, RETRIES_MAX, RETRY_WINDOW_MS};
use crate::sync::time::Timestamp;

/// When recent requests were sent, so that further requests stay within the rate.
#[derive(Clone, Debug, Default)]
pub(super) struct RequestRate {
    sent: Vec<Timestamp>,
    without_progress: Vec<Timestamp>,
}

impl RequestRate {
    /// The earliest moment at which another request may be sent.
    pub(super) fn allowed_at(&self, now: Timestamp) -> Timestamp {
        let free = |sent: &Vec<Timestamp>, max: usize, window: u64| {
            let oldest = sent.len().checked_sub(max).and_then(|index| sent.get(index));
            oldest.map_or(now, |&oldest| now.max(oldest + window))
        };
        let burst = free(&self.sent, BURST_MAX, BURST_WINDOW_MS);
        burst.max(free(&self.without_progress, RETRIES_MAX, RETRY_WINDOW_MS))
    }

    /// Records a sent request.
    pub(super) fn note_sent(&mut self, now: Timestamp) {
        for (sent, max) in [(&mut self.sent, BURST_MAX), (&mut self.without_progress, RETRIES_MAX)]
        {
            sent.push(now);
            while sent.len() > max {
                sent.remove(0);
            }
        }
    }

    /// Records progress, which restarts the limit on requests without progress.
    pub(super) fn note_progress(&mut self) {
        self.without_progress.clear();
    }
}
