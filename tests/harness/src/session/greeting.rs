//! Authentication of the client.

use std::sync::Arc;

use campaign_sync::protocol::Code;

use super::catalogue::is_offered;
use super::{Request, Session, reply};
use crate::access::Identity;
use crate::capacity::Quota;
use crate::clock::Moment;

impl Session {
    /// Whether another server may know the token and has not been asked yet.
    pub(super) fn needs_lookup(&self, now: Moment, token: Option<&str>) -> bool {
        let access = &self.context.access;
        self.lookup_succeeded.is_none()
            && access.may_be_pending(token)
            && access.identify(now.monotonic_ms, token).is_none()
    }

    /// Authenticates the client. Returns the acknowledgement, or an error after which the connection closes.
    pub(super) fn authenticate(
        &mut self,
        now: Moment,
        token: Option<&str>,
        binary: bool,
    ) -> String {
        let Some(identity) = self.context.access.identify(now.monotonic_ms, token) else {
            if self.lookup_succeeded == Some(false) {
                let text = "the servers that share the log cannot be reached";
                return self.reject(now, Code::Internal, text, (1011, "internal"));
            }
            let text = "the session or token is missing or wrong";
            return self.reject(now, Code::Unauthorized, text, (4401, "unauthorized"));
        };
        if !identity.acquire_socket(self.context.delivery.max_connections_per_session) {
            identity.release_socket();
            let text = "too many connections of this session";
            return self.reject(now, Code::TooMany, text, (4429, "too many connections"));
        }
        identity.follow(&self.wake);
        let own = || Arc::new(Quota::new(self.context.snapshots.limits()));
        self.quota = Some(identity.quota().cloned().unwrap_or_else(own));
        self.identity = Some(identity);
        self.binary = binary;
        self.acknowledgement(now)
    }

    pub(super) fn acknowledgement(&self, now: Moment) -> String {
        let protocol = self.context.protocol();
        let profiles: &[&str] = if is_offered(&self.context.hub) { &["catalogue"] } else { &[] };
        let subject = self.identity.as_ref().and_then(Identity::subject);
        let heartbeat_ms = self.context.heartbeat_ms;
        reply::connection_ack(now, (&self.id, subject.as_deref()), protocol, heartbeat_ms, profiles)
    }

    /// Rejects the client. Drops all requests behind the greeting, which is the first one.
    fn reject(
        &mut self,
        now: Moment,
        code: Code,
        text: &str,
        (close, reason): (u16, &'static str),
    ) -> String {
        self.requests.truncate(1);
        self.requests.push_back(Request::Close(close, reason));
        reply::error(now, code, text, None, None)
    }
}
