//! The life of the connection: waiting, tokens, opening, negotiating, pulses, closing.

use super::backoff::full_jitter_ms;
use super::connection::{Attempts, Connection};
use super::effect::Effect;
use super::input::{ConnectionId, Ticket, Wake};
use super::link::{Link, Pulse};
use super::log::{Facts, Level};
use super::machine::Machine;
use super::notice::Notice;
use crate::protocol::{Code, client};

/// Close codes of the contract (design §3.3), and the two that browsers let a page send.
pub mod close {
    /// Done.
    pub const NORMAL: u16 = 1000;
    /// What a browser reports when a connection dies without a word.
    pub const ABNORMAL: u16 = 1006;
    /// The session is missing, wrong or expired.
    pub const UNAUTHORIZED: u16 = 4401;
    /// The session may not do this.
    pub const FORBIDDEN: u16 = 4403;
    /// We heard nothing and gave the socket up.
    pub const DEAD_LINK: u16 = 4000;
}

impl Machine {
    /// The application wants a connection.
    pub(super) fn on_connect(&mut self) {
        if self.connection.is_wanted() || matches!(self.connection, Connection::Closed) {
            return;
        }
        self.attempts = Attempts::default();
        self.begin_attempt();
    }

    /// The application is done for good.
    pub(super) fn on_close(&mut self) {
        if let Some(connection) = self.connection.socket() {
            self.cx.effect(Effect::CloseSocket(connection, close::NORMAL));
        }
        self.cx.socket = None;
        self.connection = Connection::Closed;
        for subscription in self.subscriptions.values_mut() {
            subscription.waiters.fail(&mut self.cx, Code::Closed);
        }
        self.announce_connection();
    }

    /// Opens a socket, asking for a token first where the application gives one.
    fn begin_attempt(&mut self) {
        if self.cx.config.has_token {
            let ticket = self.cx.ticket();
            let deadline = self.cx.now.at + self.cx.config.open_timeout_ms;
            self.connection = Connection::AskingToken { ticket, deadline };
            self.cx.effect(Effect::RequestToken(ticket));
        } else {
            self.open_socket(None);
        }
        self.announce_connection();
    }

    fn open_socket(&mut self, token: Option<String>) {
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        let deadline = self.cx.now.at + self.cx.config.open_timeout_ms;
        self.connection = Connection::Opening { connection, token, deadline };
        self.cx.effect(Effect::Open(connection));
    }

    /// The token provider answered. Tells whether anybody was waiting for it.
    pub(super) fn on_token(&mut self, answered: Ticket, token: Option<String>) -> bool {
        let Connection::AskingToken { ticket, .. } = self.connection else { return false };
        if ticket != answered {
            return false;
        }
        match token {
            Some(token) => self.open_socket(Some(token)),
            None if planted!(ReconnectDies) => {}
            None => self.wait_for_next_attempt(),
        }
        true
    }

    /// The socket is open: say who we are and what we speak.
    pub(super) fn on_opened(&mut self) {
        let Connection::Opening { connection, token, .. } = &mut self.connection else { return };
        let (connection, token) = (*connection, token.take());
        match self.cx.sealing.connection_init(token.as_deref()) {
            Ok(init) => self.cx.effect(Effect::Send(connection, init)),
            Err(code) => return self.give_up(code),
        }
        self.cx.metrics.connects += 1;
        let link = Link::new(self.cx.now.at);
        let deadline = self.cx.now.at + self.cx.config.negotiation_ms;
        self.connection = Connection::Negotiating { connection, link, deadline };
    }

    /// The server acknowledged that it speaks this protocol: subscribe to everything that is held.
    pub(super) fn on_acknowledged(&mut self) {
        let Connection::Negotiating { connection, link, .. } = &self.connection else { return };
        let (connection, link) = (*connection, link.clone());
        self.connection = Connection::Open { connection, link };
        self.cx.socket = Some(connection);
        self.attempts.refused = 0;
        for subscription in self.subscriptions.values_mut() {
            subscription.on_open(&mut self.cx);
        }
        self.cx.log(Level::Info, "connected", Facts { detail: Some("v1"), ..Facts::default() });
        self.announce_connection();
        self.beat();
    }

    /// The server acknowledged another protocol: trying again would not help. Once acknowledged, a
    /// connection keeps its protocol until the socket closes.
    pub(super) fn on_other_protocol(&mut self) {
        if matches!(self.connection, Connection::Negotiating { .. }) {
            self.give_up(Code::UnsupportedDialect);
        }
    }

    /// The socket closed, or could not be opened.
    pub(super) fn on_closed(&mut self, code: u16) {
        self.cx.metrics.disconnects += 1;
        self.cx.log(
            Level::Info,
            "disconnected",
            Facts { value: Some(code.into()), ..Facts::default() },
        );
        let now = self.cx.now.at;
        let stable = self.cx.config.stable_link_ms;
        if self.connection.link_mut().is_some_and(|link| now.since(link.opened) >= stable) {
            self.attempts.failures = 0;
        }
        self.cx.socket = None;
        for subscription in self.subscriptions.values_mut() {
            subscription.put_back(&self.cx);
        }
        let refusal = match code {
            close::UNAUTHORIZED => Some(Code::Unauthorized),
            close::FORBIDDEN => Some(Code::Forbidden),
            _ => None,
        };
        if let Some(refusal) = refusal {
            self.attempts.refused += 1;
            let hopeless = self.attempts.refused >= self.cx.config.auth_attempts_max;
            if hopeless || !self.cx.config.has_token {
                return self.give_up(refusal);
            }
        }
        self.wait_for_next_attempt();
    }

