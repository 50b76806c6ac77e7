//! One connection without its socket: messages of the client are the input, frames are the output.
//!
//! A session has no socket and no clock. Its driver passes in received messages and the time, and pulls the
//! next frame whenever the socket can take one. So no queue of frames can overflow. A slow reader only reads
//! the log later, and blocks no other.
//!
//! # Policy for bad clients
//! * a message over 64 KiB: close 1009;
//! * a malformed message (not JSON, wrong types, invalid campaign id, any message before `connection_init`):
//!   a coded `error`; the tenth closes with 4400;
//! * a client that offers only other protocols of this family: the acknowledgement with this server's
//!   protocol, close 4400;
//! * an unknown type: `error` `unknown_type`, never counted, because later clients may know more types;
//! * a wrong or missing token or cookie: `error` `unauthorized`, close 4401;
//! * a token that another server of the log may know while the cluster cannot be reached: `error` `internal`,
//!   close 1011;
//! * a session that expires or is revoked: `session_expired`, close 4401;
//! * a campaign of another user: as if it did not exist; a campaign that was given away in the meantime:
//!   `subscription_ended`, reason `revoked`;
//! * more than 64 connections of one session: `error` `too_many`, close 4429;
//! * a catalogue of more than 100,000 campaigns: `error` `too_many`; more requests of it than 10 per second:
//!   `error` `rate_limited` with `retryAfterMs`;
//! * no `connection_init` within 10 s: close 4408;
//! * more than 256 subscriptions: `error` `too_many`;
//! * more recovery requests and queries of the state than 10 per second and campaign, or 100 per second and
//!   session over all its sockets: `error` `rate_limited` with `retryAfterMs`;
//! * a snapshot or digests while the server is too busy for more than 5 s, or while more bytes wait for the
//!   user than fit: `error` `rate_limited` with `retryAfterMs`;
//! * `ping`s whose answers have more heads than 512 per second and connection, or 2,048 per second and user:
//!   they are answered later, in order;
//! * more than 200 messages per second, or 1,024 requests waiting for their answer: close 4429;
//! * no frame for 30 s, not even the answer to a WebSocket ping: close 4408.

mod answer;
mod catalogue;
mod context;
mod cursor;
mod greeting;
pub mod limits;
mod listing;
mod members;
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
use crate::capacity::Quota;
use crate::clock::Moment;
use crate::log::LogError;
use crate::metrics::Metrics;
use catalogue::CatalogueCursor;
use context::PollContext;
pub use context::{Context, Frame, FrameText, Step};
use cursor::Cursor;
use limits::{Bucket, Postponed};
use message::{ClientMessage, Malformed};

/// The largest client message, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// The number of malformed messages that closes the connection.
const MALFORMED_MAX: u32 = 10;

/// The most waiting requests of a connection. The driver stops reading long before.
const REQUESTS_MAX: usize = 1_024;

/// The earliest return of a client after a drain, in milliseconds. Each client gets an additional delay.
const DRAIN_RETRY_MS: u64 = 1_000;

/// A waiting request. Requests are answered in the order of arrival.
#[derive(Clone, Debug)]
enum Request {
    Greet { token: Option<Secret>, binary: bool },
    Client(ClientMessage),
    Reply(String),
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
    /// `None` until the other servers were asked for the token, then whether they could be reached.
    lookup_succeeded: Option<bool>,
    identity: Option<Identity>,
    binary: bool,
    malformed: u32,
    opened_ms: u64,
    sent_ms: u64,
    last_received_ms: u64,
    pinged_ms: u64,
    messages: Bucket,
    /// Limits the queries of the log and of the state, if the identity has no session that counts them.
    query_bucket: Bucket,
    /// Limits the heads in answers to pings.
    heads: Bucket,
    /// The quota of the user, or of this connection if the identity has no session. Set with the identity.
    quota: Option<Arc<Quota>>,
    /// The first request, while it waits.
    postponed: Postponed,
    /// Whether the first request has been counted by the rate limits.
    is_counted: bool,
    failures: u32,
    retry_ms: Option<u64>,
    expired: bool,
    requests: VecDeque<Request>,
    /// In the order of their campaign ids.
    cursors: Vec<Cursor>,
    catalogue: Option<CatalogueCursor>,
    /// Limits the requests of the catalogue.
    catalogue_requests: Bucket,
    /// The index of the cursor that is polled first. The catalogue is behind the last one.
    turn: usize,
}

