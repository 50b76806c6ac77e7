//! Recovery: one request in flight per campaign, asked again until it is answered in full.
//!
//! ```text
//! Settled ──something missing──▶ Due ──socket open, rate allows──▶ Asked
//!    ▲                            ▲                                  │ event_recovery
//!    │                            │ deadline, loss, socket closed    ▼
//!    └────position ≥ to───────────┴───────────────── Replaying │ Receiving
//! ```

use super::{Config, Timestamp};
use crate::protocol::client::Reason;
use crate::protocol::{Epoch, SequenceNumber};

/// What is wanted, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    /// Why.
    pub reason: Reason,
    /// Only a snapshot helps.
    pub snapshot: bool,
    /// When it was noticed.
    pub since: Timestamp,
    /// Requests so far that led to nothing.
    pub attempts: u32,
}

/// How far a recovery has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Nothing is known to be missing.
    Settled,
    /// To be asked for at `at`, once there is a socket.
    Due {
        /// What.
        want: Want,
        /// When.
        at: Timestamp,
    },
    /// Asked; the answer has not come.
    Asked {
        /// What.
        want: Want,
        /// Names the answer.
        request_id: String,
        /// When it was asked: the answer proves the state of a later moment.
        asked: super::Now,
        /// When it is asked again.
        deadline: Timestamp,
    },
    /// The missed events are arriving.
    Replaying {
        /// What.
        want: Want,
        /// The last one that is missed.
        to: SequenceNumber,
        /// Events applied since the answer.
        events: u64,
        /// When it was asked.
        asked: super::Now,
        /// When it is asked again.
        deadline: Timestamp,
    },
    /// The parts of a snapshot are arriving.
    Receiving {
        /// What.
        want: Want,
        /// Names the parts.
        request_id: String,
        /// The log of the snapshot.
        epoch: Epoch,
        /// The number of the snapshot.
        at: SequenceNumber,
        /// When it was asked.
        asked: super::Now,
        /// When it is asked again.
        deadline: Timestamp,
    },
}

impl Recovery {
    /// What is wanted, unless nothing is.
    pub const fn want(&self) -> Option<&Want> {
        match self {
            Self::Settled => None,
            Self::Due { want, .. }
            | Self::Asked { want, .. }
            | Self::Replaying { want, .. }
            | Self::Receiving { want, .. } => Some(want),
        }
    }

    /// Whether nothing is known to be missing.
    pub const fn is_settled(&self) -> bool {
        matches!(self, Self::Settled)
    }

    /// Whether a request is on its way or being answered.
    pub const fn in_flight(&self) -> bool {
        matches!(self, Self::Asked { .. } | Self::Replaying { .. } | Self::Receiving { .. })
    }

    /// When something has to be done about it.
    pub const fn deadline(&self) -> Option<Timestamp> {
        match self {
            Self::Settled => None,
            Self::Due { at, .. } => Some(*at),
            Self::Asked { deadline, .. }
            | Self::Replaying { deadline, .. }
            | Self::Receiving { deadline, .. } => Some(*deadline),
        }
    }

    /// Progress was made: the deadline moves. Events that come while the answer does not are no
    /// answer.
    pub const fn extend(&mut self, to: Timestamp) {
        match self {
            Self::Settled | Self::Due { .. } | Self::Asked { .. } => {}
            Self::Replaying { deadline, .. } | Self::Receiving { deadline, .. } => *deadline = to,
        }
    }
}

/// What the socket carries since the cursor was set: every number, in order, up to `to` again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stream {
    /// The number that must come next.
    next: SequenceNumber,
    /// The last number that is replay.
    to: SequenceNumber,
}

impl Stream {
    /// The cursor stands before `next`.
    pub const fn new(next: SequenceNumber, to: SequenceNumber) -> Self {
        Self { next, to }
    }

    /// The number that must come next.
    pub const fn next(&self) -> SequenceNumber {
        self.next
    }

    /// Whether `number` can only come if one before it was lost.
    pub fn skips_to(&self, number: SequenceNumber) -> bool {
        number > self.next
    }

    /// `number` came: tells whether as part of the replay.
    pub fn carry(&mut self, number: SequenceNumber) -> bool {
        let replayed = number >= self.next && number <= self.to;
        self.next = self.next.max(number.next());
        replayed
    }
}

/// When requests were sent, so that they stay within their rate.
#[derive(Clone, Debug, Default)]
pub struct RequestRate {
    sent: Vec<Timestamp>,
    fruitless: Vec<Timestamp>,
}

impl RequestRate {
    /// The earliest moment at which another request may be sent.
    pub fn allowed_at(&self, config: &Config, now: Timestamp) -> Timestamp {
        let free = |sent: &Vec<Timestamp>, max: usize, window: u64| {
            let oldest = sent.len().checked_sub(max).and_then(|index| sent.get(index));
            oldest.map_or(now, |&oldest| now.max(oldest + window))
        };
        let burst = free(&self.sent, config.burst_max, config.burst_window_ms);
        burst.max(free(&self.fruitless, config.retries_max, config.retry_window_ms))
    }

    /// A request is sent.
    pub fn note_sent(&mut self, config: &Config, now: Timestamp) {
        for (sent, max) in
            [(&mut self.sent, config.burst_max), (&mut self.fruitless, config.retries_max)]
        {
            sent.push(now);
            while sent.len() > max {
                sent.remove(0);
            }
        }
    }

    /// Progress was made: the requests so far were not fruitless.
    pub fn note_progress(&mut self) {
        self.fruitless.clear();
    }
}
