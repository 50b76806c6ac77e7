//! Rules of the contract that no other scenario shows.

use campaign_sync::protocol::Code;
use campaign_sync::sync::{Config, Verdict};
use serde_json::{Value, json};

use crate::wire::{CAMPAIGN, EPOCH, Log, OTHER_EPOCH, message, rows};
use crate::world::{World, wire_head};

/// The members of `sequence`, each of which an event needs.
const NEEDED: [&str; 5] = ["campaignId", "epoch", "eventId", "sequenceNumber", "eventHash"];

/// The event after a log's head, with `change` made to its document.
fn changed(log: &Log, change: impl Fn(&mut Value)) -> String {
    let event = log.next("campaign.status", &json!({"phaseStatus": "paused"})).document();
    let mut document = serde_json::from_str(&event).expect("an event is JSON");
    change(&mut document);
    document.to_string()
}

// R4.10
#[test]
fn event_without_a_member_of_its_sequence_is_refused() {
    let log = Log::with_rows(3);
    for member in NEEDED {
        let mut world = World::following(&log);
        let event = changed(&log, |it| {
            it["sequence"].as_object_mut().expect("an object").remove(member);
        });
        assert_eq!(world.receive(&event), Verdict::Refused(Code::InvalidEnvelope), "{member}");
        assert_eq!((world.position(), world.requests()), (log.head(), 0), "{member}");
    }
}

// R4.10
#[test]
fn first_event_applies_without_a_previous_event_id() {
    let log = Log::with_rows(3);
    let mut world = World::connected(Config::default());
    world.answer("replay", EPOCH, 1, 1);
    let first = log.document(1);
    let shorter = first.replace(",\"previousEventId\":null", "");
    assert_ne!(shorter, first);
    assert_eq!(world.receive(&shorter), Verdict::Applied);
    assert_eq!(world.position(), 1);
}

// R4.11
#[test]
fn event_whose_data_names_no_campaign_by_null_is_rejected() {
    let log = Log::with_rows(3);
    let mut world = World::following(&log);
    let data = json!({"campaignId": null, "phaseStatus": "paused"});
    let event = log.next("campaign.status", &data);
    assert_eq!(world.receive(&event.document()), Verdict::Rejected);
    assert_eq!(world.position(), log.head());
}

// R7.3
#[test]
fn subscription_that_ends_as_revoked_or_forbidden_fails() {
    for reason in ["revoked", "forbidden"] {
        let mut world = World::following(&Log::with_rows(3));
        let data = json!({"campaignId": CAMPAIGN, "reason": reason});
        assert_eq!(world.receive(&message("subscription_ended", &data)), Verdict::Control);
        assert_eq!(world.status(), "failed(forbidden)", "{reason}");
    }
}

// R8.15
#[test]
fn replay_in_place_of_a_requested_snapshot_is_not_accepted() {
    for outcome in ["replay", "current"] {
        let log = Log::with_rows(3);
        let mut world = World::following(&log);
        // Another event under a number that was applied: only a snapshot decides.
        let mut other = Log::with_rows(3).clone_to(log.head() - 1);
        let fork = other.push("campaign.status", &json!({"phaseStatus": "failed"}));
        assert_eq!(world.receive(&fork.document()), Verdict::Divergence);
        assert_eq!(world.request()["prefer"], "snapshot");
        let first = world.request_id();
        let from = log.head() + 1;
        let to = if outcome == "replay" { from } else { log.head() };
        world.answer(outcome, EPOCH, from, to);
        world.advance_until(|it| it.requests() > 1);
        assert_ne!(world.request_id(), first, "{outcome}");
        assert_eq!(world.request()["prefer"], "snapshot", "{outcome}");
        assert_eq!(world.status(), "recovering", "{outcome}");
        world.answer_snapshot(EPOCH, log.head(), rows(3));
        world.advance_until(|it| it.count_sent("ping") > 0);
        world.pong(log.head());
        assert_eq!(world.status(), "live", "{outcome}");
    }
}

// R12.13
#[test]
fn head_of_an_epoch_that_was_left_requests_nothing() {
    let log = Log::with_rows(3);
    let mut world = World::following(&log);
    world.reconnect();
    world.answer_snapshot(OTHER_EPOCH, 5, rows(3));
    world.clear();
    let divergences = world.metrics().divergences;
    world.pong_with(json!([wire_head(EPOCH, log.head(), log.head())]));
    assert_eq!(world.status(), "recovering");
    assert_eq!((world.requests(), world.metrics().divergences), (0, divergences));
}

// R14.2
#[test]
fn unknown_error_code_counts_as_internal() {
    let mut world = World::connected(Config::default());
    let request = world.request_id();
    let data = json!({"code": "out_of_cheese", "campaignId": CAMPAIGN, "requestId": request});
    assert_eq!(world.receive(&message("error", &data)), Verdict::Control);
    assert_eq!(world.metrics().refused.of(Code::Internal), 1);
    world.advance_until(|it| it.request_id() != request);
}
