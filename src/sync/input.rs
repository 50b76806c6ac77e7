//! Inputs: everything a driver can tell the machine.

use crate::protocol::CampaignId;
use crate::protocol::Position;
use crate::protocol::frame::Frame;
#[cfg(feature = "encrypted")]
use crate::protocol::seal::{Key, KeyId};

/// Names one socket. A late callback of an old socket carries an old number and is ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// Names one question to the driver, such as for a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Why time may have passed unnoticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// The one timer fired. Early and late are harmless.
    Timer,
    /// The page became visible.
    Visible,
    /// The network came back.
    Online,
    /// The page was shown again from the back-forward cache.
    PageShow,
}

/// Everything a driver can tell the machine.
#[derive(Clone, Debug, PartialEq)]
pub enum Input<'a> {
    /// The application wants a connection.
    Connect,
    /// The application is done for good.
    Close,
    /// The application holds a campaign, once more.
    Retain(CampaignId),
    /// The application lets go of a campaign, once.
    Release(CampaignId),
    /// The socket is open.
    Opened(ConnectionId),
    /// A frame arrived.
    Received(ConnectionId, Frame<'a>),
    /// The socket closed, or could not open (1006).
    Closed(ConnectionId, u16),
    /// Time may have passed.
    Woke(Wake),
    /// The answer to [`super::Effect::RequestToken`]; `None` if the provider failed.
    Token(Ticket, Option<String>),
    /// The answer to [`super::Effect::FetchSnapshot`]; `None` if the fetch failed.
    Snapshot(Ticket, Option<&'a str>),
    /// The application wants to know when a position is reached.
    WaitForPosition(CampaignId, Position, Ticket),
    /// The application wants fresh data.
    Refresh(CampaignId),
    /// The application drops the rows kept aside.
    DiscardUnconfirmed(CampaignId),
    /// Content is sealed: from now on nothing else is taken. Said before the connection is wanted.
    #[cfg(feature = "encrypted")]
    Seal,
    /// A key for sealed content, in place of the one of that name if there is one.
    #[cfg(feature = "encrypted")]
    AddKey(KeyId, Key),
}
