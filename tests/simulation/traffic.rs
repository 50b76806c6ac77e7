//! What goes over the network: frames of the server, messages of clients, and broken connections.

use campaign_sync::protocol::client::Reason;
use serde_json::json;

use super::faults::RETRY_AFTER_MS;
use super::invariants::{Check, Violation};
use super::network::{Direction, Link, LinkId, distort};
use super::server::message::Message;
use super::server::session::{HEARTBEAT_MS, Session};
use super::server::{Document, Server};
use super::world::{Happening, World};

impl World {
    /// Whatever sessions have to say is written, at their pace.
    pub(crate) fn write_all(&mut self) {
        let links: Vec<LinkId> = self.server.sessions.keys().copied().collect();
        for link in links {
            self.write_soon(link);
        }
    }

    fn write_soon(&mut self, link: LinkId) {
        let Some(session) = self.server.sessions.get_mut(&link) else { return };
        if !std::mem::replace(&mut session.writing, true) {
            let at_ms = self.now_ms + self.rng.below(self.plan.pace_ms + 1);
            self.schedule.plan(at_ms, Happening::Write(link));
        }
    }

    pub(crate) fn write(&mut self, link: LinkId) {
        let Server { sessions, shelf, .. } = &mut self.server;
        let Some(session) = sessions.get_mut(&link) else { return };
        session.writing = false;
        let frames = session.write(self.now_ms, shelf);
        if frames.is_empty() {
            return;
        }
        for documents in frames {
            self.send_down(link, &documents);
        }
        self.write_soon(link);
    }

    pub(crate) fn beat(&mut self, link: LinkId) {
        let Server { sessions, shelf, .. } = &mut self.server;
        let Some(session) = sessions.get_mut(&link) else { return };
        if session.is_idle(self.now_ms) {
            return self.cut(link, "idle");
        }
        if let Some(pong) = session.beat(self.now_ms, shelf) {
            self.send_down(link, &[pong]);
        }
        self.schedule.plan(self.now_ms + HEARTBEAT_MS, Happening::Beat(link));
    }

    fn send_down(&mut self, link: LinkId, documents: &[Document]) {
        let Some(wire) = self.links.get_mut(&link).filter(|wire| !wire.half_open) else { return };
        let (rng, rates) = (&mut self.rng, &self.rates);
        let frame = distort(rng, rates, &mut self.tally, documents);
        let Some(bytes) = frame else { return };
        let at_ms = wire.arrival(self.now_ms, rng, (self.plan.delay_ms, rates), Direction::Down);
        if documents.iter().any(|document| document.greeting) {
            wire.greeting_arrives(at_ms, Direction::Down);
        }
        self.schedule.plan(at_ms, Happening::Arrive(link, bytes));
    }

    /// A client's message sets out for the server.
    pub(crate) fn send_up(&mut self, link: LinkId, text: String) {
        let Some(wire) = self.links.get_mut(&link).filter(|wire| !wire.half_open) else { return };
        let (rng, rates) = (&mut self.rng, &self.rates);
        // Without its greeting a connection would be another dialect's.
        let greeting = text.contains("connection_init");
        if !greeting && rng.chance(rates.lose_up) {
            return self.tally.fault("request_lost");
        }
        let twice = !greeting && rng.chance(rates.duplicate_up);
        let delay = (self.plan.delay_ms, rates);
        let mut arrival = || wire.arrival(self.now_ms, rng, delay, Direction::Up);
        if twice {
            self.tally.fault("request_duplicated");
            self.schedule.plan(arrival(), Happening::Hear(link, text.clone()));
        }
        let at_ms = arrival();
        if greeting {
            wire.greeting_arrives(at_ms, Direction::Up);
        }
        self.schedule.plan(at_ms, Happening::Hear(link, text));
    }

