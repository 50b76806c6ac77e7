//! The rate limit for the recovery requests of a campaign.

use crate::sync::config::{BURST_MAX, BURST_WINDOW_MS, RETRIES_MAX, RETRY_WINDOW_MS};
use crate::sync::time::Timestamp;

/// The recent requests, so that further requests stay within the rate.
#[derive(Clone, Debug, Default)]
pub(super) struct RequestRate {
    all: Window<BURST_MAX>,
    without_progress: Window<RETRIES_MAX>,
}

/// The last `N` requests. None may follow before the oldest of them has left the window.
#[derive(Clone, Debug)]
struct Window<const N: usize> {
    /// When each request leaves the window: a ring.
    ends: [Timestamp; N],
    /// The number of requests.
    sent: usize,
}

impl<const N: usize> Default for Window<N> {
    fn default() -> Self {
        Self { ends: [Timestamp::default(); N], sent: 0 }
    }
}

impl<const N: usize> Window<N> {
    /// When another request is allowed.
    const fn opens_at(&self) -> Timestamp {
        if self.sent < N { Timestamp(0) } else { self.ends[self.sent % N] }
    }

    /// Records a request that leaves the window at `end`.
    const fn note_sent(&mut self, end: Timestamp) {
        self.ends[self.sent % N] = end;
        self.sent += 1;
    }
}

impl RequestRate {
    /// The earliest moment at which another request may be sent.
    pub(super) fn allowed_at(&self, now: Timestamp) -> Timestamp {
        now.max(self.all.opens_at()).max(self.without_progress.opens_at())
    }

    /// Records a sent request.
    pub(super) fn note_sent(&mut self, now: Timestamp) {
        self.all.note_sent(now + BURST_WINDOW_MS);
        self.without_progress.note_sent(now + RETRY_WINDOW_MS);
    }

    /// Records progress, which restarts the limit on requests without progress.
    pub(super) const fn note_progress(&mut self) {
        self.without_progress.sent = 0;
    }
}
