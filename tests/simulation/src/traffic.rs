//! The traffic on the network: frames of the server, messages of clients, and broken connections.

use campaign_sync::protocol::client::Reason;
use serde_json::{Value, json};

use super::faults::{Fault, RETRY_AFTER_MS};
use super::invariants::{Check, Violation};
use super::network::{Direction, Link, LinkId, distort};
use super::rng::Rng;
use super::server::message::Message;
use super::server::session::{HEARTBEAT_MS, Session};
use super::server::{Connection, Document, Kind, ReplicaLag, Server, ServerEnd};
use super::workload::silent;
use super::world::{ScheduledEvent, World};

/// The longest time that a slow socket takes between two frames.
const SLOW_MS: u64 = 5_000;
/// The shortest and the longest delay of a late greeting.
const LATE_MS: (u64, u64) = (3_000, 12_000);

impl World {
    /// Plans a write for every session that has something to write, at its pace.
    pub(crate) fn write_all(&mut self) {
        let woken = self.server.sessions.iter().filter(|(_, it)| it.is_woken());
        let links: Vec<LinkId> = woken.map(|(link, _)| *link).collect();
        for link in links {
            self.write_soon(link);
        }
    }

    pub(crate) fn write_soon(&mut self, link: LinkId) {
        let Some(session) = self.server.sessions.get_mut(&link) else { return };
        if !std::mem::replace(&mut session.writing, true) {
            let slow = self.now_ms < session.slow_until_ms;
            let pace_ms = if slow { SLOW_MS } else { self.plan.pace_ms };
            let at_ms = self.now_ms + self.rng.below(pace_ms + 1);
            self.schedule.plan(at_ms, ScheduledEvent::Write(link));
        }
    }

    pub(crate) fn write(&mut self, link: LinkId) -> Check {
        let Server { sessions, storage, .. } = &mut self.server;
        let Some(connection) = sessions.get_mut(&link) else { return Ok(()) };
        connection.writing = false;
        let ServerEnd::Model(session) = &mut connection.speaker else { return self.run_once(link) };
        let writing = session.write(self.now_ms, storage);
        for outcome in writing.outcomes {
            self.totals.met("answer", outcome);
        }
        if let Some(wait_ms) = writing.again_in_ms
            && session.again_ms <= self.now_ms
        {
            session.again_ms = self.now_ms + wait_ms;
            self.schedule.plan(session.again_ms, ScheduledEvent::Write(link));
        }
        if writing.lags {
            self.totals.fault("reader_lags");
            self.hang_up(link, 4409);
            return Ok(());
        }
        if writing.frames.is_empty() {
            return Ok(());
        }
        let mut answers = false;
        for documents in writing.frames {
            answers |= documents.iter().any(Document::is_an_answer);
            self.send_down(link, documents);
        }
        self.write_soon(link);
        if answers { self.ambush(link) } else { Ok(()) }
    }

    pub(crate) fn beat(&mut self, link: LinkId) {
        if self.is_due(link) {
            return self.write_soon(link);
        }
        let Server { sessions, storage, .. } = &mut self.server;
        let Some(connection) = sessions.get_mut(&link) else { return };
        let ServerEnd::Model(session) = &mut connection.speaker else { return };
        if session.is_idle(self.now_ms) {
            return self.cut(link, "idle");
        }
        if let Some(pong) = session.beat(self.now_ms, storage) {
            self.send_down(link, vec![pong]);
        }
        self.schedule.plan(self.now_ms + HEARTBEAT_MS, ScheduledEvent::Beat(link));
    }

    pub(crate) fn send_down(&mut self, link: LinkId, mut documents: Vec<Document>) {
        self.note_written(link, &documents);
        self.falsify(&mut documents);
        self.bare(&mut documents);
        self.garble_greeting(&mut documents);
        let Some(wire) = self.links.get_mut(&link) else { return };
        if !wire.carries(Direction::Down) {
            return;
        }
        let (rng, levels) = (&mut self.net_rng, &self.levels);
        let frame = distort(rng, levels, &mut self.totals, &documents);
        let Some(bytes) = frame else { return };
        let (delay, totals) = ((self.plan.delay_ms, levels), &mut self.totals);
        let mut at_ms = wire.arrival(self.now_ms, rng, delay, Direction::Down, totals);
        if documents.iter().any(|document| matches!(document.kind, Kind::Greeting)) {
            if self.later_rng.chance(levels.of(Fault::LateGreeting)) {
                self.totals.fault(Fault::LateGreeting.counted_as());
                at_ms += self.later_rng.between(LATE_MS.0, LATE_MS.1);
            }
            wire.greeting_arrives(at_ms, Direction::Down);
        }
        self.schedule.plan(at_ms, ScheduledEvent::Arrive(link, bytes));
    }

