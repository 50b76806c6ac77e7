//! Sealed content: content that does not open at its place is refused, counted and never applied. No event is
//! lost.

use campaign_sync::protocol::seal::{Key, KeyId, associated, associated_part};
use campaign_sync::protocol::{Code, Digest};
use campaign_sync::store::DomainQuery;
use campaign_sync::sync::{Config, Input, Verdict};
use serde_json::{Value, json};

use crate::wire::{
    self, CAMPAIGN, EPOCH, Event, Log, OTHER_EPOCH, Row, Snapshot, digest, message, rows,
    transition,
};
use crate::world::{World, id, text, wire_head};

const SEALED: &str = "campaign-sync.v1.sealed";
/// The name of the key that tests seal with. [`SECOND`] replaces it.
pub(crate) const FIRST: &str = "2031-a";
pub(crate) const SECOND: &str = "2031-b";

pub(crate) fn kid(name: &str) -> KeyId {
    KeyId::new(name).expect("tests use valid names")
}

/// A key that differs for each name.
pub(crate) fn key(name: &str) -> Key {
    let byte = name.bytes().last().unwrap_or_default();
    Key::new(&[byte; 32]).expect("32 bytes")
}

/// Seals the content. The nonce depends on the content and on its place, which is enough for tests.
pub(crate) fn seal(name: &str, associated: &str, content: &str) -> String {
    let mut nonce = [0u8; 12];
    for (index, byte) in associated.bytes().chain(content.bytes()).enumerate() {
        nonce[index % 12] = nonce[index % 12].wrapping_mul(31).wrapping_add(byte);
    }
    key(name).seal(&kid(name), nonce, associated, content)
}

fn sealed_data(name: &str, event: &Event) -> String {
    let list = associated(&event.campaign, &event.epoch, event.number, &event.id, &event.kind);
    seal(name, &list, &event.data)
}

pub(crate) fn sealed(name: &str, log: &Log) -> Log {
    log.clone().with_data(|event| sealed_data(name, event))
}

/// The parts of a snapshot, sealed.
pub(crate) fn sealed_parts(name: &str, snapshot: &Snapshot) -> Vec<Value> {
    snapshot.parts_as_json().iter().map(|part| sealed_part(name, part)).collect()
}

fn sealed_part(name: &str, plain: &Value) -> Value {
    let number = |member: &str| plain[member].as_u64().expect("a number");
    let texts = ["campaignId", "epoch", "eventId"].map(|member| text(&plain[member]));
    let list = associated_part(
        [&texts[0], &texts[1], &texts[2]],
        number("sequenceNumber"),
        ["part", "parts", "domainsCount"].map(number),
        Digest::parse(&text(&plain["domainsDigest"])).expect("a digest"),
    );
    let mut part = plain.clone();
    let mut content = json!({});
    let members = part.as_object_mut().expect("an object");
    for member in ["campaign", "domains"] {
        if let Some(value) = members.remove(member) {
            content[member] = value;
        }
    }
    part["content"] = serde_json::from_str(&seal(name, &list, &content.to_string())).expect("JSON");
    part
}

/// A client with these keys that accepts sealed content only, connected to a server that seals.
pub(crate) fn connected_with(config: Config, names: &[&str]) -> World {
    let mut world = World::new(config);
    world.input(Input::Seal);
    for name in names {
        world.input(Input::AddKey(kid(name), key(name)));
    }
    world.input(Input::Retain(id(CAMPAIGN)));
    world.input(Input::Connect);
    world.open();
    assert_eq!(world.receive(&wire::ack_of(SEALED)), Verdict::Control);
    world
}

pub(crate) fn connected() -> World {
    connected_with(Config::default(), &[FIRST])
}

/// A world that has replayed the sealed log. A heartbeat has confirmed it, so its status is `live`.
pub(crate) fn following(log: &Log) -> World {
    let mut world = connected();
    world.replay(&sealed(FIRST, log), 1, log.head());
    world.pong(log.head());
    assert_eq!((world.position(), &*world.status()), (log.head(), "live"));
    world.clear();
    world
}

/// Checks that the client shows the server's state at the end of the log.
fn assert_caught_up(mut world: World, log: &Log) {
    let rows = world.rows().len() as u64;
    world.pong(log.head());
    assert_eq!((world.position(), rows, &*world.status()), (log.head(), log.head() - 1, "live"));
    assert_eq!(world.view()["error"], Value::Null);
}

