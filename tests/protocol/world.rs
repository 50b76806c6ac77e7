//! A machine, a fake clock, and all effects that the machine requested, sorted by kind.

use campaign_sync::protocol::frame::Frame;
use campaign_sync::protocol::{CampaignId, Code, Epoch, Position, SequenceNumber};
use campaign_sync::store::DomainQuery;
use campaign_sync::sync::input::{ConnectionId, Ticket, Wake};
use campaign_sync::sync::log::LogRecord;
use campaign_sync::sync::metrics::Metrics;
use campaign_sync::sync::notice::Detail;
use campaign_sync::sync::{
    Config, Effect, Input, Machine, Notice, Now, Outcome, Timestamp, Verdict,
};
use serde_json::{Value, json};

use crate::wire::{self, CAMPAIGN, EPOCH, Log, Row, Snapshot};
use crate::writing::{assert_well_written, plain};

/// More timers than this within one call of `advance` are a busy loop.
const TIMERS_MAX: usize = 10_000;

/// A driver that only records the effects of the machine.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) machine: Machine,
    pub(crate) now: Now,
    pub(crate) sent: Vec<Value>,
    pub(crate) notices: Vec<Notice>,
    pub(crate) logs: Vec<LogRecord>,
    pub(crate) opened: Vec<ConnectionId>,
    pub(crate) closed: Vec<(ConnectionId, u16)>,
    pub(crate) tokens: Vec<Ticket>,
    pub(crate) fetches: Vec<Ticket>,
    pub(crate) renewals: Vec<(Ticket, u32)>,
    /// The number of sessions whose data the driver dropped.
    pub(crate) signed_out: usize,
    pub(crate) settled: Vec<(Ticket, Option<Code>)>,
}

pub(crate) fn id(text: &str) -> CampaignId {
    CampaignId::new(text).expect("tests use valid ids")
}

impl World {
    pub(crate) fn new(config: Config) -> Self {
        Self::seeded(config, 7)
    }

    pub(crate) fn seeded(config: Config, seed: u64) -> Self {
        Self {
            machine: Machine::new(config, seed),
            now: Now { at: Timestamp(1_000), wall_ms: 1_900_000_000_000 },
            sent: Vec::new(),
            notices: Vec::new(),
            logs: Vec::new(),
            opened: Vec::new(),
            closed: Vec::new(),
            tokens: Vec::new(),
            fetches: Vec::new(),
            renewals: Vec::new(),
            signed_out: 0,
            settled: Vec::new(),
        }
    }

    /// A world that retains the campaign on an open socket, before the server's acknowledgement.
    pub(crate) fn negotiating(config: Config) -> Self {
        let mut world = Self::new(config);
        world.input(Input::Retain(id(CAMPAIGN)));
        world.input(Input::Connect);
        world.open();
        world
    }

    /// A world that is connected to a v1 server and retains the campaign. Its first recovery request is sent.
    pub(crate) fn connected(config: Config) -> Self {
        let mut world = Self::new(config);
        world.input(Input::Retain(id(CAMPAIGN)));
        world.connect();
        world
    }

    /// A world that has replayed all of `log`. A heartbeat has confirmed it, so its status is `live`.
    pub(crate) fn following(log: &Log) -> Self {
        Self::following_with(log, Config::default())
    }

    pub(crate) fn following_with(log: &Log, config: Config) -> Self {
        let mut world = Self::connected(config);
        world.replay(log, 1, log.head());
        world.pong(log.head());
        assert_eq!((world.position(), &*world.status()), (log.head(), "live"));
        world.clear();
        world
    }

    /// Connects, and answers as a v1 server.
    pub(crate) fn connect(&mut self) {
        self.input(Input::Connect);
        self.open();
        assert_eq!(self.receive(&wire::ack()), Verdict::Control);
    }

    /// Opens the newest socket.
    pub(crate) fn open(&mut self) {
        let socket = self.socket();
        self.input(Input::Opened(socket));
    }

    /// Closes the socket, opens the next one that the machine requests, and acknowledges v1 again.
    pub(crate) fn reconnect(&mut self) {
        let before = self.opened.len();
        self.close(1006);
        self.advance_until(|world| world.opened.len() > before);
        self.open();
        self.receive(&wire::ack());
    }

    pub(crate) fn close(&mut self, code: u16) {
        let socket = self.socket();
        self.input(Input::Closed(socket, code));
    }

