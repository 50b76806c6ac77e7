//! One connection, without its socket: what clients say goes in, frames come out.
//!
//! A session knows no socket and no clock. Its driver gives it what was received and the time, and
//! pulls the next frame whenever the socket can take one: so there is no queue of frames to overflow,
//! a slow reader merely reads the log later, and blocks nobody.
//!
//! # Policy for bad clients
//! * a message over 64 KiB: close 1009;
//! * a malformed message (not JSON, wrong types, invalid campaign id, anything before
//!   `connection_init`): a coded `error`; the tenth closes with 4400;
//! * a client that offers another protocol of this family only: the acknowledgement of ours, close
//!   4400;
//! * an unknown type: `error` `unknown_type`, never counted, for later clients may know more;
//! * a wrong or missing token or cookie: `error` `unauthorized`, close 4401;
//! * one that other servers of the log may know, who cannot be reached: `error` `internal`, close 1011;
//! * a session that expires or is revoked: `session_expired`, close 4401;
//! * a campaign of somebody else: as if there were none; one that was given away meanwhile:
//!   `subscription_ended`, reason `revoked`;
//! * more than 64 connections of one session: `error` `too_many`, close 4429;
//! * no `connection_init` within 10 s: close 4408;
//! * more than 256 subscriptions: `error` `too_many`;
//! * more recovery requests and questions about the state than 10 a second per campaign, or 100 a
//!   second per session, whichever of its sockets they come by: `error` `rate_limited` with
//!   `retryAfterMs`;
//! * more than 200 messages a second, or 1,024 requests waiting for their answer: close 4429;
//! * no frame for 30 s, not even the answer to a WebSocket ping: close 4408.

mod answer;
mod context;
mod cursor;
mod greeting;
pub mod limits;
pub mod message;
pub mod reply;
mod requests;
mod timing;

use std::collections::VecDeque;
use std::sync::Arc;

use campaign_sync::protocol::Code;
use campaign_sync::protocol::digest::id_hash;
use tokio::sync::Notify;

use crate::access::{Identity, Secret};
use crate::clock::Moment;
use crate::log::LogError;
use crate::metrics::Metrics;
use context::At;
pub use context::{Context, Frame, Step};
use cursor::Cursor;
use limits::Bucket;
use message::ClientMessage;

/// The largest client message.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// After this many malformed messages the connection is closed.
const MALFORMED_MAX: u32 = 10;

/// Requests waiting per connection; the driver stops reading long before.
const REQUESTS_MAX: usize = 1_024;

/// When clients shall come back after a drain, at the earliest; each a bit later by its own.
const DRAIN_RETRY_MS: u64 = 1_000;

/// A request that waits for its answer, in the order of arrival.
#[derive(Clone, Debug)]
enum Request {
    Greet { token: Option<Secret>, binary: bool },
    Client(ClientMessage),
    WriteStep(String),
    Close(u16, &'static str),
}

/// One connection.
#[derive(Debug)]
pub struct Session {
    context: Arc<Context>,
    id: String,
    wake: Arc<Notify>,
    cookie: Option<Secret>,
    greeted: bool,
    /// Whether the other servers could be asked who this is, once they were.
    asked: Option<bool>,
    identity: Option<Identity>,
    binary: bool,
    malformed: u32,
    opened_ms: u64,
    sent_ms: u64,
    heard_ms: u64,
    pinged_ms: u64,
    messages: Bucket,
    /// What it asked of the log and of the state, where no session counts that.
    questions: Bucket,
    failures: u32,
    retry_ms: Option<u64>,
    expired: bool,
    requests: VecDeque<Request>,
    /// In the order of their campaigns.
    cursors: Vec<Cursor>,
    /// Whose turn it is.
    turn: usize,
}

impl Drop for Session {
    fn drop(&mut self) {
        for cursor in &self.cursors {
            self.context.hub.unfollow(&cursor.campaign, &self.wake);
            self.context.hub.metrics.subscriptions.dec();
        }
        if let Some(identity) = &self.identity {
            identity.closes_socket();
        }
    }
}

impl Session {
    /// A connection that has just been opened; `wake` is called when there may be a frame again.
    pub fn open(now: Moment, context: Arc<Context>, id: String, wake: Arc<Notify>) -> Self {
        Self {
            context,
            id,
            wake,
            cookie: None,
            greeted: false,
            asked: None,
            identity: None,
            binary: false,
            malformed: 0,
            opened_ms: now.monotonic_ms,
            sent_ms: now.monotonic_ms,
            heard_ms: now.monotonic_ms,
            pinged_ms: now.monotonic_ms,
            messages: Bucket::default(),
            questions: Bucket::default(),
            failures: 0,
            retry_ms: None,
            expired: false,
            requests: VecDeque::new(),
            cursors: Vec::new(),
            turn: 0,
        }
    }

