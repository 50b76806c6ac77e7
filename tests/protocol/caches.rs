//! Which cached data an event makes invalid (docs/PROTOCOL.md, chapter 16).

use campaign_sync::sync::Input;
use campaign_sync::sync::context::{RECORD, ROWS};
use serde_json::{Value, json};

use crate::wire::{CAMPAIGN, EPOCH, Log, message, record, rows, transition};
use crate::world::{World, id};

/// A live world whose changes are taken.
fn live() -> (World, Log) {
    let log = Log::with_rows(3);
    let mut world = World::following(&log);
    world.machine.take_changes();
    (world, log)
}

/// The content that changed since the last call.
fn content(world: &mut World) -> u8 {
    let changes = world.machine.take_changes();
    let own = changes.iter().find(|change| change.campaign_id == id(CAMPAIGN));
    own.expect("the view changed").content
}

fn apply(world: &mut World, log: &mut Log, kind: &str, data: &Value) {
    let event = log.push(kind, data);
    world.receive(&event.document());
}

// R16.19
#[test]
fn event_invalidates_the_record_or_the_rows_that_it_changes() {
    let progress = json!({"currentPhase": "domain_generation", "phaseStatus": "in_progress",
        "totalItems": 9, "processedItems": 6, "successfulItems": 5, "failedItems": 1,
        "progressPercent": 66.5});
    let result = json!({"domainId": "d-0", "validationStatus": "resolved"});
    let update = json!({"action": "update", "campaign": record("domain_generation", "paused", 3)});
    let expected = [
        ("campaign.progress", progress, RECORD),
        ("campaign.status", json!({"phaseStatus": "paused"}), RECORD),
        ("campaign.list.update", update, RECORD),
        ("campaign.deleted", json!({}), RECORD),
        ("dns.validation.result", result, ROWS),
        ("domains.updated", json!({"domains": [{"domainId": "d-1", "leadScore": 2}]}), ROWS),
        ("domains.removed", json!({"domainIds": ["d-0"]}), ROWS),
        ("system.notification", json!({"level": "info", "message": "m"}), 0),
        ("an.unknown.type", json!({}), 0),
    ];
    for (kind, data, changed) in expected {
        let (mut world, mut log) = live();
        apply(&mut world, &mut log, kind, &data);
        assert_eq!(content(&mut world), changed, "{kind}");
    }
}

// R16.19
#[test]
fn invalidation_covers_what_changed_before_it() {
    let (mut world, mut log) = live();
    log.generate(3);
    world.receive(&log.document(5));
    let moved = transition("domain_generation", "dns_validation", "configured", &rows(4));
    apply(&mut world, &mut log, "campaign.phase.transition", &moved);
    assert_eq!(world.notice("cacheinvalidated")["reason"], "phase_transition");
    assert_eq!(content(&mut world), 0, "one invalidation is enough");
    log.generate(4);
    world.receive(&log.document(7));
    assert_eq!(content(&mut world), ROWS, "what changes after it is not covered");
}

// R16.19
#[test]
fn refused_transition_invalidates_nothing() {
    let (mut world, mut log) = live();
    let mut refused = transition("domain_generation", "dns_validation", "configured", &rows(3));
    refused["dataIntegrityCheck"] = json!(false);
    apply(&mut world, &mut log, "campaign.phase.transition", &refused);
    assert_eq!(content(&mut world), 0);
    assert!(!world.kinds().contains(&"cacheinvalidated"));
}

// R16.19
#[test]
fn snapshot_invalidates_by_its_notice_alone() {
    let mut world = World::connected(campaign_sync::sync::Config::default());
    world.answer_snapshot(EPOCH, 4, rows(3));
    assert_eq!(world.notice("cacheinvalidated")["reason"], "snapshot");
    assert_eq!(content(&mut world), 0);
}

// R16.20
#[test]
fn campaign_entered_again_while_it_lingers_invalidates_both() {
    let (mut world, mut log) = live();
    world.input(Input::Release(id(CAMPAIGN)));
    log.generate(3);
    world.receive(&log.document(5));
    world.machine.take_changes();
    world.input(Input::Retain(id(CAMPAIGN)));
    assert_eq!(content(&mut world), RECORD | ROWS);
    world.input(Input::Retain(id(CAMPAIGN)));
    assert_eq!(content(&mut world), 0, "a second handle changes nothing");
}

// R16.19
#[test]
fn revoked_campaign_invalidates_by_its_notice_alone() {
    let (mut world, _) = live();
    world.notices.clear();
    let ended = json!({"campaignId": CAMPAIGN, "reason": "revoked"});
    world.receive(&message("subscription_ended", &ended));
    assert_eq!(world.status(), "failed(forbidden)");
    assert_eq!(world.notice("cacheinvalidated")["reason"], "signed_out");
}