    pub(crate) fn hear(&mut self, link: LinkId, text: &str) -> Check {
        let Server { sessions, shelf, .. } = &mut self.server;
        let Some(session) = sessions.get_mut(&link) else { return Ok(()) };
        let Some(message) = Message::read(text) else {
            let detail = format!("the server does not understand {text}");
            return Err(Violation { guarantee: "messages", detail });
        };
        let greeting = matches!(message, Message::Init);
        if greeting && text.contains("\"token\"") && self.rng.chance(self.rates.expire) {
            self.tally.fault("token_expired");
            self.hang_up(link, 4401);
            return Ok(());
        }
        if let Message::Recover(_, wanted) = &message {
            let known = Reason::ALL.iter().find(|reason| reason.as_str() == wanted.reason);
            self.tally.met("reason", known.map_or("unknown", |reason| reason.as_str()));
        }
        if let Message::Recover(campaign, wanted) = &message
            && self.rng.chance(self.rates.put_off)
        {
            self.tally.fault("put_off");
            let data = json!({
                "code": "rate_limited", "message": "later", "campaignId": campaign,
                "requestId": wanted.request, "retryAfterMs": self.rng.pick(RETRY_AFTER_MS),
            });
            self.send_down(link, &[Document::control(self.now_ms, "error", &data)]);
            return Ok(());
        }
        let (answer, outcome) = session.receive(self.now_ms, shelf, message);
        self.tally.met("answer", outcome);
        self.journal.note(self.now_ms, format_args!("{link:?} {outcome} {text}"));
        if let Some(answer) = answer {
            self.send_down(link, &[answer]);
        }
        self.write_soon(link);
        Ok(())
    }

    pub(crate) fn open(&mut self, link: LinkId) -> Check {
        if !self.links.contains_key(&link) {
            return Ok(());
        }
        if self.now_ms < self.server.down_until_ms {
            self.tally.fault("server_down");
            return self.closed(link, 1006);
        }
        self.server.sessions.insert(link, Session::new(self.now_ms));
        self.schedule.plan(self.now_ms + HEARTBEAT_MS, Happening::Beat(link));
        self.opened(link)
    }

    /// The server announces that it will hang up.
    pub(crate) fn drain(&mut self, link: LinkId) {
        self.tally.fault("draining");
        let data = json!({"retryAfterMs": self.rng.pick(RETRY_AFTER_MS)});
        self.send_down(link, &[Document::control(self.now_ms, "server_draining", &data)]);
    }

    /// The connection is gone, for the server at once, for the client when it hears of it.
    pub(crate) fn cut(&mut self, link: LinkId, why: &'static str) {
        self.tally.fault(why);
        self.hang_up(link, 1006);
    }

    fn hang_up(&mut self, link: LinkId, code: u16) {
        self.server.sessions.remove(&link);
        let half_open = self.links.get(&link).is_none_or(|wire| wire.half_open);
        if !half_open {
            let at_ms = self.now_ms + self.rng.below(self.plan.delay_ms + 1);
            self.schedule.plan(at_ms, Happening::Closed(link, code));
        }
    }

    /// A client left, and the server knows.
    pub(crate) fn forget_link(&mut self, link: LinkId) {
        self.server.sessions.remove(&link);
        self.links.remove(&link);
    }

    pub(crate) fn dial(&mut self, link: LinkId) {
        self.links.insert(link, Link::default());
        let at_ms = self.now_ms + 1 + self.rng.below(2 * self.plan.delay_ms + 1);
        if !self.rng.chance(self.rates.refuse) {
            return self.schedule.plan(at_ms, Happening::Open(link));
        }
        if self.rng.chance(700) {
            self.tally.fault("refused");
            self.schedule.plan(at_ms, Happening::Closed(link, 1006));
        } else {
            self.tally.fault("never_opened");
        }
    }

    pub(crate) fn leave(&mut self, link: LinkId) {
        let half_open = self.links.get(&link).is_none_or(|wire| wire.half_open);
        if half_open {
            self.links.remove(&link);
        } else {
            let at_ms = self.now_ms + self.rng.below(self.plan.delay_ms + 1);
            self.schedule.plan(at_ms, Happening::Left(link));
        }
    }
}
