//! What sessions share with each other and with their drivers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use campaign_sync::protocol::limits::{PROTOCOL_V1, PROTOCOL_V1_SEALED};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::limits::Delivery;
use crate::access::Access;
use crate::clock::Moment;
use crate::hub::Hub;
use crate::snapshots::Snapshots;

/// What all sessions of a server share.
#[derive(Debug)]
pub struct Context {
    /// The log and its news.
    pub hub: Arc<Hub>,
    /// The snapshots held.
    pub snapshots: Snapshots,
    /// Who may connect.
    pub access: Access,
    /// Silence after which a `pong` is sent unasked.
    pub heartbeat_ms: u64,
    /// How patient sessions are.
    pub delivery: Delivery,
    /// Clients are told to come back after a drain within this time, each at another moment.
    pub drain_spread_ms: u64,
    /// Set while faults are injected, so that they hit single events.
    pub one_event_per_frame: AtomicBool,
}

impl Context {
    /// The protocol spoken: content is sealed, or it is not.
    pub(super) fn protocol(&self) -> &'static str {
        if self.hub.log().keys().is_some() { PROTOCOL_V1_SEALED } else { PROTOCOL_V1 }
    }

    pub(super) fn joins_events(&self) -> bool {
        !self.one_event_per_frame.load(Ordering::Relaxed)
    }
}

/// When and where something is done for a subscription.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<'c> {
    pub(super) now: Moment,
    pub(super) context: &'c Context,
}

/// Something to write to the socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// One document, or several joined by line feeds.
    pub text: Utf8Bytes,
    /// Whether it is a control message; otherwise it is events.
    pub control: bool,
    /// When its newest event was committed, where all before it was written as it came: its driver, who
    /// has a clock, measures how long that took.
    pub committed: Option<Instant>,
}

impl Frame {
    pub(super) fn control(text: String) -> Self {
        Self { text: text.into(), control: true, committed: None }
    }
}

/// What the driver has to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Write this.
    Frame(Frame),
    /// Send a WebSocket ping, which every client answers by itself.
    Ping,
    /// Close with this code; the session is over.
    Close(u16, &'static str),
    /// Hear of all sessions that there are at other servers, tell
    /// [`asked`](super::Session::asked), and poll again.
    Ask,
    /// Ask again where blocking is allowed.
    Blocking,
    /// Nothing until something is received, the wake is called, or the timeout has passed.
    Idle,
}
