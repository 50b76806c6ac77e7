//! What may be said of a campaign's state right now. Computed from the clock when it is read, so
//! that a page that does nothing still learns that its data has grown old.

use core::fmt;

use crate::protocol::Code;

/// How trustworthy a campaign's state is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// No connection was asked for.
    Idle,
    /// Connecting; there is no state yet.
    Connecting,
    /// Connected; there is no state yet.
    Loading,
    /// Proven current, within the promise of ten seconds.
    Live,
    /// Connected; something is missing and has been asked for.
    Recovering,
    /// Shown, but not proven current.
    Stale(StaleReason),
    /// The campaign is gone.
    Ended,
    /// Cannot be followed.
    Failed(Code),
}

/// What the connection means for a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// No connection is wanted, or it was given up.
    Off,
    /// One is wanted.
    Connecting,
    /// A socket is open and acknowledged.
    Connected,
}

/// Why a state is not proven current.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaleReason {
    /// There is no connection.
    Disconnected,
    /// There is no connection; snapshots are fetched now and then.
    Polling,
    /// The last proof is older than the promise.
    Unproven,
    /// Rows differ from the server's, and a repair did not help.
    Diverged,
}

impl Status {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Connecting => "connecting",
            Self::Loading => "loading",
            Self::Live => "live",
            Self::Recovering => "recovering",
            Self::Stale(_) => "stale",
            Self::Ended => "ended",
            Self::Failed(_) => "failed",
        }
    }

    /// Why it is stale or failed.
    pub const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Stale(reason) => Some(reason.as_str()),
            Self::Failed(code) => Some(code.as_str()),
            Self::Idle
            | Self::Connecting
            | Self::Loading
            | Self::Live
            | Self::Recovering
            | Self::Ended => None,
        }
    }
}

impl StaleReason {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disconnected => "disconnected",
            Self::Polling => "polling",
            Self::Unproven => "unproven",
            Self::Diverged => "diverged",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            Some(reason) => write!(f, "{}({reason})", self.as_str()),
            None => f.write_str(self.as_str()),
        }
    }
}
