//! The states of the connection. Each state owns its data.
//!
//! ```text
//! Idle ─Connect─▶ Waiting ─▶ RequestingToken ─▶ Opening ─▶ Negotiating ─▶ Open
//!                   ▲               │              │            │          │
//!                   └───────────────┴─── failed ───┴── closed ──┴──────────┘
//! any ─4401─▶ RenewingSession ─renewed─▶ Waiting           (if the application renews sessions)
//! any ─4401/4403 without a working token─▶ Failed        any ─Close─▶ Closed
//! ```

use super::keepalive::Keepalive;
use crate::protocol::Code;
use crate::sync::input::Ticket;
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
    /// An attempt to connect is scheduled or in progress.
    Attempting {
        /// The current step.
        step: Step,
        /// When the attempt begins or, after that, when the step is given up.
        deadline: Timestamp,
    },
    /// The socket is open, and acknowledged by the server.
    Open(Keepalive),
    /// The client gave up. It stays so until the application connects again.
    Failed(Code),
    /// The application closed the connection permanently.
    Closed,
}

/// A step of an attempt to connect.
#[derive(Clone, Debug)]
pub enum Step {
    /// The attempt begins at the deadline.
    Waiting,
    /// The application was asked for a token. The ticket identifies the answer.
    RequestingToken(Ticket),
    /// The application was asked to renew its session. The ticket identifies the answer.
    RenewingSession(Ticket),
    /// The socket is opening, and then presents the token.
    Opening {
        /// The token, if there is one.
        token: Option<String>,
    },
    /// The socket is open; the server has not acknowledged yet.
    Negotiating {
        /// When the socket opened.
        opened: Timestamp,
        /// The documents that arrived so far.
        documents: FirstDocuments,
    },
}

impl ConnectionState {
    /// Whether there is a socket whose callbacks count.
    pub const fn has_socket(&self) -> bool {
        match self {
            Self::Attempting { step, .. } => match step {
                Step::Opening { .. } | Step::Negotiating { .. } => true,
                Step::Waiting | Step::RequestingToken(_) | Step::RenewingSession(_) => false,
            },
            Self::Open(_) => true,
            Self::Idle | Self::Failed(_) | Self::Closed => false,
        }
    }

    /// When the socket opened, if it is open.
    pub(super) const fn opened(&self) -> Option<Timestamp> {
        match self {
            Self::Attempting { step: Step::Negotiating { opened, .. }, .. } => Some(*opened),
            Self::Open(keepalive) => Some(keepalive.opened),
            Self::Idle | Self::Attempting { .. } | Self::Failed(_) | Self::Closed => None,
        }
    }

    /// Whether a connection was requested and is neither given up nor closed.
    pub const fn is_wanted(&self) -> bool {
        matches!(self, Self::Attempting { .. } | Self::Open(_))
    }

    /// The public name of the state.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Attempting { step: Step::Waiting, .. } => "waiting",
            Self::Attempting { .. } => "connecting",
            Self::Open(_) => "open",
            Self::Failed(_) => "failed",
            Self::Closed => "closed",
        }
    }
}
