//! The pacing of connection attempts: failures in a row, refused sessions, the evidence about the server,
//! and the pauses before the next attempt.

use super::handshake::Handshakes;
use crate::protocol::Code;
use crate::sync::config::Config;
use crate::sync::context::Context;
use crate::sync::time::Timestamp;

/// The history of connection attempts.
#[derive(Clone, Debug, Default)]
pub(super) struct Attempts {
    /// The number of connections in a row that failed or did not last.
    failures: u32,
    /// The number of sessions in a row that were refused, without a connection that lasted.
    refused: u32,
    handshakes: Handshakes,
    /// The application starts no other attempt before this time, because one has just begun.
    after_last: Timestamp,
    /// The server requested no attempt before this time.
    not_before: Timestamp,
}

/// The reason why a socket is lost.
#[derive(Clone, Copy, Debug)]
pub(super) enum Loss {
    /// It closed, or it died silently.
    Closed,
    /// It ended before the acknowledgement.
    Interrupted,
    /// It did not open in time.
    NotOpened,
    /// The server refused the session, with this code.
    Refused(Code),
    /// The server named another protocol; with this code the client gives up.
    OtherProtocol(Code),
    /// The server did not acknowledge in time, for this reason.
    Unanswered(Code),
}

impl Loss {
    pub(super) const fn code(self) -> Option<Code> {
        match self {
            Self::Closed | Self::Interrupted => None,
            Self::NotOpened => Some(Code::OpenTimeout),
            Self::Refused(code) | Self::OtherProtocol(code) | Self::Unanswered(code) => Some(code),
        }
    }
}

impl Attempts {
    /// The number of connections in a row that failed or did not last.
    pub(super) const fn failures(&self) -> u32 {
        self.failures
    }

    /// The application connects a client that was idle or had given up: earlier failures do not count. A
    /// pause that the server requested does.
    pub(super) const fn restart(&mut self) {
        (self.failures, self.refused) = (0, 0);
        self.handshakes.restart();
    }

    /// An attempt begins.
    pub(super) fn begin(&mut self, cx: &Context) {
        self.after_last = cx.now.at + cx.config.attempt_gap_ms;
    }

    /// Time limit for the acknowledgement, in milliseconds.
    pub(super) fn negotiation_ms(&self) -> u64 {
        self.handshakes.timeout_ms()
    }

    /// The server acknowledged the client's protocol.
    pub(super) const fn on_acknowledged(&mut self) {
        self.handshakes.on_acknowledged();
    }

    /// A connection lasted long enough to count as a success.
    pub(super) const fn on_stable(&mut self) {
        (self.failures, self.refused) = (0, 0);
    }

    /// The number of sessions in a row that were refused.
    pub(super) const fn refused(&self) -> u32 {
        self.refused
    }

    /// The server requested a pause until `not_before`.
    pub(super) const fn on_draining(&mut self, not_before: Timestamp) {
        self.not_before = not_before;
    }

    /// Counts a lost socket. Returns the code of the failure if another attempt would not help.
    pub(super) fn on_lost(&mut self, config: &Config, loss: Loss) -> Option<Code> {
        match loss {
            Loss::Refused(code) => {
                self.refused += 1;
                let renews = config.has_renewal && code == Code::Unauthorized;
                let may_retry = self.refused < config.auth_attempts_max;
                let again = may_retry && (config.has_token || renews);
                (!again).then_some(code)
            }
            Loss::OtherProtocol(code) => self.handshakes.on_other_protocol().then_some(code),
            Loss::Unanswered(_) => {
                self.handshakes.on_unanswered();
                None
            }
            Loss::Interrupted => {
                self.handshakes.on_interrupted();
                None
            }
            Loss::Closed | Loss::NotOpened => None,
        }
    }

    /// The time of the next attempt after a failure. The delay has full jitter, the first retry included.
    pub(super) fn next(&mut self, cx: &mut Context) -> Timestamp {
        let delay = cx.backoff_ms(self.failures);
        self.failures = self.failures.saturating_add(1);
        (cx.now.at + delay).max(self.not_before)
    }

    /// The time from which an attempt that the application requests may start.
    pub(super) fn soonest(&self, cx: &Context) -> Timestamp {
        cx.now.at.max(self.not_before).max(self.after_last)
    }

    /// The time of an attempt after a wake: soon, with jitter.
    pub(super) fn after_wake(&self, cx: &mut Context) -> Timestamp {
        let soon = cx.now.at + cx.rng.up_to(cx.config.backoff_base_ms);
        soon.max(self.not_before)
    }
}