    /// Takes the session cookie that came along when the connection was opened.
    pub fn present(&mut self, cookie: String) {
        self.cookie = Some(Secret::new(cookie));
    }

    /// Whether the client asked for binary frames.
    pub const fn is_binary(&self) -> bool {
        self.binary
    }

    /// Whether the driver should leave further messages in the socket for now.
    pub fn is_busy(&self) -> bool {
        self.requests.len() >= REQUESTS_MAX / 16
    }

    /// Takes note that the client lives.
    pub const fn note_activity(&mut self, now: Moment) {
        self.heard_ms = now.monotonic_ms;
    }

    /// Takes a frame from the client: one or more documents.
    pub fn receive(&mut self, now: Moment, frame: &str) {
        self.note_activity(now);
        let mut documents = frame.split('\n').filter(|it| !it.trim_ascii().is_empty()).peekable();
        if documents.peek().is_none() {
            self.refuse(now, Code::InvalidMessage);
        }
        for document in documents {
            let rate = self.context.delivery.messages_per_second;
            let within = self.messages.take(now.monotonic_ms, rate, 10).is_ok();
            if !within || self.waiting() >= REQUESTS_MAX {
                self.metrics().rate_limited.get_or_create(&[("what", "messages")]).inc();
                return self.requests.push_back(Request::Close(4429, "too many requests"));
            }
            match message::read(document) {
                Ok(message) => self.accept(now, message),
                Err(code) => self.refuse(now, code),
            }
        }
    }

    /// Takes note of a message that is not UTF-8.
    pub fn receive_invalid_utf8(&mut self, now: Moment) {
        self.note_activity(now);
        self.refuse(now, Code::InvalidUtf8);
    }

    /// Whether the session of its client is over: nothing more may be written to the socket, not even
    /// a frame that is half written.
    pub fn is_over(&self, now: Moment) -> bool {
        self.identity.as_ref().is_some_and(|it| it.is_over(now.monotonic_ms))
    }

    /// Announces that the server goes away, and closes.
    pub fn drain(&mut self, now: Moment) {
        let spread = id_hash(&self.id) % self.context.drain_spread_ms.max(1);
        self.end(reply::draining(now, DRAIN_RETRY_MS + spread), 1012, "draining");
    }

    /// Takes the outcome of [`Step::Ask`]: whether the other servers could be reached.
    pub const fn asked(&mut self, reached: bool) {
        self.asked = Some(reached);
    }

    /// What to do next. `may_block` says whether the log may be read here.
    pub fn poll(&mut self, now: Moment, may_block: bool) -> Step {
        self.expire(now);
        if self.retry_ms.is_some_and(|at| now.monotonic_ms < at) {
            let step = self.when_idle(now);
            if matches!(step, Step::Frame(_)) {
                self.sent_ms = now.monotonic_ms;
            }
            return step;
        }
        self.retry_ms = None;
        let step = match self.next_step(now, may_block) {
            Ok(step) => step,
            Err(error) => self.after_failure(now, &error),
        };
        if matches!(step, Step::Frame(_)) {
            (self.sent_ms, self.failures) = (now.monotonic_ms, 0);
        }
        step
    }

    /// Requests that wait for their answer, those in their place in a stream too.
    fn waiting(&self) -> usize {
        self.requests.len() + self.cursors.iter().map(Cursor::waiting).sum::<usize>()
    }

