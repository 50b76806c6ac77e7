//! The begin and the end of a session: this is the only place that empties the client for another one.
//! It empties everything before it queues any notice.
//!
//! These steps use those of the parent module.

use super::Router;
use crate::protocol::Code;
use crate::protocol::limits::PROTOCOL_FAMILY;
use crate::sync::identity::Identity;
use crate::sync::outcome::Verdict;

impl Router {
    /// Handles an acknowledgement. The name of a protocol of another family proves nothing: it may be
    /// damaged, or belong to something between the client and its server.
    pub(super) fn on_acknowledgement(&mut self, protocol: &str, subject: Option<&str>) -> Verdict {
        let event = if protocol == self.cx.encryption.protocol() {
            if !self.cx.is_connected() {
                self.identify(subject);
            } else if self.identity.differs(subject) {
                return self.on_other_subject();
            }
            self.connection.on_acknowledged(&mut self.cx)
        } else if protocol.starts_with(PROTOCOL_FAMILY) {
            let code = self.cx.encryption.rejection();
            self.connection.on_other_protocol(&mut self.cx, code)
        } else if !self.cx.is_connected() {
            return self.on_unexpected_document();
        } else {
            None
        };
        self.on_connection_event(event);
        Verdict::Control
    }

    /// Takes the subject that a server names before it sends anything else. Another one than before may
    /// not see what the former one saw.
    pub(in crate::sync) fn identify(&mut self, subject: Option<&str>) {
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
    pub(in crate::sync) fn reset(&mut self) {
        self.sign_out();
        self.identity = Identity::Unknown;
        let event = self.connection.reset(&mut self.cx);
        self.on_connection_event(event);
    }

    /// Drops everything of the former session. The application still retains its campaigns.
    fn sign_out(&mut self) {
        self.cx.sign_out();
        self.each(|subscription, cx| subscription.sign_out(cx));
        self.catalogue.clear(&mut self.cx);
    }
}
