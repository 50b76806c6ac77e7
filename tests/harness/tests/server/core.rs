//! Sessions without sockets, over a log in memory and with a simulated clock.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use campaign_sync_harness::access::Access;
use campaign_sync_harness::clock::Moment;
use campaign_sync_harness::hub::Hub;
use campaign_sync_harness::log::EventLog;
use campaign_sync_harness::session::limits::Delivery;
use campaign_sync_harness::session::{Context, Session, Step};
use campaign_sync_harness::snapshots::Snapshots;
use campaign_sync_support::MemoryLog;
use serde_json::{Value, json};

use super::log::{created, id, row, rows};
use super::support::{Copy, parse};

pub(crate) struct CoreFixture {
    pub(crate) context: Arc<Context>,
    pub(crate) session: Session,
    pub(crate) now_ms: u64,
}

pub(crate) fn at(ms: u64) -> Moment {
    Moment { monotonic_ms: ms, wall_ms: 1_900_000_000_000 + ms }
}

impl CoreFixture {
    /// A campaign with `events` events, and a session whose client has sent nothing.
    pub(crate) fn silent(events: u64) -> Self {
        Self::over(Arc::new(MemoryLog::new("epoch-1")), events)
    }

    /// Like `silent`, over another log.
    pub(crate) fn over(log: Arc<dyn EventLog>, events: u64) -> Self {
        let fixture = Self::with(log, Access::open());
        fixture.append_to(events);
        fixture
    }

    /// A session without a campaign, for the users that `access` knows.
    pub(crate) fn with(log: Arc<dyn EventLog>, access: Access) -> Self {
        let hub = Arc::new(Hub::new(log));
        let context = Arc::new(Context {
            hub,
            snapshots: Snapshots::default(),
            access,
            heartbeat_ms: 5_000,
            delivery: Delivery::default(),
            drain_spread_ms: 4_000,
            one_event_per_frame: AtomicBool::new(false),
        });
        let session = Session::open(at(0), context.clone(), "s1".into(), Arc::default());
        Self { context, session, now_ms: 0 }
    }

    /// Like `silent`, greeted and subscribed.
    pub(crate) fn subscribed(events: u64) -> Self {
        Self::silent(events).greeted()
    }

    pub(crate) fn greeted(self) -> Self {
        let mut fixture = self;
        fixture.say(json!({"type": "connection_init", "protocols": ["campaign-sync.v1"]}));
        fixture.say(json!({"type": "subscribe_campaign", "campaignId": "c1"}));
        let kinds: Vec<String> = fixture.hear().iter().map(|it| kind(it)).collect();
        assert_eq!(kinds, ["connection_ack", "subscription_confirmed"]);
        fixture
    }

    /// Appends until the campaign has that many events.
    pub(crate) fn append_to(&self, to: u64) {
        let hub = &self.context.hub;
        let head = hub.head(&id()).unwrap().map_or(0, |head| head.number);
        for number in head..to {
            let draft = if number == 0 { created() } else { row(number) };
            hub.append(&id(), number, &[draft]).unwrap();
        }
    }

    pub(crate) fn say(&mut self, message: Value) {
        self.session.receive(at(self.now_ms), &message.to_string());
    }

    pub(crate) fn recover(&mut self, payload: Value) {
        self.say(json!({"type": "request_event_recovery", "payload": payload}));
    }

    pub(crate) fn step(&mut self) -> Step {
        match self.session.poll(at(self.now_ms), false) {
            Step::Blocking => self.session.poll(at(self.now_ms), true),
            step => step,
        }
    }

    /// All documents that the session sends now.
    pub(crate) fn hear(&mut self) -> Vec<String> {
        let mut documents = Vec::new();
        while let Step::Frame(frame) = self.step() {
            documents.extend(frame.text.to_string().split('\n').map(str::to_owned));
        }
        documents
    }
}

pub(crate) fn kind(document: &str) -> String {
    parse(document)["type"].as_str().unwrap().to_owned()
}

pub(crate) fn number(document: &str) -> u64 {
    parse(document)["sequence"]["sequenceNumber"].as_u64().unwrap()
}

pub(crate) fn at_zero() -> Value {
    json!({"campaignId": "c1", "lastSequenceNumber": 0})
}

#[test]
fn a_cursor_is_idle_until_the_first_recovery_request() {
    let mut fixture = CoreFixture::subscribed(3);
    fixture.append_to(5);
    assert!(fixture.hear().is_empty());
    fixture.recover(at_zero());
    let received = fixture.hear();
    assert_eq!(kind(&received[0]), "event_recovery");
    let numbers: Vec<u64> = received[1..].iter().map(|it| number(it)).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    fixture.append_to(6);
    assert_eq!(number(&fixture.hear()[0]), 6);
}