    /// The newest socket.
    pub(crate) fn socket(&self) -> ConnectionId {
        *self.opened.last().expect("the machine asked for a socket")
    }

    /// Handles an input that the machine must not ignore as late.
    pub(crate) fn input(&mut self, input: Input<'_>) {
        let outcome = self.handle(input);
        assert!(!outcome.ignored_late, "the input does not count");
    }

    pub(crate) fn handle(&mut self, input: Input<'_>) -> Outcome {
        let outcome = self.machine.handle(self.now, input);
        while let Some(effect) = self.next_effect() {
            match effect {
                Effect::Open(socket) => self.opened.push(socket),
                Effect::Send(socket, text) => {
                    assert_eq!(socket, self.socket(), "nothing is sent on an old socket");
                    self.sent.push(serde_json::from_str(&text).expect("only JSON is sent"));
                    assert_well_written(&text);
                }
                Effect::CloseSocket(socket, code) => self.closed.push((socket, code)),
                Effect::RequestToken(ticket) => self.tokens.push(ticket),
                Effect::FetchSnapshot(ticket, _) => self.fetches.push(ticket),
                Effect::RenewSession(ticket, attempt) => self.renewals.push((ticket, attempt)),
                Effect::SignedOut => self.signed_out += 1,
                Effect::Notify(notice) => {
                    self.assert_status_is_true(&notice);
                    self.notices.push(notice);
                }
                Effect::Settle(ticket, code) => self.settled.push((ticket, code)),
                Effect::Changed => {}
                Effect::Log(record) => self.logs.push(record),
            }
        }
        outcome
    }

    /// A listener of `statuschange` reads the status that the event names.
    fn assert_status_is_true(&self, notice: &Notice) {
        if let Detail::StatusChange { status, reason } = &notice.detail {
            let campaign_id = notice.campaign_id.as_ref().expect("a status is of a campaign");
            let read = self.machine.status(campaign_id.as_str(), self.now);
            let read = read.map(|status| (status.as_str(), status.reason()));
            assert_eq!(read, Some((*status, *reason)), "{campaign_id}");
        }
    }

    fn next_effect(&mut self) -> Option<Effect> {
        let some = self.machine.has_effects();
        let effect = self.machine.poll_effect();
        assert!(effect.is_none() || some, "{effect:?}");
        effect
    }

    /// Delivers one document and returns its verdict.
    pub(crate) fn receive(&mut self, document: &str) -> Verdict {
        let outcome = self.frame(document);
        assert_eq!(outcome.verdicts.len(), 1, "{outcome:?}");
        outcome.verdicts[0]
    }

    pub(crate) fn frame(&mut self, text: &str) -> Outcome {
        self.handle(Input::Received(self.socket(), Frame::Text(text)))
    }

    /// Advances both clocks; timers fire when they are due.
    pub(crate) fn advance(&mut self, ms: u64) {
        let end = self.now.at + ms;
        for _ in 0..TIMERS_MAX {
            match self.machine.poll_timeout() {
                Some(due) if due <= end => self.fire(due),
                _ => {
                    self.pass(end.since(self.now.at));
                    return;
                }
            }
        }
        panic!("the timer never rests");
    }

    /// Fires timers until `happened` returns true.
    pub(crate) fn advance_until(&mut self, happened: impl Fn(&Self) -> bool) {
        for _ in 0..TIMERS_MAX {
            if happened(self) {
                return;
            }
            let due = self.machine.poll_timeout().expect("nothing will ever happen");
            self.fire(due);
        }
        panic!("it never happened");
    }

    /// As [`World::advance_until`], with a frame from the server each second, so that the socket stays alive.
    pub(crate) fn keep_alive_until(&mut self, happened: impl Fn(&Self) -> bool) {
        for _ in 0..TIMERS_MAX {
            if happened(self) {
                return;
            }
            self.advance(1_000);
            let _unknown = self.frame(&wire::message("later", &json!({})));
        }
        panic!("it never happened");
    }

    fn fire(&mut self, due: Timestamp) {
        self.pass(due.since(self.now.at));
        self.input(Input::Woke(Wake::Timer));
    }

    /// Advances both clocks without an input to the machine.
    pub(crate) fn pass(&mut self, ms: u64) {
        self.now.at = self.now.at + ms;
        self.now.wall_ms += ms as i64;
    }

    /// Answers the last recovery request with a replay of these events of `log`.
    pub(crate) fn replay(&mut self, log: &Log, from: u64, to: u64) {
        self.answer("replay", EPOCH, from, to);
        if from <= to {
            let outcome = self.frame(&log.frame(from, to));
            assert_eq!(outcome.refused, None);
        }
    }

