//! The connection: waiting, tokens, opening, negotiating, heartbeats, closing.
//!
//! Only this module changes the state. It queues effects for the driver, and returns a
//! [`ConnectionEvent`] when campaigns must react.

mod attempts;
pub mod close;
mod credentials;
mod handshake;
pub mod keepalive;
pub mod state;

use attempts::{Attempts, Loss};
use keepalive::{Heartbeat, Keepalive};
pub use state::{ConnectionState, FirstDocuments, Step};

use super::config::{OPEN_TIMEOUT_MS, STABLE_LINK_MS, TOKEN_TIMEOUT_MS};
use super::context::Context;
use super::effect::Effect;
use super::input::{ConnectionId, Wake};
use super::log::Level;
use super::notice::Detail;
use super::time::{Now, Timestamp};
use crate::protocol::{Code, client};

/// A change of the connection that campaigns must react to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "campaigns have to react"]
pub enum ConnectionEvent {
    /// The server acknowledged. The change is announced after the campaigns have reacted.
    Opened,
    /// The socket is lost; another attempt follows.
    Lost,
    /// The socket is lost or was never open, and no attempt follows, for this reason: the client gave up, or
    /// the application closed it. The change is announced after the campaigns have reacted.
    Ended(Code),
    /// A ping was sent.
    PingSent,
}

/// The connection.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    state: ConnectionState,
    attempts: Attempts,
    /// Why the last attempt failed; `None` while a connection is open or nothing is known.
    problem: Option<Code>,
    /// The code with which the last socket closed that the client did not close itself.
    last_close_code: Option<u16>,
    /// The last socket: they are numbered from 1.
    socket: ConnectionId,
}

impl Connection {
    /// The current state.
    pub const fn state(&self) -> &ConnectionState {
        &self.state
    }

    /// The socket whose callbacks count, if there is one.
    pub fn socket(&self) -> Option<ConnectionId> {
        self.state.has_socket().then_some(self.socket)
    }

    /// The socket that is open and acknowledged, if there is one.
    pub fn open_socket(&self) -> Option<ConnectionId> {
        matches!(self.state, ConnectionState::Open(_)).then_some(self.socket)
    }

    /// Why no attempt follows, unless the application requests one; `None` if one follows or none was
    /// requested.
    pub const fn terminal(&self) -> Option<Code> {
        match self.state {
            ConnectionState::Failed(code) => Some(code),
            ConnectionState::Closed => Some(Code::Closed),
            ConnectionState::Idle
            | ConnectionState::Attempting { .. }
            | ConnectionState::Open(_) => None,
        }
    }

    /// Returns whether the server has yet to acknowledge; `None` if documents of that socket do not
    /// count.
    pub fn is_negotiating(&self, socket: ConnectionId) -> Option<bool> {
        let negotiating = match &self.state {
            ConnectionState::Attempting { step: Step::Negotiating { .. }, .. } => true,
            ConnectionState::Open(_) => false,
            ConnectionState::Idle
            | ConnectionState::Attempting { .. }
            | ConnectionState::Failed(_)
            | ConnectionState::Closed => return None,
        };
        (socket == self.socket).then_some(negotiating)
    }

    /// The number of connections in a row that failed or did not last.
    pub const fn failures(&self) -> u32 {
        self.attempts.failures()
    }

    /// The time of the next action.
    pub fn deadline(&self) -> Timestamp {
        match &self.state {
            ConnectionState::Attempting { deadline, .. } => *deadline,
            ConnectionState::Open(keepalive) => keepalive.deadline(),
            ConnectionState::Idle | ConnectionState::Failed(_) | ConnectionState::Closed => {
                Timestamp::NEVER
            }
        }
    }

    /// Handles the application's request for a connection: the next attempt starts now, unless the server
    /// requested a pause or an attempt has just begun.
    pub fn connect(&mut self, cx: &mut Context) {
        let soonest = self.attempts.soonest(cx);
        match &self.state {
            ConnectionState::Idle | ConnectionState::Failed(_) => {
                self.attempts.restart();
                self.problem = None;
                self.wait_until(cx, soonest);
            }
            ConnectionState::Attempting { step: Step::Waiting, deadline }
                if soonest < *deadline =>
            {
                self.wait_until(cx, soonest);
            }
            ConnectionState::Attempting { .. }
            | ConnectionState::Open(_)
            | ConnectionState::Closed => {}
        }
    }

