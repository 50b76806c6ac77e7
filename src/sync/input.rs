//! Inputs: everything that a driver can report to the machine.

use crate::protocol::CampaignId;
use crate::protocol::Position;
use crate::protocol::frame::Frame;
#[cfg(feature = "encrypted")]
use crate::protocol::seal::{Key, KeyId};

/// Identifies one socket. A late callback of an old socket carries an old number and is ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// Identifies one request to the driver, such as for a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// The reason why there is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenFailure {
    /// The provider failed. The next attempt asks it again.
    Failed,
    /// The provider gave something that is not a token. The next attempt asks it again.
    Invalid,
    /// The provider says that asking again would not help.
    Final,
}

/// The reason why time may have passed unnoticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// The driver's only timer fired. It may fire early or late.
    Timer,
    /// The page became visible.
    Visible,
    /// The network came back.
    Online,
    /// The page was shown again from the back-forward cache.
    PageShow,
}

/// An input that a driver reports to the machine.
#[derive(Clone, Debug, PartialEq)]
pub enum Input<'a> {
    /// The application requests a connection, or the next attempt at once.
    Connect,
    /// The application requests no connection until [`Input::Connect`].
    Pause,
    /// The application ends the session: the machine drops its data, and requests no connection until
    /// [`Input::Connect`].
    Reset,
    /// The application closes the client permanently.
    Close,
    /// The application retains a campaign. Each call increments a reference count.
    Retain(CampaignId),
    /// The application releases a campaign. Each call decrements the reference count.
    Release(CampaignId),
    /// The application retains the catalogue. Each call increments a reference count.
    RetainCatalogue,
    /// The application releases the catalogue. Each call decrements the reference count.
    ReleaseCatalogue,
    /// The socket is open.
    Opened(ConnectionId),
    /// A frame arrived.
    Received(ConnectionId, Frame<'a>),
    /// The socket closed, or could not open (1006).
    Closed(ConnectionId, u16),
    /// Time may have passed.
    Woke(Wake),
    /// The answer to [`super::Effect::RequestToken`]. An empty token counts as no token.
    Token(Ticket, Result<String, TokenFailure>),
    /// The answer to [`super::Effect::RenewSession`]: whether another attempt may succeed; `None` if the
    /// renewal failed.
    Renewed(Ticket, Option<bool>),
    /// The answer to [`super::Effect::FetchSnapshot`]; `None` if the fetch failed.
    Snapshot(Ticket, Option<&'a str>),
    /// The application waits until a position is reached.
    WaitForPosition(CampaignId, Position, Ticket),
    /// The application no longer waits.
    CancelWait(CampaignId, Ticket),
    /// The application requests fresh data.
    Refresh(CampaignId),
    /// The application discards the unconfirmed rows.
    DiscardUnconfirmed(CampaignId),
    /// Content is sealed: from now on the machine accepts only sealed content. Comes before
    /// [`Input::Connect`].
    #[cfg(feature = "encrypted")]
    Seal,
    /// A key for sealed content. It replaces an existing key of the same name.
    #[cfg(feature = "encrypted")]
    AddKey(KeyId, Key),
}