impl Drop for Session {
    fn drop(&mut self) {
        for cursor in &self.cursors {
            self.context.hub.unfollow(&cursor.campaign, &self.wake);
            self.context.hub.metrics.subscriptions.dec();
        }
        if let Some(cursor) = &self.catalogue {
            cursor.end(self.sent_ms.max(self.last_received_ms));
        }
        if let Some(identity) = &self.identity {
            identity.release_socket();
        }
    }
}

impl Session {
    /// A new connection. `wake` is notified when there may be a new frame.
    pub fn open(now: Moment, context: Arc<Context>, id: String, wake: Arc<Notify>) -> Self {
        Self {
            context,
            id,
            wake,
            cookie: None,
            greeted: false,
            lookup_succeeded: None,
            identity: None,
            binary: false,
            malformed: 0,
            opened_ms: now.monotonic_ms,
            sent_ms: now.monotonic_ms,
            last_received_ms: now.monotonic_ms,
            pinged_ms: now.monotonic_ms,
            messages: Bucket::default(),
            query_bucket: Bucket::default(),
            heads: Bucket::default(),
            quota: None,
            postponed: Postponed::default(),
            is_counted: false,
            failures: 0,
            retry_ms: None,
            expired: false,
            requests: VecDeque::new(),
            cursors: Vec::new(),
            catalogue: None,
            catalogue_requests: Bucket::default(),
            turn: 0,
        }
    }

    /// Sets the session cookie of the upgrade request.
    pub fn present(&mut self, cookie: String) {
        self.cookie = Some(Secret::new(cookie));
    }

    /// Whether the client requested binary frames.
    pub const fn is_binary(&self) -> bool {
        self.binary
    }

    /// The quota of the client, once it is known.
    pub const fn quota(&self) -> Option<&Arc<Quota>> {
        self.quota.as_ref()
    }

    /// Whether the driver must leave further messages in the socket for now.
    pub fn is_busy(&self) -> bool {
        self.requests.len() >= REQUESTS_MAX / 16
    }

    /// Records that the client is alive.
    pub const fn note_activity(&mut self, now: Moment) {
        self.last_received_ms = now.monotonic_ms;
    }