    /// Handles the application's request to have no connection for now. The campaigns stay.
    pub fn pause(&mut self, cx: &mut Context) -> Option<ConnectionEvent> {
        if !self.state.is_wanted() {
            return None;
        }
        self.close_socket(cx, close::NORMAL);
        cx.socket = None;
        cx.metrics.disconnects += u64::from(self.state.opened().is_some());
        self.state = ConnectionState::Idle;
        self.problem = None;
        self.announce(cx);
        Some(ConnectionEvent::Lost)
    }

    /// Handles the end of the session: no connection until the application requests one, also after the
    /// client gave up.
    pub fn reset(&mut self, cx: &mut Context) -> Option<ConnectionEvent> {
        if matches!(self.state, ConnectionState::Failed(_)) {
            self.state = ConnectionState::Idle;
            self.problem = None;
            self.announce(cx);
        }
        self.pause(cx)
    }

    /// Closes the connection permanently, because the application requested it.
    pub fn close(&mut self, cx: &mut Context) -> ConnectionEvent {
        self.close_socket(cx, close::NORMAL);
        cx.socket = None;
        self.state = ConnectionState::Closed;
        ConnectionEvent::Ended(Code::Closed)
    }

    /// Opens a socket. If the application provides tokens, requests a token first.
    fn begin_attempt(&mut self, cx: &mut Context) {
        self.attempts.begin(cx);
        if cx.config.has_token {
            let ticket = cx.ticket();
            let deadline = cx.now.at + TOKEN_TIMEOUT_MS;
            self.attempt(Step::RequestingToken(ticket), deadline);
            cx.effect(Effect::RequestToken(ticket));
        } else {
            self.open_socket_with(cx, None);
        }
        self.announce(cx);
    }

    fn open_socket_with(&mut self, cx: &mut Context, token: Option<String>) {
        self.socket.0 += 1;
        self.attempt(Step::Opening { token }, cx.now.at + OPEN_TIMEOUT_MS);
        cx.effect(Effect::Open(self.socket));
    }

    /// Handles an opened socket: sends `connection_init`, with the token.
    pub fn on_opened(&mut self, cx: &mut Context) {
        let ConnectionState::Attempting { step: Step::Opening { token }, .. } = &self.state else {
            return;
        };
        let init = cx.encryption.connection_init(token.as_deref());
        cx.effect(Effect::Send(self.socket, init));
        cx.metrics.connects += 1;
        let (opened, documents) = (cx.now.at, FirstDocuments::Expected);
        let deadline = opened + self.attempts.negotiation_ms();
        self.attempt(Step::Negotiating { opened, documents }, deadline);
    }

    /// Handles a damaged or foreign document before the acknowledgement. It proves nothing about the
    /// server, so the client continues to wait.
    pub const fn on_unexpected_document(&mut self) {
        if let ConnectionState::Attempting { step: Step::Negotiating { documents, .. }, .. } =
            &mut self.state
        {
            *documents = FirstDocuments::Unexpected;
        }
    }

    /// Handles the acknowledgement of this protocol.
    pub fn on_acknowledged(&mut self, cx: &mut Context) -> Option<ConnectionEvent> {
        let ConnectionState::Attempting { step: Step::Negotiating { opened, .. }, .. } = self.state
        else {
            return None;
        };
        self.state = ConnectionState::Open(Keepalive::new(opened, cx.now.at));
        cx.socket = Some(self.socket);
        self.attempts.on_acknowledged();
        self.problem = None;
        Some(ConnectionEvent::Opened)
    }

    /// Handles the acknowledgement of another protocol of this family. After an acknowledgement a
    /// connection keeps its protocol until the socket closes.
    pub fn on_other_protocol(&mut self, cx: &mut Context, code: Code) -> Option<ConnectionEvent> {
        self.is_unacknowledged()
            .then(|| self.drop_socket(cx, close::NORMAL, Loss::OtherProtocol(code)))
    }

