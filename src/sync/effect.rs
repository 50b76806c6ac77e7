//! Effects: everything the machine asks a driver to do.

use super::input::{ConnectionId, Ticket};
use super::log::LogRecord;
use super::notice::Notice;
use crate::protocol::{CampaignId, Code};

/// An action that the machine requests from a driver. Drivers match this enum without a catch-all arm.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Open a socket.
    Open(ConnectionId),
    /// Send a text frame on that socket.
    Send(ConnectionId, String),
    /// Close that socket with this code. The machine ignores its later callbacks.
    CloseSocket(ConnectionId, u16),
    /// Ask the application for a token; answer with [`super::Input::Token`].
    RequestToken(Ticket),
    /// Ask the application to renew its session, which was refused so many times in a row; answer with
    /// [`super::Input::Renewed`].
    RenewSession(Ticket, u32),
    /// Ask the application for a snapshot; answer with [`super::Input::Snapshot`].
    FetchSnapshot(Ticket, CampaignId),
    /// Notify listeners.
    Notify(Notice),
    /// The data of the former session is gone: drop every copy of it, before any other effect.
    SignedOut,
    /// Settle a promise: reject it with the code, or resolve it if there is no code.
    Settle(Ticket, Option<Code>),
    /// Some view changed. Emitted once until the driver takes the changes.
    Changed,
    /// Print a log record.
    Log(LogRecord),
}
