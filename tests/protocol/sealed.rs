//! Sealed content: what does not open where it belongs is refused, counted and never applied, and
//! nothing is lost by it.

use campaign_sync::protocol::seal::{Key, KeyId, associated, associated_part};
use campaign_sync::protocol::{Code, Digest};
use campaign_sync::store::DomainQuery;
use campaign_sync::sync::{Config, Input, Verdict};
use serde_json::{Value, json};

use crate::wire::{
    self, CAMPAIGN, EPOCH, Event, Log, OTHER_EPOCH, Row, Snapshot, buckets, digest, message, rows,
    transition,
};
use crate::world::{World, id, text, wire_head};

const SEALED: &str = "campaign-sync.v1.sealed";
/// The key that tests seal with, and the one that takes its place.
const FIRST: &str = "2031-a";
const SECOND: &str = "2031-b";

fn kid(name: &str) -> KeyId {
    KeyId::new(name).expect("tests use valid names")
}

/// Another key for every name.
fn key(name: &str) -> Key {
    let byte = name.bytes().last().unwrap_or_default();
    Key::new(&[byte; 32]).expect("32 bytes")
}

/// Seals; the nonce differs wherever the content or its place does, which is enough for tests.
fn seal(name: &str, associated: &str, content: &str) -> String {
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

fn sealed(name: &str, log: &Log) -> Log {
    log.clone().with_data(|event| sealed_data(name, event))
}

/// The parts of a snapshot, sealed.
fn sealed_parts(name: &str, snapshot: &Snapshot) -> Vec<Value> {
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

/// A client that takes sealed content only, with these keys, connected to a server that seals.
fn connected_with(config: Config, names: &[&str]) -> World {
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

fn connected() -> World {
    connected_with(Config::default(), &[FIRST])
}

/// Has replayed the sealed log, and a heartbeat has proven it: live.
fn following(log: &Log) -> World {
    let mut world = connected();
    world.replay(&sealed(FIRST, log), 1, log.head());
    world.pong(log.head());
    assert_eq!((world.position(), &*world.status()), (log.head(), "live"));
    world.clear();
    world
}

/// What the page shows is what the server had at the end of the log.
fn assert_caught_up(mut world: World, log: &Log) {
    let rows = world.rows().len() as u64;
    world.pong(log.head());
    assert_eq!((world.position(), rows, &*world.status()), (log.head(), log.head() - 1, "live"));
    assert_eq!(world.view()["error"], Value::Null);
}

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

#[test]
fn it_says_that_it_takes_sealed_content_only() {
    let world = connected();
    let init = world.last_sent("connection_init").expect("sent");
    assert_eq!(init["protocols"], json!([SEALED]));
}

/// Events whose sealed content belongs elsewhere, with a right hash each: the next of `log`, but for
/// one thing.
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

#[test]
fn an_event_that_was_moved_is_refused_and_nothing_is_lost() {
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

#[test]
fn an_answer_of_rest_is_no_event() {
    let log = Log::with_rows(3);
    let next = log.next("domains.removed", &json!({"campaignId": CAMPAIGN, "domainIds": ["d-0"]}));
    for route in
        ["rest.campaign", "rest.change", "rest.domains", "rest.snapshot", "rest.transitions"]
    {
        // What the server sealed for a reader of REST at the next number, in the next event's place.
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

fn head_with_claim(log: &Log, rows: &[Row]) -> Value {
    let mut head = wire_head(EPOCH, log.head(), log.head());
    head["domainsCount"] = rows.len().into();
    head["domainsDigest"] = digest(rows).into();
    head
}

#[test]
fn an_event_that_never_opens_is_passed_by_a_snapshot_and_not_asked_for_for_ever() {
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

fn answer_snapshot(world: &mut World, name: &str, at: u64, rows: Vec<Row>) {
    let snapshot = Snapshot::new(EPOCH, at, &world.request_id(), rows);
    world.answer("snapshot", EPOCH, at + 1, at);
    for part in sealed_parts(name, &snapshot) {
        world.receive(&message("campaign.snapshot", &part));
    }
}

#[test]
fn a_server_whose_content_never_opens_is_asked_at_the_bounded_rate() {
    let mut log = Log::with_rows(3);
    let mut world = following(&log);
    let next = log.generate(3);
    // The right name, another key.
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

/// Makes sealed parts say something else.
type Spoil = fn(&mut Vec<Value>);

#[test]
fn a_part_of_a_snapshot_opens_in_its_own_place_only() {
    let log = Log::with_rows(2);
    let spoiled: [(&str, Spoil); 6] = [
        ("swapped", |parts| {
            let first = parts[0]["content"].take();
            parts[0]["content"] = parts[1]["content"].take();
            parts[1]["content"] = first;
        }),
        ("number", |parts| parts.iter_mut().for_each(|it| it["sequenceNumber"] = 51.into())),
        ("event id", |parts| parts.iter_mut().for_each(|it| it["eventId"] = "another".into())),
        ("parts", |parts| {
            parts.truncate(1);
            parts[0]["parts"] = 1.into();
        }),
        ("count", |parts| parts.iter_mut().for_each(|it| it["domainsCount"] = 3.into())),
        ("digest", |parts| {
            let other = digest(&rows(3));
            parts.iter_mut().for_each(|it| it["domainsDigest"] = other.clone().into());
        }),
    ];
    for (what, spoil) in spoiled {
        let mut world = following(&log);
        reconnect(&mut world);
        let mut snapshot = Snapshot::new(EPOCH, 50, &world.request_id(), rows(20));
        snapshot.per_part = 10;
        let good = sealed_parts(FIRST, &snapshot);
        let mut parts = good.clone();
        spoil(&mut parts);
        let at = parts[0]["sequenceNumber"].as_u64().expect("a number");
        world.answer("snapshot", EPOCH, at + 1, at);
        let verdict = world.receive(&message("campaign.snapshot", &parts[0]));
        assert_eq!(verdict, Verdict::Refused(Code::SealBroken), "{what}");
        assert_eq!((world.position(), world.rows().len()), (3, 2), "{what}");
        // Another is asked for, and taken.
        let asked = world.requests();
        world.advance_until(|world| world.requests() > asked);
        answer_snapshot(&mut world, FIRST, 50, rows(20));
        assert_eq!((world.position(), world.rows().len()), (50, 20), "{what}");
        assert_eq!(world.view()["error"], Value::Null, "{what}");
    }
}

#[test]
fn a_key_that_is_not_at_hand_is_waited_for_and_nothing_is_lost() {
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

#[test]
fn a_wrong_key_can_be_put_right() {
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
fn a_snapshot_under_an_unknown_key_waits_for_it_too() {
    let mut world = connected();
    let snapshot = Snapshot::new(EPOCH, 50, &world.request_id(), rows(20));
    world.answer("snapshot", EPOCH, 51, 50);
    let part = message("campaign.snapshot", &sealed_parts(SECOND, &snapshot)[0]);
    assert_eq!(world.receive(&part), Verdict::Refused(Code::UnknownKey));
    assert_eq!(world.status(), "failed(unknown_key)");
    world.input(Input::AddKey(kid(SECOND), key(SECOND)));
    answer_snapshot(&mut world, SECOND, 50, rows(20));
    assert_eq!((world.position(), world.rows().len()), (50, 20));
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

#[test]
fn plain_content_is_refused_whatever_brings_it() {
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

fn reconnect(world: &mut World) {
    let before = world.opened.len();
    world.close(1006);
    world.advance_until(|world| world.opened.len() > before);
    world.open();
    world.receive(&wire::ack_of(SEALED));
}

#[test]
fn a_server_that_does_not_seal_is_not_followed() {
    let mut world = World::new(Config::default());
    world.input(Input::Seal);
    world.input(Input::Retain(id(CAMPAIGN)));
    world.input(Input::Connect);
    world.open();
    world.receive(&wire::ack());
    assert_eq!(world.status(), "failed(not_sealed)");
    world.advance(600_000);
    assert_eq!(world.opened.len(), 1, "trying again would not help");
}

#[test]
fn a_client_without_keys_is_told_that_the_server_seals_and_does_not_try_again() {
    let mut world = World::new(Config::default());
    world.input(Input::Retain(id(CAMPAIGN)));
    world.input(Input::Connect);
    world.open();
    world.receive(&wire::ack_of(SEALED));
    assert_eq!(world.status(), "failed(unsupported_dialect)");
    world.advance(600_000);
    assert_eq!(world.opened.len(), 1);
}

#[test]
fn sealed_content_that_reaches_a_plain_client_all_the_same_shows_nothing_and_no_loop() {
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
fn buckets_are_opened_and_a_broken_one_repairs_nothing() {
    let mut log = Log::with_rows(20);
    let theirs = rows(21);
    let mut world = following(&log);
    world.pong_with(json!([head_with_claim(&log, &theirs)]));
    for round in 0..2 {
        let asked = world.last_sent("request_campaign_digest").expect("asked")["payload"].clone();
        let data = json!({"campaignId": CAMPAIGN, "requestId": asked["requestId"], "epoch": EPOCH,
            "sequenceNumber": log.head(), "buckets": buckets(&theirs)});
        world.receive(&message("campaign.digest", &data));
        let asked = world.last_sent("request_campaign_snapshot").expect("asked")["payload"].clone();
        let wanted: Vec<u64> = serde_json::from_value(asked["buckets"].clone()).expect("numbers");
        let inside = theirs.iter().filter(|row| wanted.contains(&(row.bucket() as u64)));
        let mut snapshot =
            Snapshot::new(EPOCH, log.head(), &text(&asked["requestId"]), inside.cloned().collect());
        snapshot.whole = Some(theirs.clone());
        let mut part = sealed_parts(FIRST, &snapshot).remove(0);
        if round == 0 {
            part["content"]["sealed"] = "AAAA".into();
            let verdict = world.receive(&message("campaign.snapshot", &part));
            assert_eq!(verdict, Verdict::Refused(Code::SealBroken));
            assert_eq!(world.rows().len(), 20);
            world.pong_with(json!([head_with_claim(&log, &theirs)]));
        } else {
            assert_eq!(world.receive(&message("campaign.snapshot", &part)), Verdict::Control);
        }
    }
    assert_eq!((world.rows().len(), world.metrics().repairs), (21, 1));
    log.generate(21);
}

/// What our own REST answers, sealed or not.
fn fetched(sealed_as: Option<&str>, campaign: &str, at: u64, rows: &[Row]) -> String {
    let snapshot = Snapshot::new(EPOCH, at, "", rows.to_vec());
    let mut answer = snapshot.parts_as_json().remove(0);
    for member in ["requestId", "part", "parts"] {
        answer.as_object_mut().expect("an object").remove(member);
    }
    let Some(route) = sealed_as else { return answer.to_string() };
    let event_id = text(&answer["eventId"]);
    let list = associated(campaign, EPOCH, at, &event_id, route);
    let sealed: Value =
        serde_json::from_str(&seal(FIRST, &list, &answer.to_string())).expect("JSON");
    json!({"campaignId": CAMPAIGN, "epoch": EPOCH, "sequenceNumber": at, "eventId": event_id,
        "kid": sealed["kid"], "sealed": sealed["sealed"]})
    .to_string()
}

#[test]
fn a_fetched_snapshot_is_opened_and_refused_where_it_does_not_belong() {
    let config = Config { has_fetch_snapshot: true, ..Config::default() };
    let log = Log::with_rows(2);
    for (answer, outcome) in [
        (fetched(Some("rest.snapshot"), CAMPAIGN, 9, &rows(8)), None),
        (fetched(None, CAMPAIGN, 9, &rows(8)), Some(Code::NotSealed)),
        (fetched(Some("rest.campaign"), CAMPAIGN, 9, &rows(8)), Some(Code::SealBroken)),
        (fetched(Some("rest.snapshot"), "campaign-2", 9, &rows(8)), Some(Code::SealBroken)),
    ] {
        let mut world = connected_with(config.clone(), &[FIRST]);
        world.replay(&sealed(FIRST, &log), 1, 3);
        while world.fetches.is_empty() {
            let opened = world.opened.len();
            world.close(1006);
            world.advance_until(|it| it.opened.len() > opened || !it.fetches.is_empty());
        }
        let ticket = *world.fetches.last().expect("asked for");
        let refused = world.handle(Input::Snapshot(ticket, Some(&answer))).refused;
        assert_eq!(refused, outcome);
        assert_eq!(world.position(), if outcome.is_none() { 9 } else { 3 });
    }
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
