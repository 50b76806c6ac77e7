//! The connection: waiting, tokens, opening, negotiating, heartbeats, closing.
//!
//! This module alone assigns the state. It queues effects for the driver, and returns a
//! [`ConnectionEvent`] where campaigns have to react.

pub mod keepalive;
pub mod state;

use keepalive::{Heartbeat, Keepalive};
pub use state::ConnectionState;

use super::backoff::full_jitter_ms;
use super::config::Config;
use super::context::Context;
use super::effect::Effect;
use super::input::{ConnectionId, Ticket, Wake};
use super::log::{Level, LogFields};
use super::notice::Notice;
use super::time::{Now, Timestamp};
use crate::protocol::{Code, client};

/// Close codes of the contract, and the two that browsers let a page send.
pub mod close {
    /// Done.
    pub const NORMAL: u16 = 1000;
    /// What a browser reports when a connection dies without a word.
    pub const ABNORMAL: u16 = 1006;
    /// The session is missing, wrong or expired.
    pub const UNAUTHORIZED: u16 = 4401;
    /// The session may not do this.
    pub const FORBIDDEN: u16 = 4403;
    /// Nothing was heard, and the socket was given up.
    pub const DEAD_LINK: u16 = 4000;
}

/// What happened to the connection that campaigns have to react to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "campaigns have to react"]
pub enum ConnectionEvent {
    /// The server acknowledged. It is announced once the campaigns have reacted.
    Opened,
    /// The socket is lost; another attempt follows.
    Lost,
    /// The socket is lost, or there was none, and no attempt follows. It is announced once the campaigns
    /// have reacted.
    GaveUp(Code),
    /// The application closed the client for good. It is announced once the campaigns have reacted.
    Closed,
    /// A ping was sent at that time.
    PingSent(Now),
}

/// The connection, and what went wrong with it so far.
#[derive(Clone, Debug)]
pub struct Connection {
    state: ConnectionState,
    /// Connections that failed or did not last, in a row.
    failures: u32,
    /// Sessions refused in a row.
    refused: u32,
    /// The server asked to stay away until then.
    not_before: Timestamp,
    /// Sockets opened so far.
    sockets: u64,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            state: ConnectionState::Idle,
            failures: 0,
            refused: 0,
            not_before: Timestamp::default(),
            sockets: 0,
        }
    }
}

impl Connection {
    /// Where it is.
    pub const fn state(&self) -> &ConnectionState {
        &self.state
    }

    /// The socket that is open and acknowledged, if there is one.
    pub const fn open_socket(&self) -> Option<ConnectionId> {
        match &self.state {
            ConnectionState::Open { connection, .. } => Some(*connection),
            ConnectionState::Idle
            | ConnectionState::Waiting { .. }
            | ConnectionState::AskingToken { .. }
            | ConnectionState::Opening { .. }
            | ConnectionState::Negotiating { .. }
            | ConnectionState::Failed(_)
            | ConnectionState::Closed => None,
        }
    }

    /// Whether documents of that socket count, and whether the server has yet to acknowledge.
    pub fn is_negotiating(&self, socket: ConnectionId) -> Option<bool> {
        match &self.state {
            ConnectionState::Negotiating { connection, .. } if *connection == socket => Some(true),
            ConnectionState::Open { connection, .. } if *connection == socket => Some(false),
            ConnectionState::Idle
            | ConnectionState::Waiting { .. }
            | ConnectionState::AskingToken { .. }
            | ConnectionState::Opening { .. }
            | ConnectionState::Negotiating { .. }
            | ConnectionState::Open { .. }
            | ConnectionState::Failed(_)
            | ConnectionState::Closed => None,
        }
    }

    /// Connections that failed or did not last, in a row.
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// When something is due.
    pub fn deadline(&self, config: &Config) -> Option<Timestamp> {
        match &self.state {
            ConnectionState::Waiting { until } => Some(*until),
            ConnectionState::AskingToken { deadline, .. }
            | ConnectionState::Opening { deadline, .. }
            | ConnectionState::Negotiating { deadline, .. } => Some(*deadline),
            ConnectionState::Open { keepalive, .. } => Some(keepalive.deadline(config)),
            ConnectionState::Idle | ConnectionState::Failed(_) | ConnectionState::Closed => None,
        }
    }

    /// The application wants a connection.
    pub fn connect(&mut self, cx: &mut Context) {
        if self.state.is_wanted() || matches!(self.state, ConnectionState::Closed) {
            return;
        }
        (self.failures, self.refused, self.not_before) = (0, 0, Timestamp::default());
        self.begin_attempt(cx);
    }

    /// The application is done for good.
    pub fn close(&mut self, cx: &mut Context) -> ConnectionEvent {
        self.close_socket(cx, close::NORMAL);
        self.state = ConnectionState::Closed;
        ConnectionEvent::Closed
    }