    /// Lets the server contradict itself or send false statements.
    fn falsify(&mut self, documents: &mut [Document]) {
        let (equivocates, lies) = (Fault::Equivocate, Fault::Lie);
        let (equivocates, lies) = (self.levels.of(equivocates), self.levels.of(lies));
        for document in documents {
            match &document.kind {
                Kind::Event(id, number) if self.rng.chance(equivocates) => {
                    let Some(campaign) = self.server.storage.campaigns.get_mut(&**id) else {
                        continue;
                    };
                    if campaign.state().deleted {
                        continue;
                    }
                    let rng = &mut self.rng;
                    let other =
                        campaign.contradict(self.now_ms, *number, |state| silent(rng, state));
                    if let Some(other) = other {
                        self.totals.fault("equivocated");
                        document.text = other;
                    }
                }
                Kind::Part if self.rng.chance(lies) => {
                    // This row is not the server's, so the rows do not match the digest any more.
                    let lie = document.text.replacen("\"domain\":\"", "\"domain\":\"un", 1);
                    if *lie != *document.text {
                        self.totals.fault("false_snapshot");
                        document.text = lie.into();
                    }
                }
                Kind::Pong if self.rng.chance(lies) => {
                    let known = *self.rng.pick(&[
                        "\"domainsDigest\":\"",
                        "\"lastSequenceNumber\":",
                        "\"logHead\":",
                    ]);
                    let lie = raise(&document.text, known);
                    if *lie != *document.text {
                        self.totals.fault("false_head");
                        document.text = lie.into();
                    }
                }
                Kind::Catalogue => self.falsify_list(document),
                Kind::Event(..) | Kind::Part | Kind::Pong | Kind::Greeting | Kind::Control => {}
            }
        }
    }

    /// Lets the server lie about its list of campaigns, or repeat a part.
    fn falsify_list(&mut self, document: &mut Document) {
        let lies = self.levels.of(Fault::Lie);
        let Some(rng) = self.lists.rng.as_mut() else { return };
        if !rng.chance(lies) {
            return;
        }
        let known = *rng.pick(&[
            "\"total\":",
            "\"part\":",
            "\"parts\":",
            "\"previousSequenceNumber\":",
            "\"epoch\":\"feed",
        ]);
        let lie = match rng.below(6) {
            0 => format!("{0}\n{0}", document.text),
            _ if known.ends_with("feed") => document.text.replacen(known, "\"epoch\":\"other", 1),
            _ => raise(&document.text, known),
        };
        if *lie != *document.text {
            self.totals.fault("false_list");
            document.text = lie.into();
        }
    }

    /// Damages, cuts short, replaces or loses the acknowledgement.
    fn garble_greeting(&mut self, documents: &mut Vec<Document>) {
        let chance = self.levels.of(Fault::GarbleGreeting);
        let (rng, totals) = (&mut self.third_rng, &mut self.totals);
        documents.retain_mut(|document| {
            if !matches!(document.kind, Kind::Greeting) || !rng.chance(chance) {
                return true;
            }
            totals.fault(Fault::GarbleGreeting.counted_as());
            match garbled(rng, &document.text) {
                Some(text) => document.text = text.into(),
                None => return false,
            }
            true
        });
    }

    /// Removes the campaign from errors, so that the client must know whose request they answer.
    fn bare(&mut self, documents: &mut [Document]) {
        for document in documents {
            let is_error = document.text.starts_with("{\"type\":\"error\"");
            if is_error
                && self.later_rng.chance(self.levels.of(Fault::BareError))
                && let Some(bare) = without_campaign(&document.text)
            {
                self.totals.fault(Fault::BareError.counted_as());
                document.text = bare.into();
            }
        }
    }

