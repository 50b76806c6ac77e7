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
//! * an unknown type: `error` `unknown_type`, never counted, for later clients may know more;
//! * a wrong token: `error` `unauthorized`, close 4401;
//! * no `connection_init` within 10 s: close 4408;
//! * more than 256 subscriptions: `error` `too_many`;
//! * more than 1,024 requests waiting for their answer: close 4429.

mod answer;
mod cursor;
pub mod message;
pub mod reply;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use campaign_sync::protocol::{CampaignId, Code};
use serde_json::json;

use crate::clock::Moment;
use crate::hub::{Hub, Wake};
use crate::log::LogError;
use crate::snapshots::Snapshots;
use answer::Ask;
use cursor::Cursor;
use message::{ClientMessage, Recover};

/// The largest client message.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// A client that says nothing is let go after this long.
const GREETING_MS: u64 = 10_000;

/// After this many malformed messages the connection is closed.
const MALFORMED_MAX: u32 = 10;

/// Subscriptions per connection.
const SUBSCRIPTIONS_MAX: usize = 256;

/// Requests waiting per connection; the driver stops reading long before.
const REQUESTS_MAX: usize = 1_024;

/// When clients shall come back after a drain.
const DRAIN_RETRY_MS: u64 = 1_000;

/// What all sessions of a server share.
pub struct Context {
    /// The log and its news.
    pub hub: Arc<Hub>,
    /// The snapshots held.
    pub snapshots: Snapshots,
    /// What `connection_init` must carry.
    pub token: Option<String>,
    /// Silence after which a `pong` is sent unasked.
    pub heartbeat_ms: u64,
    /// Set while faults are injected, so that they hit single events.
    pub one_event_per_frame: AtomicBool,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("hub", &self.hub).finish_non_exhaustive()
    }
}

impl Context {
    fn joins_events(&self) -> bool {
        !self.one_event_per_frame.load(Ordering::Relaxed)
    }

    /// Whether `given` is the token, if one is needed. Takes the same time wherever they differ.
    pub fn admits(&self, given: Option<&str>) -> bool {
        let Some(token) = &self.token else { return true };
        let given = given.unwrap_or_default();
        let differences = token.bytes().zip(given.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
        token.len() == given.len() && differences == 0
    }
}

/// Something to write to the socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// One document, or several joined by line feeds.
    pub text: String,
    /// Whether it is a control message; otherwise it is events.
    pub control: bool,
}

impl Frame {
    const fn control(text: String) -> Self {
        Self { text, control: true }
    }
}

/// What the driver has to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Write this.
    Frame(Frame),
    /// Close with this code; the session is over.
    Close(u16, &'static str),
    /// Ask again where blocking is allowed.
    Blocking,
    /// Nothing until something is received, the wake is called, or the timeout has passed.
    Idle,
}

/// A request that waits for its answer, in the order of arrival.
#[derive(Debug)]
enum Request {
    Say(String),
    Pong(Option<u64>),
    Subscribe(CampaignId),
    Unsubscribe(CampaignId),
    Seek(Recover),
    Ask(CampaignId, Ask),
    Close(u16, &'static str),
}

/// One connection.
pub struct Session {
    context: Arc<Context>,
    id: String,
    wake: Arc<Wake>,
    greeted: bool,
    binary: bool,
    malformed: u32,
    opened_ms: u64,
    sent_ms: u64,
    requests: VecDeque<Request>,
    cursors: BTreeMap<CampaignId, Cursor>,
    turn: Option<CampaignId>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        for campaign in self.cursors.keys() {
            self.context.hub.unfollow(campaign, &self.wake);
        }
    }
}

impl Session {
    /// A connection that has just been opened; `wake` is called when there may be a frame again.
    pub fn open(now: Moment, context: Arc<Context>, id: String, wake: Arc<Wake>) -> Self {
        Self {
            context,
            id,
            wake,
            greeted: false,
            binary: false,
            malformed: 0,
            opened_ms: now.monotonic_ms,
            sent_ms: now.monotonic_ms,
            requests: VecDeque::new(),
            cursors: BTreeMap::new(),
            turn: None,
        }
    }

    /// Whether the client asked for binary frames.
    pub const fn is_binary(&self) -> bool {
        self.binary
    }

    /// Whether the driver should leave further messages in the socket for now.
    pub fn is_busy(&self) -> bool {
        self.requests.len() >= REQUESTS_MAX / 16
    }

