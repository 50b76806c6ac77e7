//! The connection: waiting, tokens, opening, negotiating, heartbeats, closing.
//!
//! Only this module changes the state. It queues effects for the driver, and returns a
//! [`ConnectionEvent`] when campaigns must react.

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

/// Close codes of docs/PROTOCOL.md, chapter 14, and the two codes that browsers let a page send.
pub mod close {
    /// Normal closure.
    pub const NORMAL: u16 = 1000;
    /// The code that a browser reports when a connection dies without a close frame.
    pub const ABNORMAL: u16 = 1006;
    /// The session is missing, wrong or expired.
    pub const UNAUTHORIZED: u16 = 4401;
    /// The session may not do this.
    pub const FORBIDDEN: u16 = 4403;
    /// The client received nothing for too long and drops the socket.
    pub const DEAD_LINK: u16 = 4000;
}

/// A change of the connection that campaigns must react to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "campaigns have to react"]
pub enum ConnectionEvent {
    /// The server acknowledged. The change is announced after the campaigns have reacted.
    Opened,
    /// The socket is lost; another attempt follows.
    Lost,
    /// The socket is lost or was never open, and no attempt follows. The change is announced after the
    /// campaigns have reacted.
    GaveUp(Code),
    /// The application closed the client permanently. The change is announced after the campaigns have
    /// reacted.
    Closed,
    /// A ping was sent at that time.
    PingSent(Now),
}

/// The connection and its failure counts.
#[derive(Clone, Debug)]
pub struct Connection {
    state: ConnectionState,
    /// The number of connections in a row that failed or did not last.
    failures: u32,
    /// The number of sessions in a row that were refused.
    refused: u32,
    /// The server requested no attempt before this time.
    not_before: Timestamp,
    /// The number of sockets opened so far.
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
    /// The current state.
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

    /// Returns whether the server has yet to acknowledge; `None` if documents of that socket do not
    /// count.
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

    /// The number of connections in a row that failed or did not last.
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// The time of the next action, if there is one.
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

    /// Handles the application's request for a connection.
    pub fn connect(&mut self, cx: &mut Context) {
        if self.state.is_wanted() || matches!(self.state, ConnectionState::Closed) {
            return;
        }
        (self.failures, self.refused, self.not_before) = (0, 0, Timestamp::default());
        self.begin_attempt(cx);
    }

    /// Closes the connection permanently, because the application requested it.
    pub fn close(&mut self, cx: &mut Context) -> ConnectionEvent {
        self.close_socket(cx, close::NORMAL);
        self.state = ConnectionState::Closed;
        ConnectionEvent::Closed
    }

    /// Opens a socket. If the application provides tokens, requests a token first.
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

    /// Handles the answer of the token provider. Returns whether the answer was awaited.
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

    /// Handles an opened socket: sends `connection_init`, which `init` makes from the token.
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

    /// Handles the acknowledgement of this protocol.
    pub fn on_acknowledged(&mut self) -> Option<ConnectionEvent> {
        let ConnectionState::Negotiating { connection, keepalive, .. } = &self.state else {
            return None;
        };
        let (connection, keepalive) = (*connection, keepalive.clone());
        self.state = ConnectionState::Open { connection, keepalive };
        self.refused = 0;
        Some(ConnectionEvent::Opened)
    }

    /// Handles the acknowledgement of another protocol. The client gives up, because another attempt
    /// would not help. After an acknowledgement a connection keeps its protocol until the socket
    /// closes.
    pub fn on_other_protocol(&mut self, cx: &mut Context, code: Code) -> Option<ConnectionEvent> {
        let negotiating = matches!(self.state, ConnectionState::Negotiating { .. });
        negotiating.then(|| self.give_up(cx, code))
    }

    /// Handles a socket that closed or could not be opened.
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

    /// Schedules the next attempt. The delay has full jitter, the first retry included, and respects
    /// the pause that the server requested.
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

    /// Handles `session_expired`: reconnects with a fresh token, if the application provides tokens.
    pub fn on_session_expired(&mut self, cx: &mut Context) -> Option<ConnectionEvent> {
        if !cx.config.has_token || self.state.socket().is_none() {
            return None;
        }
        self.close_socket(cx, close::NORMAL);
        Some(self.on_closed(cx, close::UNAUTHORIZED))
    }

    /// Handles `server_draining`: no attempt starts before the requested pause has passed, and jitter
    /// spreads the attempts of many clients.
    pub fn on_draining(&mut self, cx: &mut Context, retry_after_ms: u64) {
        self.not_before = cx.retry_at(retry_after_ms);
    }

    /// Handles a wake: time may have passed unnoticed. An open socket must show that it is alive, and a
    /// waiting attempt starts soon. An unacknowledged socket is not probed, because no ping is sent
    /// before the acknowledgement.
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

    /// Records a frame. Returns whether its socket counts.
    pub fn on_received(&mut self, now: Timestamp, socket: ConnectionId) -> bool {
        let counts = self.state.socket() == Some(socket);
        let keepalive = self.state.keepalive_mut().filter(|_| counts);
        keepalive.map(|it| it.note_received(now)).is_some()
    }

    /// Handles a pong that echoes this number. Returns when its ping was sent.
    pub fn on_pong(&mut self, echo: u64) -> Option<Now> {
        self.state.keepalive_mut()?.answered(echo)
    }

    /// Makes a ping due now, so that freshness is proven before the next heartbeat.
    pub const fn ping_soon(&mut self, now: Timestamp) {
        if let ConnectionState::Open { keepalive, .. } = &mut self.state {
            keepalive.ping_soon(now);
        }
    }

    /// Runs everything whose deadline has passed.
    pub fn on_time(&mut self, cx: &mut Context) -> Option<ConnectionEvent> {
        let now = cx.now.at;
        match &self.state {
            ConnectionState::Waiting { until } if *until <= now => self.begin_attempt(cx),
            ConnectionState::AskingToken { deadline, .. } if *deadline <= now => {
                self.wait_for_next_attempt(cx);
            }
            // A server that does not acknowledge may be overloaded. The next attempt may succeed.
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

    /// Sends a ping if one is due, or drops the socket if it is dead.
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
