//! What carries the frames: sockets of the browser, or the application's own transport.

use core::cell::Cell;

/// What carries the frames.
#[derive(Debug)]
pub(super) enum Transport {
    /// Sockets to this address.
    Socket(String),
    /// The application's own.
    Manual(ManualTransport),
}

/// The application's own transport, as the application reports it.
#[derive(Debug, Default)]
pub(super) struct ManualTransport(Cell<Reported>);

/// What the application reports of its transport.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Reported {
    /// Nothing: it counts as open.
    #[default]
    Nothing,
    /// It is open.
    Open,
    /// It is closed; an application that reported this reports the next opening, too.
    Closed,
}

impl Transport {
    /// A transport of the application.
    pub(super) fn manual() -> Self {
        Self::Manual(ManualTransport::default())
    }

    /// Its name in diagnostics.
    pub(super) const fn as_str(&self) -> &'static str {
        match self {
            Self::Socket(_) => "socket",
            Self::Manual(_) => "manual",
        }
    }
}

impl ManualTransport {
    /// Whether frames can be sent, as far as is known.
    pub(super) fn is_open(&self) -> bool {
        self.0.get() != Reported::Closed
    }

    /// The application reports that it opened.
    pub(super) fn opened(&self) {
        self.0.set(Reported::Open);
    }

    /// The application reports that it closed.
    pub(super) fn closed(&self) {
        self.0.set(Reported::Closed);
    }

    /// The machine gave the connection up: where the application reports, the next opening is awaited.
    pub(super) fn dropped(&self) {
        if self.0.get() == Reported::Open {
            self.0.set(Reported::Closed);
        }
    }
}