// R19.10, R19.15
#[test]
fn a_sealed_log_is_followed_as_a_plain_one() {
    let mut log = Log::with_rows(3);
    log.push(
        "campaign.phase.transition",
        &transition("domain_generation", "dns_validation", "configured", &rows(3)),
    );
    let mut world = following(&log);
    assert_eq!(world.view()["campaign"]["currentPhase"], "dns_validation");
    assert_eq!(world.rows()[2]["domain"], "name2.example");
    let late = log.update(json!([{"domainId": "d-0", "dnsStatus": "resolved"}]));
    let ahead = log.update(json!([{"domainId": "d-1", "dnsStatus": "timeout"}]));
    let sealed = sealed(FIRST, &log);
    assert_eq!(world.receive(&sealed.document(ahead.number)), Verdict::Held);
    assert_eq!(world.receive(&sealed.document(late.number)), Verdict::Applied);
    assert_eq!(world.position(), log.head(), "what was held is opened when it is next");
    assert_eq!(world.rows()[1]["dnsStatus"], "timeout");
    assert_eq!(world.receive(&sealed.document(late.number)), Verdict::Duplicate);
}

// R19.1
#[test]
fn client_with_sealing_offers_only_the_sealed_protocol() {
    let world = connected();
    let init = world.last_sent("connection_init").expect("sent");
    assert_eq!(init["protocols"], json!([SEALED]));
}

/// Events with correct hashes whose sealed content belongs to another place. Each is the next event of `log`;
/// the other place differs in one member.
fn moved(log: &Log) -> Vec<(&'static str, Event)> {
    let next = log.next("domains.removed", &json!({"campaignId": CAMPAIGN, "domainIds": ["d-0"]}));
    let from = |elsewhere: Event| Event { data: sealed_data(FIRST, &elsewhere), ..next.clone() };
    vec![
        ("campaign", from(Event { campaign: "campaign-2".into(), ..next.clone() })),
        ("epoch", from(Event { epoch: OTHER_EPOCH.into(), ..next.clone() })),
        ("number", from(Event { number: next.number + 1, ..next.clone() })),
        ("id", from(Event { id: "another".into(), ..next.clone() })),
        ("type", from(Event { kind: "campaign.deleted".into(), ..next.clone() })),
    ]
}

// R19.14
#[test]
fn moved_sealed_event_is_refused_and_recovered() {
    let mut log = Log::with_rows(3);
    let (before, cases) = (log.head(), moved(&log));
    log.generate(3);
    for (what, event) in cases {
        let mut world = following(&log.clone_to(before));
        assert_eq!(world.receive(&event.document()), Verdict::Refused(Code::SealBroken), "{what}");
        assert_eq!((world.position(), world.rows().len()), (before, 3), "{what}");
        assert_eq!(world.metrics().refused.of(Code::SealBroken), 1, "{what}");
        assert_eq!(world.notice("rejected")["code"], "seal_broken", "{what}");
        assert_eq!(world.view()["error"]["code"], "seal_broken", "{what}");
        assert_eq!(world.request()["reason"], "hash", "{what}");
        world.replay(&sealed(FIRST, &log), before + 1, before + 1);
        world.pong_with(json!([head_with_claim(&log, &rows(4))]));
        assert_caught_up(world, &log);
    }
}

// R19.14
#[test]
fn sealed_rest_answer_in_place_of_an_event_is_refused() {
    let log = Log::with_rows(3);
    let next = log.next("domains.removed", &json!({"campaignId": CAMPAIGN, "domainIds": ["d-0"]}));
    for route in
        ["rest.campaign", "rest.change", "rest.domains", "rest.snapshot", "rest.transitions"]
    {
        // The server sealed this content for a REST answer at the next number. It replaces the next event.
        let answer = Event { kind: route.into(), data: "{}".into(), ..next.clone() };
        let answer = Event { data: sealed_data(FIRST, &answer), ..answer };
        let mut world = following(&log);
        assert_eq!(
            world.receive(&answer.document()),
            Verdict::Refused(Code::SealBroken),
            "{route}"
        );
        assert_eq!((world.position(), &*world.request()["reason"].to_string()), (4, "\"hash\""));
    }
}

pub(crate) fn head_with_claim(log: &Log, rows: &[Row]) -> Value {
    let mut head = wire_head(EPOCH, log.head(), log.head());
    head["domainsCount"] = rows.len().into();
    head["domainsDigest"] = digest(rows).into();
    head
}

// R19.14
#[test]
fn event_that_never_opens_is_skipped_by_a_snapshot() {
    let mut log = Log::with_rows(3);
    let broken = log.generate(3);
    let broken = Event {
        data: sealed_data(FIRST, &broken).replace("sealed\":\"", "sealed\":\"A"),
        ..broken
    };
    let mut world = following(&log.clone_to(4));
    world.receive(&broken.document());
    for _ in 0..2 {
        assert_eq!(world.request().get("prefer"), None);
        world.answer("replay", EPOCH, 5, 5);
        assert_eq!(world.receive(&broken.document()), Verdict::Refused(Code::SealBroken));
        world.advance(600);
    }
    assert_eq!(world.request()["prefer"], "snapshot");
    answer_snapshot(&mut world, FIRST, 5, rows(4));
    assert_caught_up(world, &log);
}

