//! Drives a session of the reference server over a link of the simulated network, as the server's driver
//! does over a socket. It passes on each message that arrives, asks the session for the next step, and
//! waits until the session is woken or due.

use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use campaign_sync_harness::session::{Frame, Session, Step};
use tokio::sync::Notify;

use super::super::invariants::{Check, Violation, demand};
use super::super::network::{Direction, LinkId};
use super::super::server::log::Campaign;
use super::super::server::{Document, Kind, ServerEnd};
use super::super::world::{ScheduledEvent, World};
use super::{Core, moment};

/// The most frames that a session may write before it closes.
const LAST_FRAMES_MAX: usize = 5_000;
/// The outcomes of recovery, as the server names them.
const OUTCOMES: [&str; 9] = [
    "current",
    "replay",
    "position_ahead",
    "epoch_changed",
    "preferred",
    "truncated",
    "replay_too_large",
    "resumed",
    "unknown_campaign",
];
/// The other answers that are counted.
const ANSWERS: [&str; 6] = [
    "connection_ack",
    "subscription_confirmed",
    "subscription_ended",
    "campaign.digest",
    "campaign.snapshot",
    "rate_limited",
];

/// A session with its unread messages and its deadline.
#[derive(Debug)]
pub(crate) struct ServerSocket {
    session: Session,
    wake: Arc<Notify>,
    /// Messages that stay in the socket for now.
    unread: VecDeque<String>,
    /// The time at which the session is polled even if nothing happens.
    due_ms: u64,
    /// The next number of each campaign on this socket.
    next: BTreeMap<String, u64>,
}

impl ServerSocket {
    /// Whether the server's hub has woken the session since the last call.
    pub(crate) fn is_woken(&self) -> bool {
        let notified = pin!(self.wake.notified());
        notified.poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    /// Receives a message.
    pub(crate) fn receive(&mut self, now_ms: u64, text: &str) {
        self.unread.push_back(text.to_owned());
        self.read(now_ms);
    }

    fn read(&mut self, now_ms: u64) {
        while !self.session.is_busy()
            && let Some(text) = self.unread.pop_front()
        {
            self.session.receive(moment(now_ms), &text);
        }
    }

    fn step(&mut self, now_ms: u64) -> Step {
        self.read(now_ms);
        match self.session.poll(moment(now_ms), false) {
            Step::Blocking => self.session.poll(moment(now_ms), true),
            step => step,
        }
    }
}

impl Core {
    /// Opens a session for a connection.
    pub(crate) fn open(&self, now_ms: u64, link: LinkId) -> ServerSocket {
        let LinkId { client, page_load, connection } = link;
        let (id, wake) = (format!("k-{client}-{page_load}-{connection}"), Arc::new(Notify::new()));
        let context = self.context.clone();
        let session = Session::open(moment(now_ms), context, id, wake.clone());
        let due_ms = session.timeout_ms();
        ServerSocket { session, wake, unread: VecDeque::new(), due_ms, next: BTreeMap::new() }
    }
}

/// The text after `key`, up to `end`.
fn member<'t>(text: &'t str, key: &str, end: char) -> Option<&'t str> {
    text.split_once(key)?.1.split(end).next()
}

impl World {
    fn socket(&mut self, link: LinkId) -> Option<&mut ServerSocket> {
        match &mut self.server.sessions.get_mut(&link)?.speaker {
            ServerEnd::Core(socket) => Some(socket),
            ServerEnd::Model(_) => None,
        }
    }

    /// Executes one step of a session that was woken, is due, or has more to write.
    pub(crate) fn run_once(&mut self, link: LinkId) -> Check {
        let now_ms = self.now_ms;
        let Some(socket) = self.socket(link) else { return Ok(()) };
        let step = socket.step(now_ms);
        match step {
            Step::Frame(frame) => {
                let documents = self.documents(link, &frame)?;
                let answers = documents.iter().any(Document::is_an_answer);
                self.send_down(link, documents);
                self.write_soon(link);
                if answers { self.ambush(link) } else { Ok(()) }
            }
            Step::Ping => {
                self.ping(link);
                self.write_soon(link);
                Ok(())
            }
            Step::Close(code, reason) => {
                self.totals.met("closed", reason);
                self.hang_up(link, code);
                Ok(())
            }
            Step::Blocking => demand(false, "core", || "it may block, and says it may not".into()),
            Step::LookUpSession => {
                demand(false, "core", || "there are no other servers to ask".into())
            }
            Step::Idle => self.wait(link),
        }
    }

    fn wait(&mut self, link: LinkId) -> Check {
        let now_ms = self.now_ms;
        let Some(socket) = self.socket(link) else { return Ok(()) };
        let due_ms = socket.session.timeout_ms();
        let before_ms = std::mem::replace(&mut socket.due_ms, due_ms);
        demand(due_ms > now_ms, "core", || {
            format!("{link:?} rests at {now_ms} ms and wants to be asked at {due_ms} ms")
        })?;
        if due_ms != before_ms {
            self.schedule.plan(due_ms, ScheduledEvent::Beat(link));
        }
        Ok(())
    }