#[test]
fn every_request_seeks_and_replays_the_same_bytes() {
    let mut fixture = CoreFixture::subscribed(6);
    fixture.recover(json!({"campaignId": "c1", "lastSequenceNumber": 2, "epoch": "epoch-1"}));
    let first = fixture.hear();
    fixture.recover(json!({"campaignId": "c1", "lastSequenceNumber": 2, "epoch": "epoch-1"}));
    let again = fixture.hear();
    assert_eq!(first.len(), 5);
    assert_eq!(first[1..], again[1..]);
}

#[test]
fn position_ahead_is_current_if_reached_within_two_seconds() {
    let mut fixture = CoreFixture::subscribed(3);
    fixture.recover(json!({"campaignId": "c1", "lastSequenceNumber": 5, "epoch": "epoch-1"}));
    assert!(fixture.hear().is_empty());
    assert_eq!(fixture.session.timeout_ms(), 2_000);
    fixture.now_ms = 1_999;
    fixture.append_to(5);
    let received = fixture.hear();
    assert_eq!(parse(&received[0])["data"]["outcome"], "current");
    assert_eq!(received.len(), 1);
}

#[test]
fn position_ahead_gets_a_snapshot_if_not_reached_in_time() {
    let mut fixture = CoreFixture::subscribed(3);
    fixture.recover(json!({"campaignId": "c1", "lastSequenceNumber": 9, "epoch": "epoch-1"}));
    assert!(fixture.hear().is_empty());
    fixture.now_ms = 2_000;
    let received = fixture.hear();
    let recovery = &parse(&received[0])["data"];
    assert_eq!(
        (&recovery["outcome"], &recovery["reason"]),
        (&json!("snapshot"), &json!("position_ahead"))
    );
    assert_eq!(
        (&recovery["fromSequenceNumber"], &recovery["toSequenceNumber"]),
        (&json!(4), &json!(3))
    );
    assert_eq!(kind(&received[1]), "campaign.snapshot");
}

#[test]
fn pong_reports_the_written_position_and_digest_at_the_head() {
    let mut fixture = CoreFixture::subscribed(4);
    let pong = |fixture: &mut CoreFixture| {
        fixture.say(json!({"type": "ping", "payload": {"timestamp": 77}}));
        let Step::Frame(frame) = fixture.step() else { panic!("no pong") };
        parse(&frame.text.to_string())["data"].clone()
    };
    assert_eq!(pong(&mut fixture), json!({"timestamp": 77, "heads": []}));
    fixture.recover(at_zero());
    fixture.hear();
    let head = pong(&mut fixture)["heads"][0].clone();
    assert_eq!((&head["lastSequenceNumber"], &head["domainsCount"]), (&json!(4), &json!(3)));
    assert_eq!(head["domainsDigest"].as_str().unwrap().len(), 16);
    fixture.append_to(6);
    let head = pong(&mut fixture)["heads"][0].clone();
    assert_eq!((&head["lastSequenceNumber"], &head["logHead"]), (&json!(4), &json!(6)));
    assert!(head.get("domainsDigest").is_none());
}

#[test]
fn idle_connection_gets_an_unsolicited_pong() {
    let mut fixture = CoreFixture::subscribed(1);
    fixture.now_ms = 4_999;
    assert!(fixture.hear().is_empty());
    fixture.now_ms = fixture.session.timeout_ms();
    assert_eq!(fixture.now_ms, 5_000);
    let received = fixture.hear();
    assert_eq!(parse(&received[0])["data"]["timestamp"], Value::Null);
    assert_eq!(received.len(), 1);
}

#[test]
fn client_without_connection_init_is_closed_after_ten_seconds() {
    let mut fixture = CoreFixture::silent(1);
    assert_eq!(fixture.session.timeout_ms(), 10_000);
    fixture.now_ms = 9_999;
    assert_eq!(fixture.step(), Step::Idle);
    fixture.now_ms = 10_000;
    assert_eq!(fixture.step(), Step::Close(4408, "no connection_init"));
}