pub(crate) fn answer_snapshot(world: &mut World, name: &str, at: u64, rows: Vec<Row>) {
    let snapshot = Snapshot::new(EPOCH, at, &world.request_id(), rows);
    world.answer("snapshot", EPOCH, at + 1, at);
    for part in sealed_parts(name, &snapshot) {
        world.receive(&message("campaign.snapshot", &part));
    }
}

// R19.19
#[test]
fn requests_for_undecryptable_content_are_rate_limited() {
    let mut log = Log::with_rows(3);
    let mut world = following(&log);
    let next = log.generate(3);
    // The content has the right key name but is sealed with another key.
    let wrong = Event { data: sealed_data(SECOND, &next).replace(SECOND, FIRST), ..next };
    world.receive(&wrong.document());
    let mut answered = 0;
    for _ in 0..60 {
        if world.requests() > answered {
            answered = world.requests();
            if world.request()["prefer"] == "snapshot" {
                let snapshot = Snapshot::new(EPOCH, 5, &world.request_id(), rows(4));
                world.answer("snapshot", EPOCH, 6, 5);
                for part in sealed_parts(SECOND, &snapshot) {
                    let part = message("campaign.snapshot", &part).replace(SECOND, FIRST);
                    assert_eq!(world.receive(&part), Verdict::Refused(Code::SealBroken));
                }
            } else {
                world.answer("replay", EPOCH, 5, 5);
                world.receive(&wrong.document());
            }
        }
        world.advance(1_000);
        world.pong(5);
    }
    assert!((3..=11).contains(&world.requests()), "{} in a minute", world.requests());
    assert_eq!((world.position(), world.rows().len()), (4, 3));
    assert_eq!(world.view()["error"]["code"], "seal_broken");
}

// R19.13, R19.16
#[test]
fn missing_key_is_awaited_without_loss_of_events() {
    let mut log = Log::with_rows(3);
    let mut world = following(&log);
    let rotated = log.generate(3);
    log.generate(4);
    let whole = log.clone().with_data(|event| {
        sealed_data(if event.number < rotated.number { FIRST } else { SECOND }, event)
    });
    let verdict = world.receive(&whole.document(rotated.number));
    assert_eq!(verdict, Verdict::Refused(Code::UnknownKey));
    assert_eq!((world.position(), &*world.status()), (4, "failed(unknown_key)"));
    assert_eq!(world.notice("unknownkey"), json!({"campaignId": CAMPAIGN, "kid": SECOND}));
    assert_eq!(world.receive(&whole.document(rotated.number + 1)), Verdict::Ignored);
    for _ in 0..60 {
        world.advance(5_000);
        world.pong(6);
    }
    assert_eq!((world.requests(), world.rows().len()), (0, 3), "nothing is asked meanwhile");
    world.input(Input::AddKey(kid(SECOND), key(SECOND)));
    assert_eq!(world.status(), "recovering");
    assert_eq!(world.request()["lastSequenceNumber"], 4);
    world.replay(&whole, 5, 6);
    assert_caught_up(world, &log);
}

// R19.16
#[test]
fn missing_key_is_requested_again_on_the_next_socket() {
    let mut log = Log::with_rows(3);
    let mut world = following(&log);
    let next = log.generate(3);
    let sealed_next = Event { data: sealed_data(SECOND, &next), ..next };
    let verdict = world.receive(&sealed_next.document());
    assert_eq!(verdict, Verdict::Refused(Code::UnknownKey));
    world.clear();
    reconnect(&mut world);
    assert_eq!((world.requests(), &world.request()["lastSequenceNumber"]), (1, &json!(4)));
}

#[test]
fn wrong_key_can_be_replaced() {
    let log = Log::with_rows(3);
    let mut world = connected_with(Config::default(), &[]);
    world.input(Input::AddKey(kid(FIRST), key(SECOND)));
    world.answer("replay", EPOCH, 1, 4);
    assert_eq!(world.receive(&sealed(FIRST, &log).document(1)), Verdict::Refused(Code::SealBroken));
    world.input(Input::AddKey(kid(FIRST), key(FIRST)));
    world.replay(&sealed(FIRST, &log), 1, 4);
    assert_eq!((world.position(), world.rows().len()), (4, 3));
}

#[test]
fn several_keys_open_one_log() {
    let log = Log::with_rows(4);
    let mut world = connected_with(Config::default(), &[SECOND, FIRST]);
    let mixed = log
        .clone()
        .with_data(|event| sealed_data(if event.number % 2 == 0 { FIRST } else { SECOND }, event));
    world.replay(&mixed, 1, 5);
    assert_eq!((world.position(), world.rows().len()), (5, 4));
}

