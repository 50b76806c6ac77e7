//! Types of events: each has its effect under its own name and at its own place in the document.

use campaign_sync::protocol::Code;
use campaign_sync::sync::{Input, Verdict};
use serde_json::{Value, json};

use crate::wire::{CAMPAIGN, Log, Row, message, record, rows, transition};
use crate::world::{World, id};

/// A client that follows a log of two rows, its head at number 3.
fn followed() -> (World, Log) {
    let log = Log::with_rows(2);
    (World::following(&log), log)
}

/// Everything that an application sees.
fn seen(world: &mut World) -> Value {
    let rows = world.rows();
    json!({"view": world.view(), "rows": rows})
}

fn of_campaign(mut members: Value) -> Value {
    members["campaignId"] = CAMPAIGN.into();
    members
}

/// Each type that changes the state: its data, the place of the change, and the value that must be there.
fn effects() -> Vec<(&'static str, Value, &'static str, Value)> {
    let update = |action: &str| json!({"action": action, "campaign": record("setup", "paused", 2)});
    let progress = json!({"currentPhase": "domain_generation", "phaseStatus": "in_progress",
        "totalItems": 9, "processedItems": 6, "successfulItems": 5, "failedItems": 1,
        "progressPercent": 66.5});
    let moved = transition("domain_generation", "dns_validation", "configured", &rows(2));
    let result = |status: &str| json!({"domainId": "d-0", "validationStatus": status});
    let http = json!({"domainId": "d-0", "validationStatus": "success", "httpStatus": 204});
    let changed =
        json!({"domains": [{"domainId": "d-1", "leadStatus": "match", "leadScore": 0.5}]});
    vec![
        ("campaign.list.update", update("create"), "/view/campaign/currentPhase", json!("setup")),
        ("campaign.list.update", update("update"), "/view/campaign/phaseStatus", json!("paused")),
        ("campaign.list.update", json!({"action": "delete"}), "/view/status", json!("ended")),
        ("campaign.deleted", json!({}), "/view/status", json!("ended")),
        ("campaign.progress", progress.clone(), "/view/campaign/processedItems", json!(6)),
        ("campaign.progress", progress, "/view/campaign/progressPercentage", json!(66.5)),
        (
            "campaign.status",
            json!({"phaseStatus": "paused"}),
            "/view/campaign/phaseStatus",
            json!("paused"),
        ),
        (
            "campaign.phase.transition",
            moved,
            "/view/campaign/currentPhase",
            json!("dns_validation"),
        ),
        ("domain.generated", Row::generated(2).json(), "/rows/2/domain", json!("name2.example")),
        ("dns.validation.result", result("resolved"), "/rows/0/dnsStatus", json!("resolved")),
        ("dns.validation.result", result("resolved"), "/view/counts/dns", json!({"resolved": 1})),
        ("http.validation.result", http.clone(), "/rows/0/httpStatus", json!("success")),
        ("http.validation.result", http, "/rows/0/httpStatusCode", json!(204)),
        ("domains.updated", changed.clone(), "/rows/1/leadStatus", json!("match")),
        ("domains.updated", changed, "/rows/1/leadScore", json!(0.5)),
        ("domains.removed", json!({"domainIds": ["d-0"]}), "/rows/0/domainId", json!("d-1")),
    ]
}

// R10.1
#[test]
fn event_of_every_type_has_its_effect() {
    for (kind, data, place, expected) in effects() {
        let (mut world, mut log) = followed();
        assert_ne!(seen(&mut world).pointer(place), Some(&expected), "{kind} {place}");
        let event = log.push(kind, &of_campaign(data)).document();
        assert_eq!(world.receive(&event), Verdict::Applied, "{kind}");
        assert_eq!(seen(&mut world).pointer(place), Some(&expected), "{kind} {place}");
        assert_eq!((world.position(), world.metrics().unknown_types), (4, 0), "{kind}");
    }
}

#[test]
fn notification_reaches_listeners_with_level_and_text() {
    let (mut world, mut log) = followed();
    let said = json!({"level": "warning", "message": "100 % \u{2028} done"});
    let event = log.push("system.notification", &said).document();
    assert_eq!(world.receive(&event), Verdict::Applied);
    let notice = world.notice("notification");
    assert_eq!((&notice["level"], &notice["message"]), (&said["level"], &said["message"]));
    assert_eq!(world.position(), 4);
}