#[test]
fn digest_answer_matches_its_position_in_the_stream() {
    let mut fixture = CoreFixture::subscribed(3);
    fixture.recover(at_zero());
    fixture.hear();
    fixture.append_to(5);
    fixture.say(json!({"type": "request_campaign_digest",
        "payload": {"campaignId": "c1", "requestId": "q"}}));
    // More events are appended between the request and the moment at which the socket takes the answer.
    let Step::Frame(first) = fixture.step() else { panic!("nothing came") };
    let first = first.text.to_string();
    assert_eq!(number(first.split('\n').next().unwrap()), 4);
    fixture.append_to(7);
    let mut last = first.split('\n').map(number).next_back().unwrap();
    let mut answered = false;
    for document in fixture.hear() {
        if kind(&document) == "campaign.digest" {
            let data = &parse(&document)["data"];
            assert_eq!((&data["sequenceNumber"], &data["requestId"]), (&json!(last), &json!("q")));
            let rows: u64 =
                data["buckets"].as_array().unwrap().iter().map(|it| it[0].as_u64().unwrap()).sum();
            assert_eq!(rows, last - 1);
            answered = true;
        } else {
            last = number(&document);
        }
    }
    assert!(answered);
    assert_eq!(last, 7);
}

#[test]
fn snapshot_is_never_older_than_the_requested_position() {
    let mut fixture = CoreFixture::subscribed(3);
    fixture.recover(json!({"campaignId": "c1", "lastSequenceNumber": 0, "prefer": "snapshot"}));
    fixture.hear();
    fixture.append_to(5);
    fixture.recover(json!({"campaignId": "c1", "lastSequenceNumber": 5, "epoch": "epoch-1",
        "prefer": "snapshot"}));
    assert_eq!(parse(&fixture.hear()[0])["data"]["toSequenceNumber"], 5);
}

#[test]
fn shared_snapshot_is_followed_by_the_events_after_it() {
    let mut fixture = CoreFixture::subscribed(3);
    fixture.recover(json!({"campaignId": "c1", "lastSequenceNumber": 0, "prefer": "snapshot"}));
    fixture.hear();
    fixture.append_to(5);
    fixture.recover(json!({"campaignId": "c1", "lastSequenceNumber": 0, "prefer": "snapshot"}));
    let received = fixture.hear();
    assert_eq!(parse(&received[0])["data"]["toSequenceNumber"], 3);
    let mut copy = Copy::default();
    received.iter().for_each(|document| copy.hear(document));
    assert_eq!((copy.number, copy.rows.len()), (5, 4));
}

#[test]
fn slow_reader_is_closed_as_lagging_if_its_next_event_is_gone() {
    let mut fixture = CoreFixture::subscribed(3);
    fixture.recover(at_zero());
    fixture.hear();
    fixture.append_to(9);
    fixture.context.hub.log().truncate(&id(), 6).unwrap();
    fixture.context.hub.reread(&id()).unwrap();
    assert!(matches!(fixture.step(), Step::Close(4409, _)));
}

// R9.10
#[test]
fn long_snapshot_has_parts_and_resumes_after_the_last_one() {
    let mut fixture = CoreFixture::subscribed(1);
    for thousand in 0..6u64 {
        let many: Vec<Value> = (0..1_000)
            .map(|n| {
                json!({"domainId": format!("d{thousand}-{n:0>60}"), "domain": "a.example",
                "offset": thousand * 1_000 + n})
            })
            .collect();
        fixture.context.hub.append(&id(), 1 + thousand, &[rows(json!(many))]).unwrap();
    }
    fixture.recover(json!({"campaignId": "c1", "lastSequenceNumber": 0, "prefer": "snapshot"}));
    let received = fixture.hear();
    let parts = parse(&received[1])["data"]["parts"].as_u64().unwrap();
    assert!(parts >= 3, "{parts}");
    assert_eq!(received.len() as u64, 1 + parts);
    assert!(received.iter().all(|document| document.len() <= 256 * 1024));
    fixture.append_to(9);
    fixture.recover(json!({"campaignId": "c1", "lastSequenceNumber": 0, "requestId": "again",
        "resume": {"epoch": "epoch-1", "at": 7, "afterPart": 1}}));
    let resumed = fixture.hear();
    assert_eq!(parse(&resumed[0])["data"]["reason"], "resumed");
    let second = &parse(&resumed[1])["data"];
    assert_eq!((&second["part"], &second["requestId"]), (&json!(2), &json!("again")));
    let mut copy = Copy::default();
    received[..2].iter().chain(&resumed[1..]).for_each(|document| copy.hear(document));
    assert_eq!((copy.number, copy.rows.len()), (9, 6_002));
    fixture.now_ms += 61_000;
    fixture.recover(json!({"campaignId": "c1", "lastSequenceNumber": 0, "prefer": "snapshot",
        "resume": {"epoch": "epoch-1", "at": 7, "afterPart": 1}}));
    let restarted = fixture.hear();
    let first = restarted.iter().find(|it| kind(it) == "campaign.snapshot").unwrap();
    assert_eq!(parse(first)["data"]["part"], 1);
}
