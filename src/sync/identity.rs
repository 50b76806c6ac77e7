//! Whose data the client holds: the subject of the session, and the end of a session.
//!
//! This is the only place that empties the client for another session. It empties everything before it
//! queues any notice.

use super::outcome::Verdict;
use super::router::Router;
use crate::protocol::Code;

/// The subject of the session whose data the client holds.
#[derive(Clone, Debug, Default)]
pub(super) enum Identity {
    /// No server has acknowledged a session yet, or the application ended the session.
    #[default]
    Unknown,
    /// The subject of the last acknowledgement. A server without sessions names none.
    Known(Option<String>),
}

impl Identity {
    /// Whether the data of the client belongs to another subject than this one. No subject is another one
    /// than any subject.
    pub(super) fn differs(&self, subject: Option<&str>) -> bool {
        matches!(self, Self::Known(known) if known.as_deref() != subject)
    }
}

impl Router {
    /// Takes the subject that a server names before it sends anything else. Another one than before may
    /// not see what the former one saw.
    pub(super) fn identify(&mut self, subject: Option<&str>) {
        if self.identity.differs(subject) {
            self.sign_out();
        }
        self.identity = Identity::Known(subject.map(str::to_owned));
    }

    /// Handles a server that names another subject on an open socket. A session has one subject, so one of
    /// the two names is wrong, and the next socket decides.
    pub(super) fn on_other_subject(&mut self) -> Verdict {
        let event = self.connection.on_contradiction(&mut self.cx);
        self.on_connection_event(Some(event));
        self.refuse(Code::InvalidMessage, None)
    }

    /// Ends the session, because the application requested it.
    pub(super) fn reset(&mut self) {
        self.sign_out();
        self.identity = Identity::Unknown;
        let event = self.connection.reset(&mut self.cx);
        self.on_connection_event(event);
    }

    /// Drops everything of the former session. The application still retains its campaigns.
    fn sign_out(&mut self) {
        self.cx.sign_out();
        self.each(|subscription, cx| subscription.sign_out(cx));
    }
}
