//! Complete log records: every event that the machine logs, with its level and all its fields.

use campaign_sync::protocol::Code;
use campaign_sync::sync::{Config, Input, Verdict};
use serde_json::{Value, json};

use crate::wire::{self, CAMPAIGN, EPOCH, Event, Log, Snapshot, message, rows};
use crate::world::{World, wire_head};
use crate::writing::plain;

fn logging() -> Config {
    Config { log: true, ..Config::default() }
}

/// All records of that event so far, as an application receives them.
fn logged(world: &World, word: &str) -> Vec<Value> {
    let records = world.logs.iter().filter(|record| record.event == word);
    records.map(|record| plain(record)).collect()
}

#[test]
fn a_connection_is_logged_with_its_protocol_version() {
    let world = World::connected(logging());
    let connected = json!({"level": "info", "code": "connected", "detail": "v1"});
    assert_eq!(logged(&world, "connected"), [connected]);
}

#[test]
fn a_lost_connection_is_logged_with_its_code() {
    let mut world = World::connected(logging());
    world.close(1006);
    let lost = json!({"level": "info", "code": "disconnected", "value": 1006});
    assert_eq!(logged(&world, "disconnected"), [lost]);
}

#[test]
fn a_dead_link_is_logged() {
    let mut world = World::following_with(&Log::with_rows(1), logging());
    world.advance(60_000);
    let dead = json!({"level": "warn", "code": "dead_link"});
    assert_eq!(logged(&world, "dead_link").first(), Some(&dead));
}

#[test]
fn giving_up_is_logged_with_its_reason() {
    let mut world = World::connected(logging());
    world.close(4403);
    let detail = Code::Forbidden.as_str();
    let gave_up = json!({"level": "error", "code": "gave_up", "detail": detail});
    assert_eq!(logged(&world, "gave_up"), [gave_up]);
}

#[test]
fn recovery_is_logged_at_its_request_and_at_its_end() {
    let log = Log::with_rows(4);
    let mut world = World::connected(logging());
    let reason = world.request()["reason"].clone();
    let asked = json!({"level": "info", "code": "recovery_requested", "campaignId": CAMPAIGN,
        "sequenceNumber": 0, "detail": reason});
    assert_eq!(logged(&world, "recovery_requested"), [asked]);
    world.pass(40);
    world.replay(&log, 1, log.head());
    let done = json!({"level": "info", "code": "recovered", "campaignId": CAMPAIGN,
        "sequenceNumber": 5, "detail": "replay", "value": 40});
    assert_eq!(logged(&world, "recovered"), [done]);
}

#[test]
fn a_snapshot_is_logged_with_its_number_and_its_rows() {
    let mut world = World::connected(logging());
    world.answer_snapshot(EPOCH, 9, rows(6));
    let swapped = json!({"level": "info", "code": "snapshot", "campaignId": CAMPAIGN,
        "sequenceNumber": 9, "value": 6});
    assert_eq!(logged(&world, "snapshot"), [swapped]);
}

#[test]
fn gap_is_logged_with_expected_and_received_number() {
    let mut log = Log::with_rows(4);
    let mut world = World::following_with(&log, logging());
    log.generate(4);
    let beyond = log.generate(5);
    assert_eq!(world.receive(&beyond.document()), Verdict::Held);
    let gap = json!({"level": "warn", "code": "gap", "campaignId": CAMPAIGN,
        "sequenceNumber": 6, "value": 7});
    assert_eq!(logged(&world, "gap"), [gap]);
}

#[test]
fn a_corrupt_event_is_logged_with_its_number_and_its_id() {
    let mut log = Log::with_rows(4);
    let mut world = World::following_with(&log, logging());
    let next = log.generate(4);
    assert_eq!(world.receive(&next.damaged()), Verdict::Corrupt);
    let corrupt = json!({"level": "warn", "code": "corrupt", "campaignId": CAMPAIGN,
        "sequenceNumber": 6, "eventId": next.id});
    assert_eq!(logged(&world, "corrupt"), [corrupt]);
}