    /// Whether a session is due now. If it is, its deadline is cleared.
    pub(crate) fn is_due(&mut self, link: LinkId) -> bool {
        let now_ms = self.now_ms;
        let Some(socket) = self.socket(link).filter(|socket| socket.due_ms <= now_ms) else {
            return false;
        };
        socket.due_ms = 0;
        true
    }

    /// The deadline of a session that was just opened.
    pub(crate) fn due_ms(&mut self, link: LinkId) -> Option<u64> {
        self.socket(link).map(|socket| socket.due_ms)
    }

    /// Sends a WebSocket ping. A browser answers it itself if the computer is awake.
    fn ping(&mut self, link: LinkId) {
        self.totals.met("answer", "ping");
        if self.links.get(&link).is_some_and(|wire| wire.carries(Direction::Down)) {
            let at_ms = self.now_ms + self.rng.below(2 * self.plan.delay_ms + 1);
            self.schedule.plan(at_ms, ScheduledEvent::Pong(link));
        }
    }

    /// Delivers the answer to a WebSocket ping.
    pub(crate) fn pong(&mut self, link: LinkId) {
        let now_ms = self.now_ms;
        let awake = self.clients[link.client].asleep_since_ms.is_none();
        let carries = self.links.get(&link).is_some_and(|wire| wire.carries(Direction::Up));
        if let Some(socket) = self.socket(link).filter(|_| awake && carries) {
            socket.session.note_activity(moment(now_ms));
        }
    }

    /// Drains a connection in an orderly way. Returns whether the session closed.
    pub(crate) fn drain_session(&mut self, link: LinkId) -> Result<bool, Violation> {
        let now_ms = self.now_ms;
        let Some(socket) = self.socket(link) else { return Ok(false) };
        socket.session.drain(moment(now_ms));
        for _ in 0..LAST_FRAMES_MAX {
            let Some(socket) = self.socket(link) else { break };
            match socket.step(now_ms) {
                Step::Frame(frame) => {
                    let documents = self.documents(link, &frame)?;
                    self.send_down(link, documents);
                }
                Step::Close(code, reason) => {
                    self.totals.met("closed", reason);
                    self.hang_up(link, code);
                    return Ok(true);
                }
                Step::Ping | Step::LookUpSession | Step::Blocking | Step::Idle => break,
            }
        }
        Ok(false)
    }

    /// The documents of a frame, with the kinds that faults and reports distinguish. Checks that each
    /// event is the log's, and the next one on this socket.
    fn documents(&mut self, link: LinkId, frame: &Frame) -> Result<Vec<Document>, Violation> {
        let mut documents = Vec::new();
        for text in frame.text.to_string().split('\n') {
            let kind = if frame.control {
                let kind = self.kind_of(text);
                self.restart_stream(link, text);
                kind
            } else {
                self.check_event(link, text)?
            };
            documents.push(Document { text: text.into(), kind });
        }
        Ok(documents)
    }

    /// Takes the next number of a campaign from the answer to a recovery request.
    fn restart_stream(&mut self, link: LinkId, text: &str) {
        if !text.starts_with("{\"type\":\"event_recovery\"") {
            return;
        }
        let campaign = member(text, "\"campaignId\":\"", '"').map(str::to_owned);
        let from = member(text, "\"fromSequenceNumber\":", ',').and_then(|it| it.parse().ok());
        if let (Some(campaign), Some(from), Some(socket)) = (campaign, from, self.socket(link)) {
            socket.next.insert(campaign, from);
        }
    }

    fn check_event(&mut self, link: LinkId, text: &str) -> Result<Kind, Violation> {
        let at = text.rfind("\"sequence\":").map_or("", |at| &text[at..]);
        let campaign = member(at, "\"campaignId\":\"", '"').unwrap_or_default();
        let number: u64 =
            member(at, "\"sequenceNumber\":", ',').and_then(|it| it.parse().ok()).unwrap_or(0);
        let log = self.server.storage.campaigns.get(campaign).map(Campaign::log);
        let committed = log.and_then(|log| log.event(number));
        demand(committed.is_some_and(|it| *it.document == *text), "core", || {
            format!("{link:?} is sent what is not in the log: {text}")
        })?;
        let next = self.socket(link).and_then(|socket| socket.next.get_mut(campaign));
        let follows = next.is_some_and(|next| {
            *next += 1;
            *next == number + 1
        });
        demand(follows, "core", || {
            format!("{link:?} is sent #{number} of {campaign} out of turn")
        })?;
        Ok(Kind::Event(campaign.into(), number))
    }

    fn kind_of(&mut self, text: &str) -> Kind {
        let is =
            |kind: &str| text.strip_prefix("{\"type\":\"").is_some_and(|it| it.starts_with(kind));
        let has_value = |name: &&&str| text.contains(&format!("\":\"{name}\""));
        let outcome = match is("event_recovery") {
            true => OUTCOMES.iter().rev().find(has_value),
            false => ANSWERS.iter().find(|kind| is(kind) || (is("error") && has_value(kind))),
        };
        if let Some(outcome) = outcome {
            self.totals.met("core", outcome);
        }
        if is("connection_ack") {
            Kind::Greeting
        } else if is("pong") {
            Kind::Pong
        } else if is("catalogue") {
            Kind::Catalogue
        } else if is("campaign.snapshot") {
            Kind::Part
        } else {
            Kind::Control
        }
    }
}