    /// Drops a socket whose server contradicts itself.
    pub fn on_contradiction(&mut self, cx: &mut Context) -> ConnectionEvent {
        self.drop_socket(cx, close::NORMAL, Loss::Closed)
    }

    /// Handles a socket that closed or could not be opened.
    pub fn on_closed(&mut self, cx: &mut Context, code: u16) -> ConnectionEvent {
        self.last_close_code = Some(code);
        let negotiating = self.is_unacknowledged();
        let loss = match code {
            close::UNAUTHORIZED => Loss::Refused(Code::Unauthorized),
            close::FORBIDDEN => Loss::Refused(Code::Forbidden),
            close::UNSUPPORTED if negotiating => Loss::OtherProtocol(Code::UnsupportedProtocol),
            _ if negotiating => Loss::Interrupted,
            _ => Loss::Closed,
        };
        self.on_lost(cx, code, loss)
    }

    fn on_lost(&mut self, cx: &mut Context, code: u16, loss: Loss) -> ConnectionEvent {
        cx.socket = None;
        cx.metrics.disconnects += 1;
        cx.log(Level::Info, "disconnected", None, Some(code.into()));
        let now = cx.now.at;
        if self.state.opened().is_some_and(|opened| now.since(opened) >= STABLE_LINK_MS) {
            self.attempts.on_stable();
        }
        if let Some(code) = self.attempts.on_lost(&cx.config, loss) {
            return self.fail(cx, code);
        }
        self.problem = loss.code();
        if self.problem == Some(Code::Unauthorized) && cx.config.has_renewal {
            self.renew_session(cx);
        } else {
            self.wait_for_next_attempt(cx);
        }
        ConnectionEvent::Lost
    }

    /// Whether a socket is open that the server has not acknowledged yet.
    const fn is_unacknowledged(&self) -> bool {
        matches!(self.state, ConnectionState::Attempting { step: Step::Negotiating { .. }, .. })
    }

    /// Proceeds to a step of an attempt.
    fn attempt(&mut self, step: Step, deadline: Timestamp) {
        self.state = ConnectionState::Attempting { step, deadline };
    }

    fn wait_because(&mut self, cx: &mut Context, code: Code) {
        self.problem = Some(code);
        self.wait_for_next_attempt(cx);
    }

    /// Schedules the next attempt.
    fn wait_for_next_attempt(&mut self, cx: &mut Context) {
        let until = self.attempts.next(cx);
        self.attempt(Step::Waiting, until);
        self.announce(cx);
    }

    /// Starts the next attempt at that time, which may be now.
    fn wait_until(&mut self, cx: &mut Context, until: Timestamp) {
        self.attempt(Step::Waiting, until);
        if until > cx.now.at {
            self.announce(cx);
        } else {
            self.begin_attempt(cx);
        }
    }

    /// Gives up. The socket, if there was one, is closed already.
    fn fail(&mut self, cx: &mut Context, code: Code) -> ConnectionEvent {
        self.state = ConnectionState::Failed(code);
        cx.log(Level::Error, "gave_up", Some(code.as_str()), None);
        ConnectionEvent::Ended(code)
    }

    fn close_socket(&self, cx: &mut Context, code: u16) {
        if let Some(connection) = self.socket() {
            cx.effect(Effect::CloseSocket(connection, code));
        }
    }

    /// Drops a socket that is open or opening, as if it had closed.
    fn drop_socket(&mut self, cx: &mut Context, code: u16, loss: Loss) -> ConnectionEvent {
        self.close_socket(cx, code);
        self.on_lost(cx, close::ABNORMAL, loss)
    }

    /// Handles `server_draining`: no attempt starts before the requested pause has passed, and jitter
    /// spreads the attempts of many clients.
    pub fn on_draining(&mut self, cx: &mut Context, retry_after_ms: u64) {
        self.attempts.on_draining(cx.retry_at(retry_after_ms));
    }