// R19.12, R19.20
#[test]
fn plain_content_is_refused_in_events_and_snapshots() {
    let mut log = Log::with_rows(3);
    let mut world = following(&log);
    for kind in ["domains.removed", "campaign.deleted", "of.a.later.version"] {
        let event = log.next(kind, &json!({"campaignId": CAMPAIGN, "domainIds": ["d-0"]}));
        assert_eq!(world.receive(&event.document()), Verdict::Refused(Code::NotSealed), "{kind}");
    }
    assert_eq!((world.position(), world.rows().len()), (4, 3));
    log.generate(3);
    world.replay(&sealed(FIRST, &log), 5, 5);
    assert_eq!(world.position(), 5);
    reconnect(&mut world);
    let snapshot = Snapshot::new(EPOCH, 50, &world.request_id(), rows(2));
    world.answer("snapshot", EPOCH, 51, 50);
    assert_eq!(world.receive(&snapshot.parts()[0]), Verdict::Refused(Code::NotSealed));
    assert_eq!((world.position(), world.rows().len()), (5, 4));
}

pub(crate) fn reconnect(world: &mut World) {
    let before = world.opened.len();
    world.close(1006);
    world.advance_until(|world| world.opened.len() > before);
    world.open();
    world.receive(&wire::ack_of(SEALED));
}

// R19.4
#[test]
fn server_without_sealing_is_not_followed() {
    let mut world = World::new(Config::default());
    world.input(Input::Seal);
    world.input(Input::Retain(id(CAMPAIGN)));
    world.input(Input::Connect);
    world.open();
    for socket in 1..=3 {
        world.receive(&wire::ack());
        if socket < 3 {
            world.advance_until(|world| world.opened.len() == socket + 1);
            world.open();
        }
    }
    assert_eq!(world.status(), "failed(not_sealed)");
    world.advance(600_000);
    assert_eq!(world.opened.len(), 3, "trying again would not help");
}

#[test]
fn client_without_keys_fails_permanently_on_a_sealing_server() {
    let mut world = World::new(Config::default());
    world.input(Input::Retain(id(CAMPAIGN)));
    world.input(Input::Connect);
    world.open();
    for socket in 1..=3 {
        world.receive(&wire::ack_of(SEALED));
        if socket < 3 {
            world.advance_until(|world| world.opened.len() == socket + 1);
            world.open();
        }
    }
    assert_eq!(world.status(), "failed(unsupported_protocol)");
    world.advance(600_000);
    assert_eq!(world.opened.len(), 3);
}

#[test]
fn sealed_content_on_a_plain_client_is_rejected_without_a_loop() {
    let mut log = Log::with_rows(3);
    let mut world = World::following(&log);
    log.generate(3);
    let document = sealed(FIRST, &log).document(5);
    assert_eq!(world.receive(&document), Verdict::Rejected);
    let mut answered = 0;
    for _ in 0..60 {
        if world.requests() > answered {
            answered = world.requests();
            let snapshot = Snapshot::new(EPOCH, 5, &world.request_id(), rows(4));
            world.answer("snapshot", EPOCH, 6, 5);
            world.receive(&message("campaign.snapshot", &sealed_parts(FIRST, &snapshot)[0]));
        }
        world.advance(1_000);
        world.pong(5);
    }
    assert!((1..=11).contains(&world.requests()), "{} in a minute", world.requests());
    assert_eq!((world.position(), world.rows().len()), (4, 3));
    assert_ne!(world.status(), "live");
}

#[test]
fn keys_have_32_bytes_and_are_never_shown() {
    for length in [0, 16, 31, 33, 64] {
        assert_eq!(Key::new(&vec![7; length]).err(), Some(Code::InvalidContent), "{length}");
    }
    for name in ["", "a b", "a\"b", &"a".repeat(65)] {
        assert_eq!(KeyId::new(name).err(), Some(Code::InvalidContent), "{name}");
    }
    assert_eq!(format!("{:?}", key(FIRST)), "Key(..)");
    let mut world = connected_with(Config { log: true, ..Config::default() }, &[FIRST]);
    world.replay(&sealed(FIRST, &Log::with_rows(2)), 1, 3);
    let query = DomainQuery::default();
    assert!(world.machine.domains(CAMPAIGN, &query).is_some());
    let shown = format!("{:?} {:?} {:?}", world.machine, world.logs, world.notices);
    let secret = format!("{:?}", [b'a'; 4]);
    assert!(shown.contains("Key(..)") && !shown.contains(secret.trim_matches(['[', ']'])));
}