    /// Opens a socket, asking for a token first where the application gives one.
    fn begin_attempt(&mut self, cx: &mut Context) {
        if cx.config.has_token {
            let ticket = cx.ticket();
            let deadline = cx.now.at + cx.config.open_timeout_ms;
            self.state = ConnectionState::AskingToken { ticket, deadline };
            cx.effect(Effect::RequestToken(ticket));
        } else {
            self.open_socket_with(cx, None);
        }
        self.announce(cx);
    }

    fn open_socket_with(&mut self, cx: &mut Context, token: Option<String>) {
        self.sockets += 1;
        let connection = ConnectionId(self.sockets);
        let deadline = cx.now.at + cx.config.open_timeout_ms;
        self.state = ConnectionState::Opening { connection, token, deadline };
        cx.effect(Effect::Open(connection));
    }

    /// The token provider answered. Returns whether an answer was awaited.
    pub fn on_token(&mut self, cx: &mut Context, answered: Ticket, token: Option<String>) -> bool {
        let ConnectionState::AskingToken { ticket, .. } = self.state else { return false };
        if ticket != answered {
            return false;
        }
        match token {
            Some(token) => self.open_socket_with(cx, Some(token)),
            None => self.wait_for_next_attempt(cx),
        }
        true
    }

    /// The socket is open: sends `connection_init`, made from the token.
    pub fn on_opened(
        &mut self,
        cx: &mut Context,
        init: impl FnOnce(Option<&str>) -> Result<String, Code>,
    ) -> Option<ConnectionEvent> {
        let ConnectionState::Opening { connection, token, .. } = &mut self.state else {
            return None;
        };
        let (connection, token) = (*connection, token.take());
        match init(token.as_deref()) {
            Ok(init) => cx.effect(Effect::Send(connection, init)),
            Err(code) => return Some(self.give_up(cx, code)),
        }
        cx.metrics.connects += 1;
        let keepalive = Keepalive::new(cx.now.at);
        let deadline = cx.now.at + cx.config.negotiation_ms;
        self.state = ConnectionState::Negotiating { connection, keepalive, deadline };
        None
    }

    /// The server acknowledged that it speaks this protocol.
    pub fn on_acknowledged(&mut self) -> Option<ConnectionEvent> {
        let ConnectionState::Negotiating { connection, keepalive, .. } = &self.state else {
            return None;
        };
        let (connection, keepalive) = (*connection, keepalive.clone());
        self.state = ConnectionState::Open { connection, keepalive };
        self.refused = 0;
        Some(ConnectionEvent::Opened)
    }

    /// The server acknowledged another protocol: trying again would not help. Once acknowledged, a
    /// connection keeps its protocol until the socket closes.
    pub fn on_other_protocol(&mut self, cx: &mut Context, code: Code) -> Option<ConnectionEvent> {
        let negotiating = matches!(self.state, ConnectionState::Negotiating { .. });
        negotiating.then(|| self.give_up(cx, code))
    }

    /// The socket closed, or could not be opened.
    pub fn on_closed(&mut self, cx: &mut Context, code: u16) -> ConnectionEvent {
        cx.metrics.disconnects += 1;
        let fields = LogFields { value: Some(code.into()), ..LogFields::default() };
        cx.log(Level::Info, "disconnected", fields);
        let (now, stable) = (cx.now.at, cx.config.stable_link_ms);
        let lasted = |it: &mut Keepalive| now.since(it.opened) >= stable;
        if self.state.keepalive_mut().is_some_and(lasted) {
            self.failures = 0;
        }
        let refusal = match code {
            close::UNAUTHORIZED => Some(Code::Unauthorized),
            close::FORBIDDEN => Some(Code::Forbidden),
            _ => None,
        };
        if let Some(refusal) = refusal {
            self.refused += 1;
            if self.refused >= cx.config.auth_attempts_max || !cx.config.has_token {
                return self.give_up(cx, refusal);
            }
        }
        self.wait_for_next_attempt(cx);
        ConnectionEvent::Lost
    }

    /// Full jitter, the first retry included; never before the server asked us to come back.
    fn wait_for_next_attempt(&mut self, cx: &mut Context) {
        let (base, max) = (cx.config.backoff_base_ms, cx.config.backoff_max_ms);
        let delay = full_jitter_ms(&mut cx.rng, base, max, self.failures);
        self.failures = self.failures.saturating_add(1);
        let until = (cx.now.at + delay).max(self.not_before);
        self.state = ConnectionState::Waiting { until };
        self.announce(cx);
    }

    fn give_up(&mut self, cx: &mut Context, code: Code) -> ConnectionEvent {
        self.close_socket(cx, close::NORMAL);
        self.state = ConnectionState::Failed(code);
        let fields = LogFields { detail: Some(code.as_str()), ..LogFields::default() };
        cx.log(Level::Error, "gave_up", fields);
        ConnectionEvent::GaveUp(code)
    }

    fn close_socket(&self, cx: &mut Context, code: u16) {
        if let Some(connection) = self.state.socket() {
            cx.effect(Effect::CloseSocket(connection, code));
        }
    }

