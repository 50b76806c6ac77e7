//! The transport of frames: browser sockets, or the application's transport.

use core::cell::Cell;

/// The transport of frames.
#[derive(Debug)]
pub(super) enum Transport {
    /// Browser sockets to this address.
    Socket(String),
    /// The application's transport.
    Manual(ManualTransport),
}

/// The application's transport, with its state as the application reports it.
#[derive(Debug, Default)]
pub(super) struct ManualTransport(Cell<Reported>);

/// The last report of the application about its transport.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Reported {
    /// No report: the transport counts as open.
    #[default]
    Nothing,
    /// The transport is open.
    Open,
    /// The transport is closed. An application that reports this also reports the next opening.
    Closed,
}

impl Transport {
    /// Creates a transport of the application.
    pub(super) fn manual() -> Self {
        Self::Manual(ManualTransport::default())
    }

    /// The name in diagnostics.
    pub(super) const fn as_str(&self) -> &'static str {
        match self {
            Self::Socket(_) => "socket",
            Self::Manual(_) => "manual",
        }
    }
}

impl ManualTransport {
    /// Whether frames can be sent, as far as the client knows.
    pub(super) fn is_open(&self) -> bool {
        self.0.get() != Reported::Closed
    }

    /// Records that the transport opened.
    pub(super) fn opened(&self) {
        self.0.set(Reported::Open);
    }

    /// Records that the transport closed.
    pub(super) fn closed(&self) {
        self.0.set(Reported::Closed);
    }

    /// Records that the machine gave up the connection. If the application reports its transport,
    /// the driver waits for the next opening.
    pub(super) fn dropped(&self) {
        if self.0.get() == Reported::Open {
            self.0.set(Reported::Closed);
        }
    }
}
