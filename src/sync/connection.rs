//! The connection: one enum whose states own their data.
//!
//! ```text
//! Idle ─Connect─▶ Waiting ─▶ AskingToken ─▶ Opening ─▶ Negotiating ─▶ Open
//!                   ▲             │            │            │          │
//!                   └─────────────┴── failed ──┴── closed ──┴──────────┘
//! any ─4401/4403 without a working token─▶ Failed        any ─Close─▶ Closed
//! ```

use super::Timestamp;
use super::input::{ConnectionId, Ticket};
use super::link::Link;
use crate::protocol::Code;

/// Where the connection is.
#[derive(Clone, Debug)]
pub enum Connection {
    /// Nobody asked for one.
    Idle,
    /// To be tried at `until`.
    Waiting {
        /// When.
        until: Timestamp,
    },
    /// The application was asked for a token.
    AskingToken {
        /// Names the answer.
        ticket: Ticket,
        /// When it is given up.
        deadline: Timestamp,
    },
    /// The socket is opening.
    Opening {
        /// Which.
        connection: ConnectionId,
        /// The token to present.
        token: Option<String>,
        /// When it is given up.
        deadline: Timestamp,
    },
    /// Open; the server has not acknowledged yet.
    Negotiating {
        /// Which.
        connection: ConnectionId,
        /// Its pulse.
        link: Link,
        /// When the acknowledgement is given up.
        deadline: Timestamp,
    },
    /// Open, and acknowledged by the server.
    Open {
        /// Which.
        connection: ConnectionId,
        /// Its pulse.
        link: Link,
    },
    /// Given up, until the application connects again.
    Failed(Code),
    /// Closed by the application, for good.
    Closed,
}

/// What went wrong so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attempts {
    /// Connections that failed or did not last, in a row.
    pub failures: u32,
    /// Sessions refused in a row.
    pub refused: u32,
    /// The server asked to stay away until then.
    pub not_before: Timestamp,
}

impl Connection {
    /// The socket that counts, if there is one.
    pub const fn socket(&self) -> Option<ConnectionId> {
        match self {
            Self::Opening { connection, .. }
            | Self::Negotiating { connection, .. }
            | Self::Open { connection, .. } => Some(*connection),
            Self::Idle
            | Self::Waiting { .. }
            | Self::AskingToken { .. }
            | Self::Failed(_)
            | Self::Closed => None,
        }
    }

    /// The pulse of an open socket.
    pub const fn link_mut(&mut self) -> Option<&mut Link> {
        match self {
            Self::Negotiating { link, .. } | Self::Open { link, .. } => Some(link),
            Self::Idle
            | Self::Waiting { .. }
            | Self::AskingToken { .. }
            | Self::Opening { .. }
            | Self::Failed(_)
            | Self::Closed => None,
        }
    }

    /// Whether a connection is wanted and not given up.
    pub const fn is_wanted(&self) -> bool {
        !matches!(self, Self::Idle | Self::Failed(_) | Self::Closed)
    }

    /// The word for it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Waiting { .. } => "waiting",
            Self::AskingToken { .. } | Self::Opening { .. } | Self::Negotiating { .. } => {
                "connecting"
            }
            Self::Open { .. } => "open",
            Self::Failed(_) => "failed",
            Self::Closed => "closed",
        }
    }
}
