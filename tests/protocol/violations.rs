//! The notice `rejected` names the member that broke a rule, and the rule.

use campaign_sync::sync::{Config, Input};
use serde_json::{Value, json};

use crate::wire::{CAMPAIGN, EPOCH, Log, Snapshot, message, record, rows, transition};
use crate::world::{World, wire_head};

/// The member and the rule in the notice about an event with this data.
fn rejected(kind: &str, data: &Value) -> (Value, Value) {
    let log = Log::with_rows(3);
    let mut world = World::following(&log);
    world.receive(&log.next(kind, data).document());
    named(&world)
}

/// The member and the rule in the notice about a control message.
fn refused(document: &str) -> (Value, Value) {
    let mut world = World::following(&Log::with_rows(3));
    world.receive(document);
    named(&world)
}

fn named(world: &World) -> (Value, Value) {
    let notice = world.notice("rejected");
    (notice["member"].clone(), notice["rule"].clone())
}

fn breaks(member: &str, rule: &str) -> (Value, Value) {
    (member.into(), rule.into())
}

fn moved() -> Value {
    transition("domain_generation", "dns_validation", "configured", &rows(3))
}

/// `value` with another value at a JSON pointer; `None` removes the member.
fn with(mut value: Value, pointer: &str, other: Option<Value>) -> Value {
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    let parent = value.pointer_mut(parent).expect("the place is there");
    match other {
        Some(other) => parent[name] = other,
        None => drop(parent.as_object_mut().expect("an object").remove(name)),
    }
    value
}

// R14.17
#[test]
fn rejected_names_a_missing_member() {
    let without = |pointer| with(moved(), pointer, None);
    let kind = "campaign.phase.transition";
    assert_eq!(rejected(kind, &without("/domainsCount")), breaks("data.domainsCount", "missing"));
    assert_eq!(
        rejected(kind, &without("/campaign/phaseStatus")),
        breaks("data.campaign.phaseStatus", "missing")
    );
    let updated = json!({"campaignId": CAMPAIGN});
    assert_eq!(rejected("domains.updated", &updated), breaks("data.domains", "missing"));
}

// R14.17
#[test]
fn rejected_names_a_member_of_the_wrong_type() {
    let wrong = |pointer, value| with(moved(), pointer, Some(value));
    let kind = "campaign.phase.transition";
    for (pointer, value, member) in [
        ("/newPhase", json!(5), "data.newPhase"),
        ("/newPhase", Value::Null, "data.newPhase"),
        ("/domainsCount", json!("3"), "data.domainsCount"),
        ("/prerequisitesMet", json!(1), "data.prerequisitesMet"),
        ("/campaign", json!([]), "data.campaign"),
        ("/rollbackData", json!("none"), "data.rollbackData"),
    ] {
        assert_eq!(rejected(kind, &wrong(pointer, value)), breaks(member, "invalid"), "{pointer}");
    }
    let (member, rule) = rejected("campaign.status", &json!([]));
    assert_eq!(
        (member, rule),
        (Value::Null, Value::Null),
        "the code says it: no member is at fault"
    );
    let ids = json!({"domainIds": "d-0"});
    assert_eq!(rejected("domains.removed", &ids), breaks("data.domainIds", "invalid"));
}