    /// Handles a wake: time may have passed unnoticed. An open socket must show that it is alive, and a
    /// waiting attempt starts soon. An unacknowledged socket is not probed, because no ping is sent
    /// before the acknowledgement.
    pub fn on_wake(&mut self, cx: &mut Context, wake: Wake) {
        if wake == Wake::Timer {
            return;
        }
        let now = cx.now.at;
        match &mut self.state {
            ConnectionState::Open(keepalive) => keepalive.probe(now),
            ConnectionState::Attempting { step: Step::Waiting, deadline } => {
                *deadline = (*deadline).min(self.attempts.after_wake(cx));
            }
            ConnectionState::Idle
            | ConnectionState::Attempting { .. }
            | ConnectionState::Failed(_)
            | ConnectionState::Closed => {}
        }
    }

    /// Records a frame. Returns whether its socket counts.
    pub fn on_received(&mut self, now: Timestamp, socket: ConnectionId) -> bool {
        let counts = self.is_negotiating(socket).is_some();
        if let ConnectionState::Open(keepalive) = &mut self.state
            && counts
        {
            keepalive.note_received(now);
        }
        counts
    }

    /// Handles a pong that echoes this number. Returns when its ping was sent.
    pub fn on_pong(&mut self, echo: u64) -> Option<Now> {
        let ConnectionState::Open(keepalive) = &mut self.state else { return None };
        keepalive.answered(echo)
    }

    /// Makes a ping due now, so that freshness is proven before the next heartbeat.
    pub const fn ping_soon(&mut self, now: Timestamp) {
        if let ConnectionState::Open(keepalive) = &mut self.state {
            keepalive.ping_soon(now);
        }
    }

    /// Runs everything whose deadline has passed.
    pub fn on_time(&mut self, cx: &mut Context) -> Option<ConnectionEvent> {
        let now = cx.now.at;
        match &self.state {
            ConnectionState::Attempting { step, deadline } if *deadline <= now => match step {
                Step::Waiting => self.begin_attempt(cx),
                Step::RequestingToken(_) | Step::RenewingSession(_) => {
                    self.wait_because(cx, Code::TokenTimeout);
                }
                Step::Opening { .. } => {
                    return Some(self.drop_socket(cx, close::NORMAL, Loss::NotOpened));
                }
                // A server that does not acknowledge may be overloaded. The next attempt may succeed.
                Step::Negotiating { documents, .. } => {
                    let code = match documents {
                        FirstDocuments::Expected => Code::AckTimeout,
                        FirstDocuments::Unexpected => Code::UnexpectedDocument,
                    };
                    return Some(self.drop_socket(cx, close::NORMAL, Loss::Unanswered(code)));
                }
            },
            ConnectionState::Open(_) => return self.poll_heartbeat(cx),
            ConnectionState::Idle
            | ConnectionState::Attempting { .. }
            | ConnectionState::Failed(_)
            | ConnectionState::Closed => {}
        }
        None
    }

    /// Sends a ping if one is due, or drops the socket if it is dead.
    pub fn poll_heartbeat(&mut self, cx: &mut Context) -> Option<ConnectionEvent> {
        let ConnectionState::Open(keepalive) = &mut self.state else { return None };
        match keepalive.poll_heartbeat(&cx.config, cx.now) {
            Heartbeat::Idle => None,
            Heartbeat::Ping(echo) => {
                cx.effect(Effect::Send(self.socket, client::ping(echo)));
                Some(ConnectionEvent::PingSent)
            }
            Heartbeat::Dead => {
                cx.log(Level::Warn, "dead_link", None, None);
                Some(self.drop_socket(cx, close::DEAD_LINK, Loss::Closed))
            }
        }
    }

    /// Notifies listeners of the state.
    pub fn announce(&self, cx: &mut Context) {
        let (code, retry_in_ms) = match &self.state {
            ConnectionState::Failed(code) => (Some(*code), None),
            ConnectionState::Attempting { step: Step::Waiting, deadline } => {
                (self.problem, Some(deadline.since(cx.now.at)))
            }
            ConnectionState::Idle
            | ConnectionState::Attempting { .. }
            | ConnectionState::Open(_)
            | ConnectionState::Closed => (self.problem, None),
        };
        let change = Detail::ConnectionChange {
            state: self.state.as_str(),
            code,
            attempt: self.failures(),
            retry_in_ms,
            last_close_code: self.last_close_code,
        };
        cx.notify(None, change);
    }
}