    /// Takes a frame from the client: one or more documents.
    pub fn receive(&mut self, now: Moment, frame: &str) {
        let mut documents = frame.split('\n').filter(|it| !it.trim_ascii().is_empty()).peekable();
        if documents.peek().is_none() {
            self.refuse(now, Code::InvalidMessage);
        }
        for document in documents {
            if self.requests.len() >= REQUESTS_MAX {
                return self.requests.push_back(Request::Close(4429, "too many requests"));
            }
            match message::read(document) {
                Ok(message) => self.accept(now, message),
                Err(code) => self.refuse(now, code),
            }
        }
    }

    /// Takes note of a message that is not UTF-8.
    pub fn receive_garbage(&mut self, now: Moment) {
        self.refuse(now, Code::InvalidUtf8);
    }

    /// Announces that the server goes away, and closes.
    pub fn drain(&mut self, now: Moment) {
        self.requests.push_back(Request::Say(reply::draining(now, DRAIN_RETRY_MS)));
        self.requests.push_back(Request::Close(1012, "draining"));
    }

    fn accept(&mut self, now: Moment, message: ClientMessage) {
        if !self.greeted {
            return self.greet(now, message);
        }
        self.requests.push_back(match message {
            ClientMessage::Init { .. } => return self.refuse(now, Code::InvalidMessage),
            ClientMessage::Subscribe(campaign) => Request::Subscribe(campaign),
            ClientMessage::Unsubscribe(campaign) => Request::Unsubscribe(campaign),
            ClientMessage::Recover(wanted) => Request::Seek(wanted),
            ClientMessage::Ask { campaign, request, buckets } => {
                Request::Ask(campaign, Ask { request, buckets })
            }
            ClientMessage::Ping(echo) => Request::Pong(echo),
        });
    }

    fn greet(&mut self, now: Moment, message: ClientMessage) {
        let ClientMessage::Init { speaks_v1: true, token, binary } = message else {
            return self.refuse(now, Code::InvalidMessage);
        };
        if !self.context.admits(token.as_deref()) {
            let text = "the token is missing or wrong";
            let error = reply::error(now, Code::Unauthorized, text, None, None);
            self.requests.push_back(Request::Say(error));
            return self.requests.push_back(Request::Close(4401, "unauthorized"));
        }
        self.greeted = true;
        self.binary = binary;
        let ack = reply::connection_ack(now, &self.id, self.context.heartbeat_ms);
        self.requests.push_back(Request::Say(ack));
    }

    fn refuse(&mut self, now: Moment, code: Code) {
        let text = "this message cannot be understood";
        self.requests.push_back(Request::Say(reply::error(now, code, text, None, None)));
        self.malformed += u32::from(code != Code::UnknownType);
        if self.malformed >= MALFORMED_MAX {
            self.requests.push_back(Request::Close(4400, "too many malformed messages"));
        }
    }

    /// When to call [`Session::poll`] again although nothing happened, on the monotonic clock.
    pub fn timeout_ms(&self) -> u64 {
        let own = if self.greeted {
            self.sent_ms + self.context.heartbeat_ms
        } else {
            self.opened_ms + GREETING_MS
        };
        self.cursors.values().filter_map(Cursor::deadline_ms).fold(own, u64::min)
    }

    /// What to do next. `may_block` says whether the log may be read here.
    pub fn poll(&mut self, now: Moment, may_block: bool) -> Step {
        let step = self.next_step(now, may_block);
        if matches!(step, Step::Frame(_)) {
            self.sent_ms = now.monotonic_ms;
        }
        step
    }

    fn next_step(&mut self, now: Moment, may_block: bool) -> Step {
        while let Some(request) = self.requests.front() {
            let simple = matches!(request, Request::Say(_) | Request::Pong(_) | Request::Close(..));
            if !simple && !may_block {
                return Step::Blocking;
            }
            let Some(request) = self.requests.pop_front() else { break };
            if let Some(step) = self.answer(now, request) {
                return step;
            }
        }
        match self.next_of_cursors(now, may_block) {
            Step::Idle => self.when_idle(now),
            step => step,
        }
    }

    fn when_idle(&self, now: Moment) -> Step {
        if !self.greeted {
            let late = now.monotonic_ms >= self.opened_ms + GREETING_MS;
            return if late { Step::Close(4408, "no connection_init") } else { Step::Idle };
        }
        if now.monotonic_ms >= self.sent_ms + self.context.heartbeat_ms {
            return Step::Frame(self.pong(now, None));
        }
        Step::Idle
    }