    /// Sends a client's message to the server.
    pub(crate) fn send_up(&mut self, link: LinkId, text: String) {
        let Some(wire) = self.links.get_mut(&link) else { return };
        if !wire.carries(Direction::Up) {
            return;
        }
        let (rng, levels) = (&mut self.net_rng, &self.levels);
        // Without its greeting, a connection is only given up and tried again.
        let greeting = text.contains("connection_init");
        if !greeting && rng.chance(levels.of(Fault::LoseUp)) {
            return self.totals.fault("request_lost");
        }
        let twice = !greeting && rng.chance(levels.of(Fault::DuplicateUp));
        let delay = (self.plan.delay_ms, levels);
        if twice {
            self.totals.fault("request_duplicated");
        }
        let totals = &mut self.totals;
        let mut arrival = || wire.arrival(self.now_ms, rng, delay, Direction::Up, totals);
        if twice {
            self.schedule.plan(arrival(), ScheduledEvent::Hear(link, text.clone()));
        }
        let at_ms = arrival();
        if greeting {
            wire.greeting_arrives(at_ms, Direction::Up);
        }
        self.schedule.plan(at_ms, ScheduledEvent::Hear(link, text));
    }

    pub(crate) fn hear(&mut self, link: LinkId, text: &str) -> Check {
        if !self.server.sessions.contains_key(&link) {
            return Ok(());
        }
        let Some(message) = Message::read(text) else {
            let detail = format!("the server does not understand {text}");
            return Err(Violation { guarantee: "messages", detail });
        };
        let greeting = matches!(message, Message::Init);
        if greeting && text.contains("\"token\"") && self.rng.chance(self.levels.of(Fault::Expire))
        {
            self.totals.fault("token_expired");
            self.hang_up(link, 4401);
            return Ok(());
        }
        if let Message::Recover(_, wanted) = &message {
            let known = Reason::ALL.iter().find(|reason| reason.as_str() == wanted.reason);
            self.totals.met("reason", known.map_or("unknown", |reason| reason.as_str()));
        }
        if let Message::Recover(campaign, wanted) = &message
            && self.rng.chance(self.levels.of(Fault::PutOff))
        {
            self.totals.fault("put_off");
            let data = json!({
                "code": "rate_limited", "message": "later", "campaignId": campaign,
                "requestId": wanted.request, "retryAfterMs": self.rng.pick(RETRY_AFTER_MS),
            });
            self.send_down(link, vec![Document::control(self.now_ms, "error", &data)]);
            return Ok(());
        }
        let is_request = matches!(
            message,
            Message::Recover(..) | Message::StateQuery(..) | Message::Catalogue(..)
        );
        let Server { sessions, storage, .. } = &mut self.server;
        let (answer, outcome) = match sessions.get_mut(&link).map(|it| &mut it.speaker) {
            Some(ServerEnd::Model(session)) => session.receive(self.now_ms, storage, message),
            Some(ServerEnd::Core(socket)) => {
                socket.receive(self.now_ms, text);
                (None, "received")
            }
            None => return Ok(()),
        };
        self.totals.met("answer", outcome);
        self.journal.note(self.now_ms, format_args!("link {link} {outcome} {text}"));
        if let Some(answer) = answer {
            self.send_down(link, vec![answer]);
        }
        self.write_soon(link);
        if is_request { self.ambush(link) } else { Ok(()) }
    }

    pub(crate) fn open(&mut self, link: LinkId) -> Check {
        if !self.links.contains_key(&link) {
            return Ok(());
        }
        let is_blocked = self.clients[link.client].is_blocked(self.now_ms);
        if is_blocked || self.now_ms < self.server.down_until_ms {
            self.totals.fault(if is_blocked { "blocked" } else { "server_down" });
            return self.closed(link, 1006);
        }
        let lags = self.rng.chance(self.levels.of(Fault::Lag));
        let lag_ms = if lags { self.plan.lag_ms } else { 0 };
        if lags {
            self.totals.fault("replica");
        }
        let sees = ReplicaLag { lag_ms, lag_known: self.plan.lag_known };
        // The browser sends the cookie that it has now.
        let user = self.clients[link.client].cookie();
        if let Some(wire) = self.links.get_mut(&link) {
            wire.user = user;
        }
        let speaker = match &self.server.core {
            Some(core) => ServerEnd::Core(Box::new(core.open(self.now_ms, link))),
            None => ServerEnd::Model(Session::new(self.now_ms, sees, user)),
        };
        self.server.sessions.insert(link, Connection::new(speaker));
        let due_ms = self.due_ms(link).unwrap_or(self.now_ms + HEARTBEAT_MS);
        self.schedule.plan(due_ms, ScheduledEvent::Beat(link));
        self.opened(link)
    }

