//! The state that connections share with each other and with their drivers.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use campaign_sync::protocol::limits::{PROTOCOL_V1, PROTOCOL_V1_SEALED};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::limits::Delivery;
use crate::access::Access;
use crate::capacity::Quota;
use crate::clock::Moment;
use crate::hub::Hub;
use crate::snapshots::Snapshots;

/// The state that all connections of a server share.
#[derive(Debug)]
pub struct Context {
    /// The log, and its publication.
    pub hub: Arc<Hub>,
    /// The cache of snapshots.
    pub snapshots: Snapshots,
    /// Authentication and visibility.
    pub access: Access,
    /// Silence on a socket after which the server sends a `pong`, in milliseconds.
    pub heartbeat_ms: u64,
    /// Timeouts and limits of delivery.
    pub delivery: Delivery,
    /// The spread of reconnects after a drain, in milliseconds: each client gets a different time to return
    /// within it.
    pub drain_spread_ms: u64,
    /// Set while faults are injected, so that a fault hits a single event.
    pub one_event_per_frame: AtomicBool,
}

impl Context {
    /// The protocol of this server: with sealed content, or without.
    pub(super) fn protocol(&self) -> &'static str {
        if self.hub.log().keys().is_some() { PROTOCOL_V1_SEALED } else { PROTOCOL_V1 }
    }

    pub(super) fn joins_events(&self) -> bool {
        !self.one_event_per_frame.load(Ordering::Relaxed)
    }
}

/// The time and the context of work for a subscription.
#[derive(Clone, Copy, Debug)]
pub(super) struct PollContext<'c> {
    pub(super) now: Moment,
    pub(super) context: &'c Context,
    /// The quota of the client.
    pub(super) quota: &'c Arc<Quota>,
}

/// The text of a frame in three pieces. Other sockets share the middle one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrameText {
    head: Utf8Bytes,
    shared: Utf8Bytes,
    tail: Utf8Bytes,
}

impl FrameText {
    /// A text around a shared piece.
    pub(super) fn around(head: String, shared: Utf8Bytes, tail: String) -> Self {
        Self { head: head.into(), shared, tail: tail.into() }
    }

    /// A text that other sockets share.
    pub(crate) fn shared(shared: Utf8Bytes) -> Self {
        Self { shared, ..Self::default() }
    }

    /// The size in bytes.
    pub fn len(&self) -> usize {
        self.own_len() + self.shared.len()
    }

    /// The bytes that no other socket shares.
    pub fn own_len(&self) -> usize {
        self.head.len() + self.tail.len()
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The pieces in order.
    pub(crate) fn into_pieces(self) -> [Utf8Bytes; 3] {
        [self.head, self.shared, self.tail]
    }
}

impl From<String> for FrameText {
    fn from(text: String) -> Self {
        Self { head: text.into(), ..Self::default() }
    }
}

impl fmt::Display for FrameText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        [&self.head, &self.shared, &self.tail].into_iter().try_for_each(|it| f.write_str(it))
    }
}

/// A frame to write to the socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// One document, or several joined by line feeds.
    pub text: FrameText,
    /// Whether this is a control message. Otherwise it contains events.
    pub control: bool,
    /// When the newest event was committed, if the socket had all earlier events. The driver has a clock and
    /// measures the delivery time with it.
    pub committed: Option<Instant>,
}

impl Frame {
    pub(super) fn control(text: impl Into<FrameText>) -> Self {
        Self { text: text.into(), control: true, committed: None }
    }
}

/// The next action of the driver.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Write this frame.
    Frame(Frame),
    /// Send a WebSocket ping. Every client answers it automatically.
    Ping,
    /// Close with this code and reason. The session is over.
    Close(u16, &'static str),
    /// Receive the present sessions of the other servers, report the result with
    /// [`lookup_succeeded`](super::Session::lookup_succeeded), and poll again.
    LookUpSession,
    /// Poll again on a thread that may block.
    Blocking,
    /// Wait until a message arrives, `wake` is notified, or the timeout has passed.
    Idle,
}
