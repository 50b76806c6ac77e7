//! Effects: everything the machine asks a driver to do.

use super::input::{ConnectionId, Ticket};
use super::log::LogRecord;
use super::notice::Notice;
use crate::protocol::{CampaignId, Code};

/// Everything the machine asks a driver to do. Drivers match it without a catch-all.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Open a socket.
    Open(ConnectionId),
    /// Send a text frame on that socket.
    Send(ConnectionId, String),
    /// Close that socket with this code; no callback of it counts any more.
    CloseSocket(ConnectionId, u16),
    /// Ask the application for a token; answer with [`super::Input::Token`].
    RequestToken(Ticket),
    /// Ask the application for a snapshot; answer with [`super::Input::Snapshot`].
    FetchSnapshot(Ticket, CampaignId),
    /// Tell listeners.
    Notify(Notice),
    /// Settle a promise; the code tells why it failed.
    Settle(Ticket, Option<Code>),
    /// Some view changed. Said once until the driver takes the changes.
    Changed,
    /// Print a log record.
    Log(LogRecord),
}
