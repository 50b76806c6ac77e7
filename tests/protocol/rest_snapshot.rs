//! The document that an application fetches over REST: it is one state with its position, or it is refused.

use campaign_sync::protocol::digest::{RowFields, RowHasher};
use campaign_sync::protocol::{Code, Digest};
use campaign_sync::sync::input::Ticket;
use campaign_sync::sync::{Config, Input, Verdict};
use serde_json::{Value, json};

use crate::polling::polling;
use crate::wire::{self, CAMPAIGN, EPOCH, Log, TIMESTAMP, record};
use crate::world::{World, id, position};

/// The sequence number of [`document`].
const NUMBER: u64 = 9;

/// A row with every column.
fn full_row() -> Value {
    json!({"domainId": "d-1", "domain": "m\u{fc}ller.example", "offset": 3, "dnsStatus": "resolved",
        "httpStatus": "success", "httpStatusCode": 200, "leadStatus": "match", "leadScore": 0.5})
}

fn digest_of_full_row() -> String {
    let fields = RowFields {
        domain_id: "d-1",
        domain: Some("m\u{fc}ller.example"),
        offset: Some(3),
        dns_status: Some("resolved"),
        http_status: Some("success"),
        http_status_code: Some(200),
        lead_status: Some("match"),
        lead_score: Some(0.5),
    };
    let mut digest = Digest::default();
    digest.add(RowHasher::default().hash(&fields));
    digest.to_string()
}

/// The answer of `GET /campaigns/{id}/snapshot`, with every member that it has.
pub(crate) fn document() -> Value {
    json!({"campaignId": CAMPAIGN, "epoch": EPOCH, "sequenceNumber": NUMBER,
        "eventId": "epoch-a-event-9", "campaign": record("analysis", "ready", 1),
        "domains": [full_row()], "domainsCount": 1, "domainsDigest": digest_of_full_row()})
}

/// Answers the newest fetch with that text.
pub(crate) fn answer_text(world: &mut World, text: &str) -> Option<Code> {
    let ticket = *world.fetches.last().expect("a snapshot was asked for");
    world.handle(Input::Snapshot(ticket, Some(text))).refused
}

/// A client without any state that has requested a snapshot from the application.
fn asking() -> World {
    let mut world = World::new(Config { has_fetch_snapshot: true, ..Config::default() });
    world.input(Input::Retain(id(CAMPAIGN)));
    world.input(Input::Refresh(id(CAMPAIGN)));
    assert_eq!(world.fetches.len(), 1);
    world
}

/// Checks that the client refuses the text with that code and that its view stays.
fn refuses(text: &str, code: Code) {
    let shown = &text[..text.len().min(200)];
    let log = Log::with_rows(2);
    let mut world = polling(&log);
    let before = (world.view(), world.rows());
    assert_eq!(answer_text(&mut world, text), Some(code), "{shown}");
    assert_eq!(world.metrics().refused.of(code), 1, "{shown}");
    assert_eq!(world.notice("rejected")["code"], code.as_str(), "{shown}");
    assert_eq!((world.view(), world.rows()), before, "{shown}");
}

fn without(member: &str) -> String {
    let mut document = document();
    document.as_object_mut().expect("an object").remove(member).expect("the member is there");
    document.to_string()
}

fn with(place: &str, value: Value) -> String {
    let mut document = document();
    *document.pointer_mut(place).expect("the place is there") = value;
    document.to_string()
}

// R5.7
#[test]
fn fetched_document_is_shown_whole_with_its_position() {
    let mut world = asking();
    assert_eq!(answer_text(&mut world, &document().to_string()), None);
    let view = world.view();
    let at = json!({"epoch": EPOCH, "sequenceNumber": NUMBER, "eventId": "epoch-a-event-9"});
    assert_eq!(view["position"], at);
    let campaign = &view["campaign"];
    assert_eq!([&campaign["currentPhase"], &campaign["phaseStatus"]], ["analysis", "ready"]);
    assert_eq!([&campaign["totalItems"], &campaign["failedItems"]], [40, 2]);
    assert_eq!(
        (&campaign["progressPercentage"], &campaign["createdAt"]),
        (&25.into(), &TIMESTAMP.into())
    );
    assert_eq!((&view["totalDomainCount"], &view["domainsCount"]), (&1.into(), &1.into()));
    assert_eq!(view["domainsDigest"], digest_of_full_row());
    let mut row = world.rows().remove(0);
    assert_eq!(row.as_object_mut().expect("an object").remove("unconfirmed"), Some(false.into()));
    assert_eq!(row, full_row());
}

// R16.9, R16.11
#[test]
fn fetched_document_without_a_position_is_refused() {
    for member in ["epoch", "sequenceNumber"] {
        refuses(&without(member), Code::InvalidContent);
        refuses(&with(&format!("/{member}"), Value::Null), Code::InvalidContent);
    }
    for number in [json!("9"), json!(-1), json!(9.5)] {
        refuses(&with("/sequenceNumber", number), Code::InvalidContent);
    }
    for epoch in [json!(""), json!("a b"), json!(7)] {
        refuses(&with("/epoch", epoch), Code::InvalidContent);
    }
    let unplaced = json!({"campaign": record("analysis", "ready", 1), "domains": [full_row()]});
    refuses(&unplaced.to_string(), Code::InvalidContent);
}