#[test]
fn advisory_event_takes_its_number_and_changes_nothing() {
    for kind in ["proxy.status", "phase.state.changed", "phase.configuration.required"] {
        let (mut world, mut log) = followed();
        let before = (world.rows(), world.view()["campaign"].clone());
        let event = log.push(kind, &json!({"phase": "analysis", "status": "failed"})).document();
        assert_eq!(world.receive(&event), Verdict::Applied, "{kind}");
        assert_eq!((world.rows(), world.view()["campaign"].clone()), before, "{kind}");
        assert_eq!((world.position(), world.metrics().unknown_types), (4, 0), "{kind}");
    }
}

/// Type names that servers without v1 use.
const OLDER_NAMES: [&str; 12] = [
    "campaign_progress",
    "campaign_status",
    "campaign_complete",
    "campaign_phase_complete",
    "campaign_list_update",
    "phase_transition",
    "domain_generated",
    "domain_generation_progress",
    "dns_validation_result",
    "http_validation_result",
    "validation_progress",
    "system_notification",
];

// R2.11
#[test]
fn older_type_name_takes_its_number_and_changes_nothing() {
    let (mut world, mut log) = followed();
    let before = (world.rows(), world.view()["campaign"].clone());
    let mut data = transition("domain_generation", "dns_validation", "ready", &rows(2));
    data["domainId"] = "d-0".into();
    data["validationStatus"] = "resolved".into();
    for kind in OLDER_NAMES {
        let event = log.push(kind, &data).document();
        assert_eq!(world.receive(&event), Verdict::AppliedUnknown, "{kind}");
    }
    assert_eq!((world.rows(), world.view()["campaign"].clone()), before);
    assert_eq!((world.position(), &*world.status()), (log.head(), "live"));
    assert_eq!(world.metrics().unknown_types, OLDER_NAMES.len() as u64);
    assert!(!world.kinds().contains(&"phasetransition"));
}

// R2.11
#[test]
fn unsequenced_document_of_an_older_type_is_ignored() {
    let (mut world, _) = followed();
    let before = seen(&mut world);
    for kind in OLDER_NAMES {
        let data = transition("domain_generation", "dns_validation", "ready", &rows(2));
        assert_eq!(world.receive(&message(kind, &data)), Verdict::Ignored, "{kind}");
    }
    assert_eq!(seen(&mut world), before);
    assert_eq!(world.metrics().unknown_types, OLDER_NAMES.len() as u64);
}

// R10.11
#[test]
fn validation_results_are_kept_in_their_rows() {
    let (mut world, mut log) = followed();
    for (kind, row, status) in [
        ("dns.validation.result", "d-0", "timeout"),
        ("dns.validation.result", "d-1", "resolved"),
        ("http.validation.result", "d-1", "success"),
        ("dns.validation.result", "d-0", "resolved"),
    ] {
        let data = json!({"campaignId": CAMPAIGN, "domainId": row, "validationStatus": status});
        assert_eq!(world.receive(&log.push(kind, &data).document()), Verdict::Applied);
    }
    let moved = transition("domain_generation", "dns_validation", "configured", &rows(2));
    let mut moved = moved;
    moved.as_object_mut().expect("an object").remove("domainsDigest");
    assert_eq!(
        world.receive(&log.push("campaign.phase.transition", &moved).document()),
        Verdict::Applied
    );
    let shown = world.rows();
    let of =
        |row: usize| (&shown[row]["dnsStatus"], &shown[row]["httpStatus"], &shown[row]["domain"]);
    assert_eq!(of(0), (&json!("resolved"), &Value::Null, &json!("name0.example")));
    assert_eq!(of(1), (&json!("resolved"), &json!("success"), &json!("name1.example")));
    assert_eq!(world.view()["counts"]["dns"], json!({"resolved": 2}), "the newer result counts");
}

// R4.11
#[test]
fn event_without_campaign_in_data_applies_by_its_sequence() {
    for (kind, mut data, place, expected) in effects() {
        let (mut world, mut log) = followed();
        data.as_object_mut().expect("an object").remove("campaignId");
        assert_eq!(world.receive(&log.push(kind, &data).document()), Verdict::Applied, "{kind}");
        assert_eq!(seen(&mut world).pointer(place), Some(&expected), "{kind} {place}");
    }
}

#[test]
fn row_of_another_retained_campaign_appears_only_there() {
    let (mut world, _) = followed();
    world.input(Input::Retain(id("campaign-2")));
    let other = Log::with_rows(5).of_campaign("campaign-2");
    let request_id = world.request_id();
    let answer = crate::wire::recovery("replay", crate::wire::EPOCH, &request_id, 1, other.head());
    world.receive(&answer.replace(CAMPAIGN, "campaign-2"));
    let before = seen(&mut world);
    assert_eq!(world.frame(&other.frame(1, other.head())).applied, 6);
    assert_eq!(seen(&mut world), before);
    let there = world.machine.subscription("campaign-2").expect("it is held");
    assert_eq!(there.store().table().len(), 5);
}