    /// Answers the last recovery request.
    pub(crate) fn answer(&mut self, outcome: &str, epoch: &str, from: u64, to: u64) {
        let answer = wire::recovery(outcome, epoch, &self.request_id(), from, to);
        assert_eq!(self.receive(&answer), Verdict::Control);
    }

    /// Answers the last recovery request with a snapshot and sends all its parts.
    pub(crate) fn answer_snapshot(&mut self, epoch: &str, at: u64, rows: Vec<Row>) {
        let snapshot = Snapshot::new(epoch, at, &self.request_id(), rows);
        self.answer("snapshot", epoch, at + 1, at);
        for part in snapshot.parts() {
            assert_eq!(self.receive(&part), Verdict::Control);
        }
    }

    /// Answers the last ping, if one was sent. `head` is the last number of both the socket and the log.
    pub(crate) fn pong(&mut self, head: u64) -> Verdict {
        self.pong_with(json!([wire_head(EPOCH, head, head)]))
    }

    pub(crate) fn pong_with(&mut self, heads: Value) -> Verdict {
        let echo = self.last_sent("ping").map(|ping| ping["payload"]["timestamp"].clone());
        let data = json!({"timestamp": echo, "heads": heads});
        self.receive(&wire::message("pong", &data))
    }

    pub(crate) fn last_sent(&self, kind: &str) -> Option<&Value> {
        self.sent.iter().rev().find(|message| message["type"] == kind)
    }

    pub(crate) fn count_sent(&self, kind: &str) -> usize {
        self.sent.iter().filter(|message| message["type"] == kind).count()
    }

    /// The payload of the last recovery request.
    pub(crate) fn request(&self) -> &Value {
        &self.last_sent("request_event_recovery").expect("a recovery was asked for")["payload"]
    }

    pub(crate) fn request_id(&self) -> String {
        text(&self.request()["requestId"])
    }

    /// The number of recovery requests since [`World::clear`].
    pub(crate) fn requests(&self) -> usize {
        self.count_sent("request_event_recovery")
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        self.machine.metrics()
    }

    pub(crate) fn status(&self) -> String {
        self.status_of(CAMPAIGN)
    }

    pub(crate) fn status_of(&self, campaign: &str) -> String {
        self.machine.status(campaign, self.now).expect("the campaign is held").to_string()
    }

    pub(crate) fn view(&self) -> Value {
        let view = self.machine.view(CAMPAIGN, self.now).expect("the campaign is held");
        plain(&view)
    }

    /// The last applied number.
    pub(crate) fn position(&self) -> u64 {
        self.machine.subscription(CAMPAIGN).expect("the campaign is held").applied().get()
    }

    pub(crate) fn rows(&mut self) -> Vec<Value> {
        let query = DomainQuery { limit: 1_000, ..DomainQuery::default() };
        let page = self.machine.domains(CAMPAIGN, &query).expect("the campaign is held");
        page.rows.iter().map(|row| plain(row)).collect()
    }

    /// The kinds of the notices so far, in order.
    pub(crate) fn kinds(&self) -> Vec<&'static str> {
        self.notices.iter().map(Notice::kind).collect()
    }

    pub(crate) fn notice(&self, kind: &str) -> Value {
        let notice = self.notices.iter().rev().find(|notice| notice.kind() == kind);
        let notice = notice.unwrap_or_else(|| panic!("no {kind} in {:?}", self.kinds()));
        plain(notice)
    }

    /// Clears all recorded effects except the opened sockets.
    pub(crate) fn clear(&mut self) {
        self.sent.clear();
        self.notices.clear();
        self.logs.clear();
        self.closed.clear();
        self.tokens.clear();
        self.fetches.clear();
        self.renewals.clear();
        self.signed_out = 0;
        self.settled.clear();
    }
}

/// A campaign's head as a pong contains it.
pub(crate) fn wire_head(epoch: &str, last: u64, log: u64) -> Value {
    json!({"campaignId": CAMPAIGN, "epoch": epoch, "lastSequenceNumber": last, "logHead": log})
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

pub(crate) fn position(epoch: &str, number: u64) -> Position {
    Position {
        epoch: Epoch::new(epoch).expect("tests use valid epochs"),
        sequence_number: SequenceNumber::new(number).expect("tests use small numbers"),
        event_id: String::new(),
    }
}