    fn accept(&mut self, now: Moment, message: ClientMessage) {
        if !self.greeted {
            return self.greet(now, message);
        }
        if matches!(message, ClientMessage::Init { .. }) {
            return self.refuse(now, Code::InvalidMessage);
        }
        self.requests.push_back(Request::Client(message));
    }

    fn greet(&mut self, now: Moment, message: ClientMessage) {
        let ClientMessage::Init { protocols, token, binary } = message else {
            return self.refuse(now, Code::InvalidMessage);
        };
        let protocol = self.context.protocol();
        if !protocols.iter().any(|offered| offered == protocol) {
            if !protocols.iter().any(|offered| offered.starts_with("campaign-sync.")) {
                return self.refuse(now, Code::InvalidMessage);
            }
            // The client learns what is spoken here, and that it does not speak it.
            let ack = self.acknowledgement(now);
            return self.end(ack, 4400, "another protocol");
        }
        self.greeted = true;
        let token = token.or_else(|| self.cookie.take());
        self.requests.push_back(Request::Greet { token, binary });
    }

    /// Says a last thing, and closes.
    fn end(&mut self, said: String, code: u16, reason: &'static str) {
        self.requests.extend([Request::WriteStep(said), Request::Close(code, reason)]);
    }

    fn refuse(&mut self, now: Moment, code: Code) {
        let text = "this message cannot be understood";
        self.requests.push_back(Request::WriteStep(reply::error(now, code, text, None, None)));
        self.malformed += u32::from(code != Code::UnknownType);
        if self.malformed >= MALFORMED_MAX {
            self.requests.push_back(Request::Close(4400, "too many malformed messages"));
        }
    }

    fn metrics(&self) -> &Metrics {
        &self.context.hub.metrics
    }

    fn next_step(&mut self, now: Moment, may_block: bool) -> Result<Step, LogError> {
        while let Some(request) = self.requests.front() {
            if let Request::Greet { token, .. } = request
                && self.must_ask(now, token.as_ref().map(Secret::expose))
            {
                return Ok(Step::Ask);
            }
            let simple = |it: &ClientMessage| matches!(it, ClientMessage::Ping(_));
            if matches!(request, Request::Client(it) if !simple(it)) && !may_block {
                return Ok(Step::Blocking);
            }
            // It stays where it is until it has been answered.
            let answer = self.answer(now, request.clone())?;
            self.requests.pop_front();
            if let Some(step) = answer {
                return Ok(step);
            }
        }
        match self.next_of_cursors(now, may_block)? {
            Step::Idle => Ok(self.when_idle(now)),
            step => Ok(step),
        }
    }

    /// Gives every subscription its turn, so that a long replay of one does not hold up the others.
    fn next_of_cursors(&mut self, now: Moment, may_block: bool) -> Result<Step, LogError> {
        let count = self.cursors.len();
        for at in (self.turn..self.turn + count).map(|turn| turn % count) {
            if !self.may_see(at) {
                return Ok(self.revoke(now, at));
            }
            let context = At { now, context: &self.context };
            match self.cursors[at].poll(context, may_block)? {
                Step::Idle => {}
                // It may have been given away while it was read.
                Step::Frame(_) if !self.may_see(at) => return Ok(self.revoke(now, at)),
                Step::Frame(frame) => {
                    self.turn = (at + 1) % count;
                    return Ok(Step::Frame(frame));
                }
                step => return Ok(step),
            }
        }
        Ok(Step::Idle)
    }

    fn may_see(&self, at: usize) -> bool {
        let visible =
            |it: &Identity| self.context.hub.still_visible(&self.cursors[at].campaign, it);
        self.identity.as_ref().is_some_and(visible)
    }

    /// The campaign is somebody else's now.
    fn revoke(&mut self, now: Moment, at: usize) -> Step {
        let id = self.cursors.remove(at).campaign;
        self.left(&id);
        Step::Frame(Frame::control(reply::ended(now, &id, "revoked")))
    }
}