// R2.13
#[test]
fn campaign_id_in_any_control_message_must_be_valid() {
    for campaign in ["*", "../x", "a b", ""] {
        for (kind, member) in [
            ("subscription_confirmed", json!({"epoch": "e", "lastSequenceNumber": 3})),
            ("subscription_ended", json!({"reason": "revoked"})),
            ("event_recovery", json!({"outcome": "unknown_campaign"})),
            ("error", json!({"code": "forbidden", "message": ""})),
        ] {
            let (mut world, _) = followed();
            let mut data = member;
            data["campaignId"] = campaign.into();
            let verdict = world.receive(&message(kind, &data));
            assert_eq!(verdict, Verdict::Refused(Code::InvalidCampaignId), "{kind} {campaign}");
            assert_eq!(world.status(), "live");
        }
    }
}

// R7.2
#[test]
fn number_beside_the_sequence_moves_no_position() {
    let (mut world, mut log) = followed();
    for number in ["0", "118", "1784000000123456789", "null", "\"x\"", "-1"] {
        let beside = format!(r#"{{"sequenceNumber":{number},"#);
        let pong = message("pong", &json!({})).replacen('{', &beside, 1);
        let position = world.position();
        assert_eq!(world.receive(&pong), Verdict::Control, "{number}");
        assert_eq!(world.position(), position, "{number}");
        let event = log.generate(log.head()).document().replacen('{', &beside, 1);
        assert_eq!(world.receive(&event), Verdict::Applied, "{number}");
        assert_eq!(world.position(), position + 1, "{number}");
    }
    assert_eq!((world.position(), &*world.status()), (log.head(), "live"));
}

// R4.10
#[test]
fn event_numbered_zero_is_dropped() {
    let (mut world, log) = followed();
    let before = seen(&mut world);
    let mut zero = log.next("campaign.deleted", &json!({"campaignId": CAMPAIGN}));
    zero.number = 0;
    assert_eq!(world.receive(&zero.document()), Verdict::OutOfOrder);
    assert_eq!(seen(&mut world), before);
    assert!(world.notices.is_empty() && world.sent.is_empty());
}

// R4.12
#[test]
fn sequence_inside_the_data_is_not_read() {
    let (mut world, log) = followed();
    let event = log.next("domain.generated", &Row::generated(2).json());
    let mut document: Value = serde_json::from_str(&event.document()).expect("JSON");
    let sequence = document.as_object_mut().expect("an object").remove("sequence");
    document["data"]["sequence"] = sequence.expect("it has one");
    let verdict = world.receive(&document.to_string());
    assert_eq!(verdict, Verdict::Refused(Code::MissingSequence));
    document["payload"] = document["data"].take();
    assert!(matches!(world.receive(&document.to_string()), Verdict::Refused(_)));
    assert_eq!((world.position(), world.rows().len()), (3, 2));
    assert_eq!(world.receive(&event.document()), Verdict::Applied);
}

// R4.10
#[test]
fn event_without_data_or_timestamp_is_damaged() {
    for member in ["data", "timestamp"] {
        let (mut world, log) = followed();
        let event = log.next("domain.generated", &Row::generated(2).json());
        let mut document: Value = serde_json::from_str(&event.document()).expect("JSON");
        document.as_object_mut().expect("an object").remove(member);
        assert_eq!(world.receive(&document.to_string()), Verdict::Corrupt, "{member}");
        assert_eq!(world.request()["reason"], "hash", "{member}");
        assert_eq!(world.receive(&event.document()), Verdict::Applied, "{member}");
    }
}

#[test]
fn cut_event_is_refused_at_every_byte_and_changes_nothing() {
    let (mut world, log) = followed();
    let moved = transition("domain_generation", "dns_validation", "configured", &rows(2));
    let event = log.next("campaign.phase.transition", &moved).document();
    let before = seen(&mut world);
    for end in 1..event.len() {
        let verdict = world.receive(&event[..end]);
        assert_eq!(verdict, Verdict::Refused(Code::InvalidJson), "cut at {end}");
    }
    assert_eq!(seen(&mut world), before);
    assert_eq!(world.receive(&event), Verdict::Applied, "the whole one still joins");
}