#[test]
fn a_divergence_is_logged_with_its_number_and_its_kind() {
    let mut log = Log::with_rows(4);
    let mut world = World::following_with(&log, logging());
    let next = Event { previous: Some("another".to_owned()), ..log.generate(4) };
    assert_eq!(world.receive(&next.document()), Verdict::Divergence);
    let divergence = json!({"level": "error", "code": "divergence", "campaignId": CAMPAIGN,
        "sequenceNumber": 6, "detail": "previous_event"});
    assert_eq!(logged(&world, "divergence"), [divergence]);
}

#[test]
fn rejected_event_is_logged_with_its_number_and_the_code() {
    let mut log = Log::with_rows(4);
    let mut world = World::following_with(&log, logging());
    let next = log.push("domain.generated", &json!({"campaignId": CAMPAIGN, "domainId": 7}));
    assert_eq!(world.receive(&next.document()), Verdict::Rejected);
    let rejected = json!({"level": "error", "code": "rejected", "campaignId": CAMPAIGN,
        "sequenceNumber": 6, "detail": Code::InvalidContent.as_str()});
    assert_eq!(logged(&world, "rejected"), [rejected]);
}

#[test]
fn unreadable_document_is_logged_with_the_code() {
    let mut world = World::connected(logging());
    assert_eq!(world.receive("{"), Verdict::Refused(Code::InvalidJson));
    let refused = json!({"level": "warn", "code": "refused", "detail": Code::InvalidJson.as_str()});
    assert_eq!(logged(&world, "refused"), [refused]);
}

#[test]
fn an_ended_recovery_is_logged_with_the_code() {
    let mut world = World::connected(logging());
    let data = json!({"campaignId": CAMPAIGN, "requestId": world.request_id(),
        "code": Code::Forbidden.as_str(), "message": "not yours"});
    world.receive(&message("error", &data));
    let failed = json!({"level": "error", "code": "failed", "campaignId": CAMPAIGN,
        "detail": Code::Forbidden.as_str()});
    assert_eq!(logged(&world, "failed"), [failed]);
}

#[test]
fn row_discrepancy_is_logged_as_a_warning_above_ten_rows() {
    for (missing, level) in [(10, "info"), (11, "warn")] {
        let log = Log::with_rows(40);
        let mut world = World::following_with(&log, logging());
        let theirs = rows(40 + missing);
        let mut head = wire_head(EPOCH, log.head(), log.head());
        head["domainsCount"] = theirs.len().into();
        head["domainsDigest"] = wire::digest(&theirs).into();
        world.pong_with(json!([head]));
        let difference = json!({"level": level, "code": "discrepancy", "campaignId": CAMPAIGN,
            "sequenceNumber": 41, "value": missing});
        assert_eq!(logged(&world, "discrepancy"), [difference]);
    }
}

#[test]
fn checkpoints_and_every_nth_event_are_logged() {
    let mut log = Log::with_rows(2);
    let mut world = World::following_with(&log, Config { log_every_events: 5, ..logging() });
    for offset in 2..4 {
        world.receive(&log.generate(offset).document());
    }
    let table = rows(4);
    let data = wire::transition("domain_generation", "dns_validation", "in_progress", &table);
    let moved = log.push("campaign.phase.transition", &data);
    world.receive(&moved.document());
    let record = |number: u64| {
        json!({"level": "info", "code": "sequence", "campaignId": CAMPAIGN,
            "sequenceNumber": number, "eventId": log.event(number).id})
    };
    assert_eq!(logged(&world, "sequence"), [record(5), record(6)]);
}

#[test]
fn requested_close_is_not_logged() {
    let mut world = World::following_with(&Log::with_rows(1), logging());
    world.input(Input::Close);
    assert!(logged(&world, "disconnected").is_empty());
}

#[test]
fn rejected_snapshot_is_logged_with_the_code() {
    let mut world = World::connected(logging());
    let mut snapshot = Snapshot::new(EPOCH, 9, &world.request_id(), rows(6));
    snapshot.whole = Some(rows(7));
    world.answer("snapshot", EPOCH, 10, 9);
    for part in snapshot.parts() {
        world.receive(&part);
    }
    let detail = Code::InvalidSnapshot.as_str();
    let rejected = json!({"level": "error", "code": "rejected", "campaignId": CAMPAIGN,
        "detail": detail});
    assert_eq!(logged(&world, "rejected"), [rejected]);
}