    /// Full jitter, the first retry included; never before the server asked us to come back.
    fn wait_for_next_attempt(&mut self) {
        let config = &self.cx.config;
        let (base, max) = (config.backoff_base_ms, config.backoff_max_ms);
        let delay = full_jitter_ms(&mut self.cx.rng, base, max, self.attempts.failures);
        self.attempts.failures = self.attempts.failures.saturating_add(1);
        let until = (self.cx.now.at + delay).max(self.attempts.not_before);
        self.connection = Connection::Waiting { until };
        self.announce_connection();
    }

    pub(super) fn give_up(&mut self, code: Code) {
        if let Some(connection) = self.connection.socket() {
            self.cx.effect(Effect::CloseSocket(connection, close::NORMAL));
        }
        self.cx.socket = None;
        self.connection = Connection::Failed(code);
        self.cx.log(
            Level::Error,
            "gave_up",
            Facts { detail: Some(code.as_str()), ..Facts::default() },
        );
        for subscription in self.subscriptions.values_mut() {
            subscription.waiters.fail(&mut self.cx, code);
        }
        self.announce_connection();
    }

    /// Drops a socket that is open or opening, as if it had closed.
    pub(super) fn drop_socket(&mut self, code: u16) {
        if let Some(connection) = self.connection.socket() {
            self.cx.effect(Effect::CloseSocket(connection, code));
            self.on_closed(close::ABNORMAL);
        }
    }

    /// `session_expired`: come back with a fresh token, if there can be one.
    pub(super) fn on_session_expired(&mut self) {
        if self.cx.config.has_token
            && let Some(connection) = self.connection.socket()
        {
            self.cx.effect(Effect::CloseSocket(connection, close::NORMAL));
            self.on_closed(close::UNAUTHORIZED);
        }
    }

    /// `server_draining`: do not come back before that, and not all at once.
    pub(super) fn on_draining(&mut self, retry_after_ms: u64) {
        self.attempts.not_before = self.cx.after_patience(retry_after_ms);
    }

    /// Time may have passed unnoticed: an open socket must prove that it lives, a waiting one is
    /// tried soon.
    pub(super) fn on_wake(&mut self, wake: Wake) {
        if wake == Wake::Timer {
            return;
        }
        let now = self.cx.now.at;
        // Before the acknowledgement no ping is sent, so none can be missed.
        if let Connection::Open { link, .. } = &mut self.connection {
            link.probe(&self.cx.config, now);
        }
        if let Connection::Waiting { until } = &mut self.connection {
            let soon = now + self.cx.rng.up_to(self.cx.config.backoff_base_ms);
            *until = (*until).min(soon.max(self.attempts.not_before));
        }
    }

    /// Acts on the connection's deadlines that have passed.
    pub(super) fn on_connection_time(&mut self) {
        let now = self.cx.now.at;
        match &self.connection {
            Connection::Waiting { until } if *until <= now => self.begin_attempt(),
            Connection::AskingToken { deadline, .. }
                if *deadline <= now && !planted!(ReconnectDies) =>
            {
                self.wait_for_next_attempt();
            }
            // A server that does not acknowledge may be overloaded: the next attempt may fare better.
            Connection::Opening { deadline, .. } | Connection::Negotiating { deadline, .. }
                if *deadline <= now =>
            {
                self.drop_socket(close::NORMAL);
            }
            Connection::Negotiating { .. } | Connection::Open { .. } => self.beat(),
            Connection::Idle
            | Connection::Waiting { .. }
            | Connection::AskingToken { .. }
            | Connection::Opening { .. }
            | Connection::Failed(_)
            | Connection::Closed => {}
        }
    }

    /// Sends the ping that is due, or drops a dead socket.
    pub(super) fn beat(&mut self) {
        let (connection, link) = match &mut self.connection {
            Connection::Open { connection, link, .. } => (*connection, link),
            Connection::Negotiating { .. }
            | Connection::Idle
            | Connection::Waiting { .. }
            | Connection::AskingToken { .. }
            | Connection::Opening { .. }
            | Connection::Failed(_)
            | Connection::Closed => return,
        };
        if core::mem::take(&mut self.cx.ping_wanted) {
            link.ping_soon(self.cx.now.at);
        }
        match link.pulse(&self.cx.config, self.cx.now) {
            Pulse::Steady => {}
            Pulse::Ping(echo) => {
                for subscription in self.subscriptions.values_mut() {
                    subscription.mark_ping(self.cx.now);
                }
                self.cx.effect(Effect::Send(connection, client::ping(echo)));
            }
            Pulse::Dead => {
                self.cx.log(Level::Warn, "dead_link", Facts::default());
                self.drop_socket(close::DEAD_LINK);
            }
        }
    }

    pub(super) fn announce_connection(&mut self) {
        let now = self.cx.now.at;
        let (code, retry_in_ms) = match &self.connection {
            Connection::Failed(code) => (Some(*code), None),
            Connection::Waiting { until } => (None, Some(until.since(now))),
            Connection::Idle
            | Connection::AskingToken { .. }
            | Connection::Opening { .. }
            | Connection::Negotiating { .. }
            | Connection::Open { .. }
            | Connection::Closed => (None, None),
        };
        let (state, attempt) = (self.connection.as_str(), self.attempts.failures);
        self.cx.notify(Notice::ConnectionChange { state, code, attempt, retry_in_ms });
    }
}
