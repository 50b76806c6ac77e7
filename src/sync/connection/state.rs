//! The states of the connection. Each state owns its data.
//!
//! ```text
//! Idle ─Connect─▶ Waiting ─▶ AskingToken ─▶ Opening ─▶ Negotiating ─▶ Open
//!                   ▲             │            │            │          │
//!                   └─────────────┴── failed ──┴── closed ──┴──────────┘
//! any ─4401─▶ RenewingSession ─renewed─▶ Waiting           (if the application renews sessions)
//! any ─4401/4403 without a working token─▶ Failed        any ─Close─▶ Closed
//! ```

use super::keepalive::Keepalive;
use crate::protocol::Code;
use crate::sync::input::{ConnectionId, Ticket};
use crate::sync::time::Timestamp;

/// The documents of a socket before its acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstDocuments {
    /// Only documents that belong there, if any.
    Expected,
    /// A damaged or foreign document, too.
    Unexpected,
}

/// The state of the connection.
#[derive(Clone, Debug, Default)]
pub enum ConnectionState {
    /// No connection was requested.
    #[default]
    Idle,
    /// The next attempt starts at `until`.
    Waiting {
        /// The time of the next attempt.
        until: Timestamp,
    },
    /// The application was asked for a token.
    RequestingToken {
        /// Identifies the answer.
        ticket: Ticket,
        /// When the attempt is given up.
        deadline: Timestamp,
    },
    /// The application was asked to renew its session.
    RenewingSession {
        /// Identifies the answer.
        ticket: Ticket,
        /// When the renewal is given up.
        deadline: Timestamp,
    },
    /// The socket is opening.
    Opening {
        /// The socket.
        connection: ConnectionId,
        /// The token to present.
        token: Option<String>,
        /// When the attempt is given up.
        deadline: Timestamp,
    },
    /// Open; the server has not acknowledged yet.
    Negotiating {
        /// The socket.
        connection: ConnectionId,
        /// The keepalive of the socket.
        keepalive: Keepalive,
        /// When the client stops waiting for the acknowledgement.
        deadline: Timestamp,
        /// The documents that arrived so far.
        documents: FirstDocuments,
    },
    /// Open, and acknowledged by the server.
    Open {
        /// The socket.
        connection: ConnectionId,
        /// The keepalive of the socket.
        keepalive: Keepalive,
    },
    /// The client gave up. It stays so until the application connects again.
    Failed(Code),
    /// The application closed the connection permanently.
    Closed,
}

impl ConnectionState {
    /// The socket whose callbacks count, if there is one.
    pub const fn socket(&self) -> Option<ConnectionId> {
        match self {
            Self::Opening { connection, .. }
            | Self::Negotiating { connection, .. }
            | Self::Open { connection, .. } => Some(*connection),
            Self::Idle
            | Self::Waiting { .. }
            | Self::RequestingToken { .. }
            | Self::RenewingSession { .. }
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
            | Self::RequestingToken { .. }
            | Self::RenewingSession { .. }
            | Self::Opening { .. }
            | Self::Failed(_)
            | Self::Closed => None,
        }
    }

    /// Whether a connection was requested and is neither given up nor closed.
    pub const fn is_wanted(&self) -> bool {
        !matches!(self, Self::Idle | Self::Failed(_) | Self::Closed)
    }

    /// The public name of the state.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Waiting { .. } => "waiting",
            Self::RequestingToken { .. }
            | Self::RenewingSession { .. }
            | Self::Opening { .. }
            | Self::Negotiating { .. } => "connecting",
            Self::Open { .. } => "open",
            Self::Failed(_) => "failed",
            Self::Closed => "closed",
        }
    }
}
