//! The states of the connection, which own their data.
//!
//! ```text
//! Idle ─Connect─▶ Waiting ─▶ AskingToken ─▶ Opening ─▶ Negotiating ─▶ Open
//!                   ▲             │            │            │          │
//!                   └─────────────┴── failed ──┴── closed ──┴──────────┘
//! any ─4401/4403 without a working token─▶ Failed        any ─Close─▶ Closed
//! ```

use super::keepalive::Keepalive;
use crate::protocol::Code;
use crate::sync::input::{ConnectionId, Ticket};
use crate::sync::time::Timestamp;

/// Where the connection is.
#[derive(Clone, Debug)]
pub enum ConnectionState {
    /// No connection was asked for.
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
        /// Whether it lives.
        keepalive: Keepalive,
        /// When the acknowledgement is given up.
        deadline: Timestamp,
    },
    /// Open, and acknowledged by the server.
    Open {
        /// Which.
        connection: ConnectionId,
        /// Whether it lives.
        keepalive: Keepalive,
    },
    /// Given up, until the application connects again.
    Failed(Code),
    /// Closed by the application, for good.
    Closed,
}

impl ConnectionState {
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

    /// The keepalive of an open socket.
    pub(super) const fn keepalive_mut(&mut self) -> Option<&mut Keepalive> {
        match self {
            Self::Negotiating { keepalive, .. } | Self::Open { keepalive, .. } => Some(keepalive),
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

    /// The state by its public name.
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
