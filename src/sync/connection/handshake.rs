//! Evidence from the handshakes of this client: whether the server speaks the client's protocol, and how
//! long its acknowledgement takes.
//!
//! One damaged or foreign document proves nothing, so no single handshake ends a client.

use crate::sync::config::{NEGOTIATION_MS, OTHER_PROTOCOLS_MAX};

/// Doublings of the time limit for the acknowledgement: 3, 6, then 12 s.
const DOUBLINGS_MAX: u32 = 2;

/// The evidence from all handshakes.
#[derive(Clone, Debug, Default)]
pub(super) struct Handshakes {
    server: ServerProtocol,
    /// The number of sockets in a row whose acknowledgement did not arrive in time.
    unanswered: u32,
}

/// The known protocol of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ServerProtocol {
    /// The server has not spoken the client's protocol yet. `others` counts the consecutive sockets that
    /// named another one.
    Unknown { others: u32 },
    /// The server has spoken the client's protocol.
    Spoken,
}

impl Default for ServerProtocol {
    fn default() -> Self {
        Self::Unknown { others: 0 }
    }
}

impl Handshakes {
    /// Time limit for the next acknowledgement, in milliseconds.
    pub(super) fn timeout_ms(&self) -> u64 {
        NEGOTIATION_MS << self.unanswered.min(DOUBLINGS_MAX)
    }

    /// The application connects again: earlier sockets do not count against the server.
    pub(super) const fn restart(&mut self) {
        if let ServerProtocol::Unknown { others } = &mut self.server {
            *others = 0;
        }
    }

    /// The server acknowledged the client's protocol.
    pub(super) const fn on_acknowledged(&mut self) {
        self.server = ServerProtocol::Spoken;
        self.unanswered = 0;
    }

    /// The acknowledgement did not arrive in time.
    pub(super) const fn on_unanswered(&mut self) {
        self.unanswered = self.unanswered.saturating_add(1);
        self.restart();
    }

    /// A socket ended before the acknowledgement, for a reason that says nothing about the protocol.
    pub(super) const fn on_interrupted(&mut self) {
        self.restart();
    }

    /// The server named another protocol. Returns whether another attempt would not help: the server
    /// never spoke the client's protocol, and so many sockets in a row named another one.
    pub(super) const fn on_other_protocol(&mut self) -> bool {
        match &mut self.server {
            ServerProtocol::Unknown { others } => {
                *others += 1;
                *others >= OTHER_PROTOCOLS_MAX
            }
            ServerProtocol::Spoken => false,
        }
    }
}