    /// Gives every subscription its turn, so that a long replay of one does not hold up the others.
    fn next_of_cursors(&mut self, now: Moment, may_block: bool) -> Step {
        let ids: Vec<CampaignId> = self.cursors.keys().cloned().collect();
        let first = self.turn.as_ref().map_or(0, |turn| ids.partition_point(|id| id <= turn));
        for id in ids[first..].iter().chain(&ids[..first]) {
            let Some(cursor) = self.cursors.get_mut(id) else { continue };
            match cursor.poll(now, &self.context, may_block) {
                Ok(Step::Idle) => {}
                Ok(Step::Frame(frame)) => {
                    self.turn = Some(id.clone());
                    return Step::Frame(frame);
                }
                Ok(step) => return step,
                Err(error) => return internal(&error),
            }
        }
        Step::Idle
    }

    fn answer(&mut self, now: Moment, request: Request) -> Option<Step> {
        let said = match request {
            Request::Say(text) => Ok(Some(text)),
            Request::Pong(echo) => return Some(Step::Frame(self.pong(now, echo))),
            Request::Close(code, reason) => return Some(Step::Close(code, reason)),
            Request::Subscribe(campaign) => self.subscribe(now, campaign),
            Request::Unsubscribe(campaign) => {
                self.cursors.remove(&campaign);
                self.context.hub.unfollow(&campaign, &self.wake);
                Ok(Some(reply::ended(now, &campaign, "unsubscribed")))
            }
            Request::Seek(wanted) => self.seek(now, wanted),
            Request::Ask(campaign, ask) => Ok(self.ask(now, &campaign, ask)),
        };
        match said {
            Ok(said) => said.map(|text| Step::Frame(Frame::control(text))),
            Err(error) => Some(internal(&error)),
        }
    }

    fn subscribe(&mut self, now: Moment, campaign: CampaignId) -> Result<Option<String>, LogError> {
        let Some(head) = self.context.hub.head(&campaign)? else {
            let text = "there is no such campaign";
            return Ok(Some(reply::error(now, Code::UnknownCampaign, text, Some(&campaign), None)));
        };
        if self.cursors.len() == SUBSCRIPTIONS_MAX && !self.cursors.contains_key(&campaign) {
            let text = "too many subscriptions on this connection";
            return Ok(Some(reply::error(now, Code::TooMany, text, Some(&campaign), None)));
        }
        self.context.hub.follow(&campaign, &self.wake)?;
        let confirmed = reply::confirmed(now, &campaign, self.context.hub.epoch(), &head);
        self.cursors.entry(campaign.clone()).or_insert_with(|| Cursor::new(campaign));
        Ok(Some(confirmed))
    }

    fn seek(&mut self, now: Moment, wanted: Recover) -> Result<Option<String>, LogError> {
        if let Some(cursor) = self.cursors.get_mut(&wanted.campaign) {
            return cursor.seek(now, &self.context, wanted);
        }
        let request = wanted.request.as_deref();
        if self.context.hub.head(&wanted.campaign)?.is_none() {
            return Ok(Some(reply::unknown_campaign(now, &wanted.campaign, request)));
        }
        Ok(Some(not_subscribed(now, &wanted.campaign, request)))
    }

    fn ask(&mut self, now: Moment, campaign: &CampaignId, ask: Ask) -> Option<String> {
        match self.cursors.get_mut(campaign) {
            Some(cursor) => {
                cursor.ask(ask);
                None
            }
            None => Some(not_subscribed(now, campaign, ask.request.as_deref())),
        }
    }

    fn pong(&self, now: Moment, echo: Option<u64>) -> Frame {
        let hub = &self.context.hub;
        let heads = self.cursors.iter().filter_map(|(campaign, cursor)| {
            let head = hub.known_head(campaign)?;
            Some(reply::head(campaign, hub.epoch(), cursor.written()?, &head))
        });
        Frame::control(reply::pong(now, echo, heads.collect()))
    }
}

fn not_subscribed(now: Moment, campaign: &CampaignId, request: Option<&str>) -> String {
    let text = "this connection is not subscribed to the campaign";
    reply::error(now, Code::InvalidMessage, text, Some(campaign), request)
}

/// The medium failed: the client is better off with another connection.
fn internal(error: &LogError) -> Step {
    crate::journal::line("session_failed", &json!({"error": error.to_string()}));
    Step::Close(1011, "internal")
}
