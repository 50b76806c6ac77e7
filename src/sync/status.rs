//! The status of a campaign. It is computed from the clock when it is read, so that an idle page learns
//! that its data has become stale.

use core::fmt;

use crate::protocol::Code;

/// How trustworthy a campaign's state is.
// One word, because only one variant has data: functions return it in a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// No connection was requested.
    Idle,
    /// Connecting; there is no state yet.
    Connecting,
    /// Connected; there is no state yet.
    Loading,
    /// Proven current, within the guaranteed ten seconds.
    Live,
    /// Connected; something is missing and has been requested.
    Recovering,
    /// Stale: there is no connection.
    Disconnected,
    /// Stale: there is no connection, and snapshots are fetched from time to time.
    Polling,
    /// Stale: the last proof of freshness is too old.
    Unproven,
    /// Stale: rows differ from the server's, and a repair did not help.
    Diverged,
    /// The campaign is gone.
    Ended,
    /// The campaign cannot be followed, for this reason.
    Failed(Code),
}

/// The state of the connection as a campaign sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// No connection was requested.
    Off,
    /// The client gave up, for this reason.
    Failed(Code),
    /// A connection was requested and is not open yet.
    Connecting,
    /// A socket is open and acknowledged.
    Connected,
}

impl LinkState {
    /// The status that the connection alone determines; `None` while a socket is open. `is_loaded` says
    /// whether there is a state to show.
    pub const fn status(self, is_loaded: bool) -> Option<Status> {
        Some(match self {
            Self::Connected => return None,
            Self::Failed(code) => Status::Failed(code),
            Self::Connecting | Self::Off if is_loaded => Status::Disconnected,
            Self::Connecting => Status::Connecting,
            Self::Off => Status::Idle,
        })
    }
}

impl Status {
    /// The name of the status.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Connecting => "connecting",
            Self::Loading => "loading",
            Self::Live => "live",
            Self::Recovering => "recovering",
            Self::Disconnected | Self::Polling | Self::Unproven | Self::Diverged => "stale",
            Self::Ended => "ended",
            Self::Failed(_) => "failed",
        }
    }

    /// The reason for a stale or failed status.
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Self::Disconnected => Some("disconnected"),
            Self::Polling => Some("polling"),
            Self::Unproven => Some("unproven"),
            Self::Diverged => Some("diverged"),
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

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            Some(reason) => write!(f, "{}({reason})", self.as_str()),
            None => f.write_str(self.as_str()),
        }
    }
}