// R14.17
#[test]
fn rejected_names_a_member_whose_value_is_not_allowed() {
    let wrong = |pointer, value| with(moved(), pointer, Some(value));
    let kind = "campaign.phase.transition";
    for (pointer, value, member) in [
        ("/newPhase", json!("later"), "data.newPhase"),
        ("/domainsCount", json!(-1), "data.domainsCount"),
        ("/domainsCount", json!(1.5), "data.domainsCount"),
        ("/domainsCount", json!(1_u64 << 60), "data.domainsCount"),
        ("/domainsDigest", json!("xyz"), "data.domainsDigest"),
        ("/campaign/currentPhase", json!("later"), "data.campaign.currentPhase"),
    ] {
        assert_eq!(rejected(kind, &wrong(pointer, value)), breaks(member, "invalid"), "{pointer}");
    }
    let row = |row: Value| json!({"domains": [{"domainId": "d-0"}, row]});
    let named = |it: Value| rejected("domains.updated", &row(it));
    assert_eq!(named(json!({"domainId": ""})), breaks("data.domains.domainId", "invalid"));
    let unnamed = json!({"domainId": "d-1", "domain": ""});
    assert_eq!(named(unnamed), breaks("data.domains.domain", "invalid"));
    assert_eq!(named(json!({"domain": "a.test"})), breaks("data.domains.domainId", "missing"));
    let without_record = json!({"action": "create"});
    let found = rejected("campaign.list.update", &without_record);
    assert_eq!(found, breaks("data.campaign", "missing"));
    let of_another = json!({"campaignId": "another", "phaseStatus": "paused"});
    assert_eq!(rejected("campaign.status", &of_another), breaks("data.campaignId", "invalid"));
}

// R14.17
#[test]
fn rejected_names_the_rollback_that_is_incomplete() {
    let kind = "campaign.phase.transition";
    let rollback = json!({"phase": "setup", "status": "ready", "counters": {"failedItems": -1},
        "totalDomainCount": 1});
    let event = with(moved(), "/rollbackData", Some(rollback));
    assert_eq!(rejected(kind, &event), breaks("data.rollbackData", "invalid"));
    let none = with(moved(), "/rollbackData", Some(json!({})));
    let later = with(none, "/newStatus", None);
    assert_eq!(rejected(kind, &later), breaks("data.newStatus", "missing"));
}

// R14.17
#[test]
fn rejected_says_that_content_contradicts_the_state() {
    let unknown = json!({"domains": [{"domainId": "new", "leadScore": 1}]});
    assert_eq!(rejected("domains.updated", &unknown), breaks("data", "state"));
    let other = with(moved(), "/campaign", Some(record("analysis", "ready", 3)));
    assert_eq!(rejected("campaign.phase.transition", &other), breaks("data", "state"));
}

// R14.17
#[test]
fn rejected_names_a_member_of_a_control_message() {
    let head = with(wire_head(EPOCH, 4, 4), "/logHead", None);
    let pong = message("pong", &json!({"timestamp": 1, "heads": [wire_head(EPOCH, 4, 4), head]}));
    assert_eq!(refused(&pong), breaks("data.heads.logHead", "missing"));
    let mut part = Snapshot::new(EPOCH, 4, "r", rows(2)).parts_as_json().remove(0);
    part["domains"][1]["offset"] = json!("1");
    let refused_part = |part: &Value| refused(&message("campaign.snapshot", part));
    assert_eq!(refused_part(&part), breaks("data.domains.offset", "invalid"));
    part["domainsCount"] = Value::Null;
    part["domains"] = json!([]);
    assert_eq!(refused_part(&part), breaks("data.domainsCount", "invalid"));
    assert_eq!(
        refused(&message("subscription_ended", &json!({}))),
        breaks("data.campaignId", "missing")
    );
}

// R14.17
#[test]
fn rejected_names_a_member_of_a_fetched_snapshot() {
    let mut world = World::connected(Config { has_fetch_snapshot: true, ..Config::default() });
    world.close(1006);
    world.input(Input::Refresh(crate::world::id(CAMPAIGN)));
    let ticket = *world.fetches.last().expect("a fetch");
    let document =
        json!({"sequenceNumber": 3, "campaign": record("setup", "ready", 0), "domains": []});
    let outcome = world.handle(Input::Snapshot(ticket, Some(&document.to_string())));
    assert!(outcome.refused.is_some());
    assert_eq!(named(&world), breaks("data.epoch", "missing"));
}

// R14.17
#[test]
fn rejected_names_no_member_of_a_document_that_is_not_json() {
    assert_eq!(refused("{"), (Value::Null, Value::Null));
    assert_eq!(refused("{\"type\":5}"), (Value::Null, Value::Null));
}