    /// Processes a frame of the client: one or more documents.
    pub fn receive(&mut self, now: Moment, frame: &str) {
        self.note_activity(now);
        let mut documents = frame.split('\n').filter(|it| !it.trim_ascii().is_empty()).peekable();
        if documents.peek().is_none() {
            self.refuse(now, Code::InvalidMessage.into());
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
                Err(malformed) => self.refuse(now, malformed),
            }
        }
    }

    /// Processes a message that is not UTF-8.
    pub fn receive_invalid_utf8(&mut self, now: Moment) {
        self.note_activity(now);
        self.refuse(now, Code::InvalidUtf8.into());
    }

    /// Whether the user's session has ended. Nothing may be written to the socket then, not even the rest of
    /// a frame.
    pub fn has_ended(&self, now: Moment) -> bool {
        self.identity.as_ref().is_some_and(|it| it.has_ended(now.monotonic_ms))
    }

    /// Announces that the server drains, and closes.
    pub fn drain(&mut self, now: Moment) {
        if self.postponed.due_ms().is_some() {
            // Nothing waits any more.
            self.requests.clear();
            self.postponed = Postponed::default();
        }
        let spread = id_hash(&self.id) % self.context.drain_spread_ms.max(1);
        self.end(reply::draining(now, DRAIN_RETRY_MS + spread), 1012, "draining");
    }

    /// Sets the outcome of [`Step::LookUpSession`]: whether the other servers could be reached.
    pub const fn lookup_succeeded(&mut self, reached: bool) {
        self.lookup_succeeded = Some(reached);
    }

    /// The next step of the driver. `may_block` permits reading the log.
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

    /// The number of waiting requests, including those that wait for their position in a stream.
    fn waiting(&self) -> usize {
        self.requests.len() + self.cursors.iter().map(Cursor::waiting).sum::<usize>()
    }

    fn accept(&mut self, now: Moment, message: ClientMessage) {
        if !self.greeted {
            return self.greet(now, message);
        }
        if matches!(message, ClientMessage::Init { .. }) {
            return self.refuse(now, Code::InvalidMessage.into());
        }
        self.requests.push_back(Request::Client(message));
    }

    fn greet(&mut self, now: Moment, message: ClientMessage) {
        let ClientMessage::Init { protocols, token, binary } = message else {
            return self.refuse(now, Code::InvalidMessage.into());
        };
        let protocol = self.context.protocol();
        if !protocols.iter().any(|offered| offered == protocol) {
            if !protocols.iter().any(|offered| offered.starts_with("campaign-sync.")) {
                return self.refuse(now, Code::InvalidMessage.into());
            }
            // The acknowledgement names this server's protocol, which the client did not offer.
            let ack = self.acknowledgement(now);
            return self.end(ack, 4400, "another protocol");
        }
        self.greeted = true;
        // An empty token counts as no token: the cookie authorises the socket.
        let token = token.filter(|it| !it.expose().is_empty()).or_else(|| self.cookie.take());
        self.requests.push_back(Request::Greet { token, binary });
    }

    /// Queues a last message, and closes.
    fn end(&mut self, reply: String, code: u16, reason: &'static str) {
        self.requests.extend([Request::Reply(reply), Request::Close(code, reason)]);
    }

    fn refuse(&mut self, now: Moment, Malformed { code, campaign, request }: Malformed) {
        let text = "this message cannot be understood";
        let error = reply::error(now, code, text, campaign.as_ref(), request.as_deref());
        self.requests.push_back(Request::Reply(error));
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
            // The subscriptions continue while the first request waits.
            if self.postponed.is_waiting(now.monotonic_ms) {
                break;
            }
            if let Request::Greet { token, .. } = request
                && self.needs_lookup(now, token.as_ref().map(Secret::expose))
            {
                return Ok(Step::LookUpSession);
            }
            let simple = |it: &ClientMessage| matches!(it, ClientMessage::Ping(_));
            if matches!(request, Request::Client(it) if !simple(it)) && !may_block {
                return Ok(Step::Blocking);
            }
            // The request stays in the queue until it is answered.
            let request = request.clone();
            if self.must_wait(now, &request) {
                break;
            }
            let answer = match self.answer(now, request.clone()) {
                Err(error) => match self.postpone(now, error, &request)? {
                    None => break,
                    refused => refused,
                },
                Ok(answer) => answer,
            };
            self.requests.pop_front();
            (self.postponed, self.is_counted) = (Postponed::default(), false);
            if let Some(step) = answer {
                return Ok(step);
            }
        }
        match self.next_of_cursors(now, may_block)? {
            Step::Idle => Ok(self.when_idle(now)),
            step => Ok(step),
        }
    }

    /// Polls the subscriptions in turn, so that a long replay of one does not delay the others.
    fn next_of_cursors(&mut self, now: Moment, may_block: bool) -> Result<Step, LogError> {
        let count = self.cursors.len() + 1;
        for at in (self.turn..self.turn + count).map(|turn| turn % count) {
            if at == self.cursors.len() {
                let step = self.next_of_catalogue(now)?;
                if step != Step::Idle {
                    self.turn = 0;
                    return Ok(step);
                }
                continue;
            }
            if !self.may_see(at) {
                return Ok(self.revoke(now, at));
            }
            let Some(quota) = &self.quota else { return Ok(Step::Idle) };
            let context = PollContext { now, context: &self.context, quota };
            match self.cursors[at].poll(context, may_block)? {
                Step::Idle => {}
                // The campaign may have been given away while it was read.
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

    /// Ends a subscription whose campaign has another owner now.
    fn revoke(&mut self, now: Moment, at: usize) -> Step {
        let id = self.cursors.remove(at).campaign;
        self.on_unsubscribed(&id);
        Step::Frame(Frame::control(reply::ended(now, &id, "revoked")))
    }
}