    /// Sends the announcement that the server will close the connection.
    pub(crate) fn drain(&mut self, link: LinkId) {
        self.totals.fault("draining");
        let data = json!({"retryAfterMs": self.rng.pick(RETRY_AFTER_MS)});
        self.send_down(link, vec![Document::control(self.now_ms, "server_draining", &data)]);
    }

    /// Breaks a connection. The server notices at once, the client when the close reaches it.
    pub(crate) fn cut(&mut self, link: LinkId, why: &'static str) {
        self.totals.fault(why);
        self.hang_up(link, 1006);
    }

    pub(crate) fn hang_up(&mut self, link: LinkId, code: u16) {
        self.server.sessions.remove(&link);
        let arrives = self.links.get(&link).is_some_and(|wire| wire.carries(Direction::Down));
        if arrives {
            let at_ms = self.now_ms + self.rng.below(self.plan.delay_ms + 1);
            self.schedule.plan(at_ms, ScheduledEvent::Closed(link, code));
        }
    }

    /// Removes a connection that a client left, after the server has noticed.
    pub(crate) fn forget_link(&mut self, link: LinkId) {
        self.server.sessions.remove(&link);
        self.links.remove(&link);
    }

    pub(crate) fn dial(&mut self, link: LinkId) {
        self.links.insert(link, Link::default());
        let at_ms = self.now_ms + 1 + self.rng.below(2 * self.plan.delay_ms + 1);
        if !self.rng.chance(self.levels.of(Fault::Refuse)) {
            return self.schedule.plan(at_ms, ScheduledEvent::Open(link));
        }
        if self.rng.chance(700) {
            self.totals.fault("refused");
            self.schedule.plan(at_ms, ScheduledEvent::Closed(link, 1006));
        } else {
            self.totals.fault("never_opened");
        }
    }

    pub(crate) fn leave(&mut self, link: LinkId) {
        let arrives = self.links.get(&link).is_some_and(|wire| wire.carries(Direction::Up));
        if !arrives {
            self.links.remove(&link);
        } else {
            let at_ms = self.now_ms + self.rng.below(self.plan.delay_ms + 1);
            self.schedule.plan(at_ms, ScheduledEvent::Left(link));
        }
    }
}

/// The error about a request, without its campaign.
fn without_campaign(text: &str) -> Option<String> {
    let mut document: Value = serde_json::from_str(text).ok()?;
    let data = document["data"].as_object_mut()?;
    data.get("requestId")?.as_str()?;
    data.remove("campaignId")?;
    Some(document.to_string())
}

/// The text with another first digit after `known`. The new digit never makes a number smaller.
fn raise(text: &str, known: &str) -> String {
    let Some(at) = text.find(known).map(|at| at + known.len()) else { return text.to_owned() };
    let (before, after) = text.split_at(at);
    match after.chars().next() {
        Some(first @ '1'..='8') => {
            let more = char::from_digit(first.to_digit(10).unwrap_or(0) + 1, 10).unwrap_or(first);
            format!("{before}{more}{}", &after[1..])
        }
        Some('a'..='f') => format!("{before}0{}", &after[1..]),
        _ => text.to_owned(),
    }
}

/// Documents that do not belong before an acknowledgement.
const FOREIGN: &[&str] = &[
    "<!doctype html><title>502 Bad Gateway</title>",
    "{}",
    "[]",
    "{\"type\":\"hello\"}",
    "{\"type\":\"connection_ack\",\"data\":{}}",
    "{\"type\":\"connection_ack\",\"data\":{\"protocol\":\"soap\"}}",
];

/// A damaged form of an acknowledgement; `None` if it is lost.
fn garbled(rng: &mut Rng, text: &str) -> Option<String> {
    match rng.below(4) {
        0 => None,
        1 => Some(text[..rng.below(text.len() as u64) as usize].to_owned()),
        2 => Some((*rng.pick(FOREIGN)).to_owned()),
        _ => {
            let mut bytes = text.as_bytes().to_vec();
            let at = rng.below(bytes.len() as u64) as usize;
            bytes[at] = b'a' + rng.below(26) as u8;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        }
    }
}