#[test]
fn event_applies_after_a_fetch_without_a_position_is_refused() {
    let mut log = Log::with_rows(2);
    let mut world = polling(&log);
    assert_eq!(answer_text(&mut world, &without("epoch")), Some(Code::InvalidContent));
    let opened = world.opened.len();
    world.advance_until(|world| world.opened.len() > opened);
    world.open();
    world.clear();
    world.receive(&wire::ack());
    let request = world.request();
    assert_eq!((&request["lastSequenceNumber"], request.get("prefer")), (&3.into(), None));
    let next = log.generate(2);
    world.replay(&log, 4, 4);
    assert_eq!((world.position(), world.rows().len()), (next.number, 3));
    assert_eq!(world.receive(&log.generate(3).document()), Verdict::Applied);
    world.pong(log.head());
    assert_eq!(world.status(), "live");
}

#[test]
fn replay_from_the_first_event_applies_after_a_refused_fetch() {
    let log = Log::with_rows(2);
    let mut world = asking();
    assert_eq!(answer_text(&mut world, &without("sequenceNumber")), Some(Code::InvalidContent));
    assert_eq!((&world.view()["campaign"], world.rows().len()), (&Value::Null, 0));
    world.connect();
    world.replay(&log, 1, log.head());
    world.pong(log.head());
    assert_eq!((world.position(), world.rows().len(), &*world.status()), (3, 2, "live"));
}

#[test]
fn position_is_not_reached_by_a_refused_fetch() {
    let mut world = polling(&Log::with_rows(2));
    world.input(Input::WaitForPosition(id(CAMPAIGN), position(EPOCH, 6), Ticket(71)));
    assert_eq!(answer_text(&mut world, &without("epoch")), Some(Code::InvalidContent));
    assert!(world.settled.is_empty(), "nothing shows that number 6 is included");
}

// R16.10
#[test]
fn fetched_document_without_its_content_is_refused() {
    for member in ["domains", "campaign"] {
        refuses(&without(member), Code::InvalidContent);
        refuses(&with(&format!("/{member}"), Value::Null), Code::InvalidContent);
    }
    for domains in [json!({}), json!(7), json!([null]), json!([[]]), json!({"data": []})] {
        refuses(&with("/domains", domains), Code::InvalidContent);
    }
}

// R16.10
#[test]
fn fetched_document_inside_an_envelope_is_refused() {
    for envelope in [
        json!({"success": true, "data": document(), "requestId": "r"}),
        json!({"status": "success", "data": document(), "message": "ok"}),
        json!({"data": document()}),
        json!([document()]),
        json!({"success": false, "error": {"code": "NOT_FOUND", "message": "m"}}),
        json!({"error": {"code": "unknown_campaign", "message": "m"}}),
    ] {
        refuses(&envelope.to_string(), Code::InvalidContent);
    }
    let mut nested = document();
    nested["campaign"] = json!({"success": true, "data": nested["campaign"]});
    refuses(&nested.to_string(), Code::InvalidContent);
}

// R16.11
#[test]
fn fetched_row_with_a_wrong_value_is_refused() {
    for (column, value) in [
        ("domainId", Value::Null),
        ("domainId", json!("")),
        ("domainId", json!(1)),
        ("domain", Value::Null),
        ("domain", json!("")),
        ("dnsStatus", json!({"String": "ok", "Valid": true})),
        ("httpStatusCode", json!({"Int32": 404, "Valid": true})),
        ("httpStatusCode", json!(-2_147_483_648_i64)),
        ("leadScore", json!({"Float64": 1.5, "Valid": true})),
        ("leadScore", json!("0.5")),
        ("offset", json!(0.5)),
    ] {
        refuses(&with(&format!("/domains/0/{column}"), value), Code::InvalidContent);
    }
    let beyond = json!(9_007_199_254_740_992_u64);
    refuses(&with("/domains/0/offset", beyond.clone()), Code::IntegerOutOfRange);
    refuses(&with("/sequenceNumber", beyond), Code::IntegerOutOfRange);
    refuses(&with("/campaign/currentPhase", json!("harvest")), Code::InvalidContent);
}

// R16.11
#[test]
fn invalid_fetched_text_is_refused_with_its_code() {
    let good = document().to_string();
    let deep = |open: &str, close: &str| {
        let nested = format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
        good.replacen('{', &format!(r#"{{"x":{nested},"#), 1)
    };
    for (text, code) in [
        (String::new(), Code::InvalidContent),
        ("<html>".to_owned(), Code::InvalidContent),
        ("{".to_owned(), Code::InvalidJson),
        (format!("{good} x"), Code::InvalidJson),
        (format!("{good}\n{good}"), Code::InvalidJson),
        (deep("[", "]"), Code::TooDeep),
        (deep(r#"{"a":"#, "}"), Code::TooDeep),
        ("null".to_owned(), Code::InvalidContent),
        ("[]".to_owned(), Code::InvalidContent),
        ("{}".to_owned(), Code::InvalidContent),
        (good.replace("match", r"\ud800"), Code::LoneSurrogate),
        (with("/campaignId", json!("../x")), Code::InvalidCampaignId),
        (with("/campaignId", json!("campaign-2")), Code::InvalidContent),
        (with("/domainsCount", json!(2)), Code::InvalidSnapshot),
        (with("/domainsDigest", json!("0".repeat(16))), Code::InvalidSnapshot),
        (with("/domainsDigest", json!("0")), Code::InvalidContent),
    ] {
        refuses(&text, code);
    }
}

#[test]
fn fetched_document_cut_at_any_byte_is_refused() {
    let good = document().to_string();
    for end in (0..good.len()).filter(|end| good.is_char_boundary(*end)) {
        let mut world = asking();
        let refused = answer_text(&mut world, &good[..end]);
        let expected = [Some(Code::InvalidJson), Some(Code::InvalidContent)];
        assert!(expected.contains(&refused), "cut at {end}: {refused:?}");
        assert_eq!((world.rows().len(), &world.view()["campaign"]), (0, &Value::Null));
    }
}