    /// Drops a socket that is open or opening, as if it had closed.
    fn drop_socket(&mut self, cx: &mut Context, code: u16) -> ConnectionEvent {
        self.close_socket(cx, code);
        self.on_closed(cx, close::ABNORMAL)
    }

    /// `session_expired`: comes back with a fresh token, if there can be one.
    pub fn on_session_expired(&mut self, cx: &mut Context) -> Option<ConnectionEvent> {
        if !cx.config.has_token || self.state.socket().is_none() {
            return None;
        }
        self.close_socket(cx, close::NORMAL);
        Some(self.on_closed(cx, close::UNAUTHORIZED))
    }

    /// `server_draining`: does not come back before that, and not all at once.
    pub fn on_draining(&mut self, cx: &mut Context, retry_after_ms: u64) {
        self.not_before = cx.retry_at(retry_after_ms);
    }

    /// Time may have passed unnoticed: an open socket must prove that it lives, a waiting one is tried
    /// soon. Before the acknowledgement no ping is sent, so none can be missed.
    pub fn on_wake(&mut self, cx: &mut Context, wake: Wake) {
        if wake == Wake::Timer {
            return;
        }
        let now = cx.now.at;
        if let ConnectionState::Open { keepalive, .. } = &mut self.state {
            keepalive.probe(&cx.config, now);
        }
        if let ConnectionState::Waiting { until } = &mut self.state {
            let soon = now + cx.rng.up_to(cx.config.backoff_base_ms);
            *until = (*until).min(soon.max(self.not_before));
        }
    }

    /// A frame arrived. Returns whether its socket counts.
    pub fn on_received(&mut self, now: Timestamp, socket: ConnectionId) -> bool {
        let counts = self.state.socket() == Some(socket);
        let keepalive = self.state.keepalive_mut().filter(|_| counts);
        keepalive.map(|it| it.note_received(now)).is_some()
    }

    /// A pong echoed this number: returns when its ping was sent.
    pub fn on_pong(&mut self, echo: u64) -> Option<Now> {
        self.state.keepalive_mut()?.answered(echo)
    }

    /// A proof of freshness is wanted sooner than the next heartbeat.
    pub const fn ping_soon(&mut self, now: Timestamp) {
        if let ConnectionState::Open { keepalive, .. } = &mut self.state {
            keepalive.ping_soon(now);
        }
    }

    /// Acts on deadlines that have passed.
    pub fn on_time(&mut self, cx: &mut Context) -> Option<ConnectionEvent> {
        let now = cx.now.at;
        match &self.state {
            ConnectionState::Waiting { until } if *until <= now => self.begin_attempt(cx),
            ConnectionState::AskingToken { deadline, .. } if *deadline <= now => {
                self.wait_for_next_attempt(cx);
            }
            // A server that does not acknowledge may be overloaded: the next attempt may fare better.
            ConnectionState::Opening { deadline, .. }
            | ConnectionState::Negotiating { deadline, .. }
                if *deadline <= now =>
            {
                return Some(self.drop_socket(cx, close::NORMAL));
            }
            ConnectionState::Open { .. } => return self.poll_heartbeat(cx),
            ConnectionState::Idle
            | ConnectionState::Waiting { .. }
            | ConnectionState::AskingToken { .. }
            | ConnectionState::Opening { .. }
            | ConnectionState::Negotiating { .. }
            | ConnectionState::Failed(_)
            | ConnectionState::Closed => {}
        }
        None
    }

    /// Sends the ping that is due, or drops a dead socket.
    pub fn poll_heartbeat(&mut self, cx: &mut Context) -> Option<ConnectionEvent> {
        let ConnectionState::Open { connection, keepalive } = &mut self.state else { return None };
        match keepalive.poll_heartbeat(&cx.config, cx.now) {
            Heartbeat::Idle => None,
            Heartbeat::Ping(echo) => {
                cx.effect(Effect::Send(*connection, client::ping(echo)));
                Some(ConnectionEvent::PingSent(cx.now))
            }
            Heartbeat::Dead => {
                cx.log(Level::Warn, "dead_link", LogFields::default());
                Some(self.drop_socket(cx, close::DEAD_LINK))
            }
        }
    }

    /// Notifies listeners of the state.
    pub fn announce(&self, cx: &mut Context) {
        let (code, retry_in_ms) = match &self.state {
            ConnectionState::Failed(code) => (Some(*code), None),
            ConnectionState::Waiting { until } => (None, Some(until.since(cx.now.at))),
            ConnectionState::Idle
            | ConnectionState::AskingToken { .. }
            | ConnectionState::Opening { .. }
            | ConnectionState::Negotiating { .. }
            | ConnectionState::Open { .. }
            | ConnectionState::Closed => (None, None),
        };
        let (state, attempt) = (self.state.as_str(), self.failures);
        cx.notify(Notice::ConnectionChange { state, code, attempt, retry_in_ms });
    }
}
