//! Campaigns that an application retains: reference count, linger time, waits, refreshes and log records.

use campaign_sync::protocol::{CampaignId, Code};
use campaign_sync::sync::input::Ticket;
use campaign_sync::sync::log::Level;
use campaign_sync::sync::{Config, Input, Verdict};
use serde_json::json;

use crate::wire::{CAMPAIGN, EPOCH, Log, OTHER_EPOCH, rows, transition};
use crate::world::{World, id, position};

fn followed() -> (World, Log) {
    let log = Log::with_rows(3);
    (World::following(&log), log)
}

#[test]
fn a_campaign_is_kept_five_seconds_after_the_last_release() {
    let (mut world, _) = followed();
    world.input(Input::Retain(id(CAMPAIGN)));
    world.input(Input::Release(id(CAMPAIGN)));
    world.advance(4_000);
    world.pong(4);
    world.advance(4_000);
    assert!(world.machine.subscription(CAMPAIGN).is_some(), "somebody holds it");
    world.input(Input::Release(id(CAMPAIGN)));
    world.advance(4_999);
    assert!(world.machine.subscription(CAMPAIGN).is_some());
    world.advance(1);
    assert!(world.machine.subscription(CAMPAIGN).is_none());
    assert_eq!(world.last_sent("unsubscribe_campaign").expect("said")["campaignId"], CAMPAIGN);
}

#[test]
fn campaign_retained_while_lingering_sends_no_request() {
    let (mut world, mut log) = followed();
    world.input(Input::Release(id(CAMPAIGN)));
    world.advance(3_000);
    world.input(Input::Retain(id(CAMPAIGN)));
    world.advance(6_000);
    assert_eq!(world.receive(&log.generate(3).document()), Verdict::Applied);
    assert_eq!(world.count_sent("subscribe_campaign") + world.requests(), 0);
}

#[test]
fn event_of_a_released_campaign_is_ignored() {
    let (mut world, mut log) = followed();
    world.input(Input::Release(id(CAMPAIGN)));
    world.advance(5_000);
    assert_eq!(world.receive(&log.generate(3).document()), Verdict::Unsubscribed);
}

#[test]
fn release_of_an_unretained_campaign_is_ignored() {
    let (mut world, _) = followed();
    assert!(world.handle(Input::Release(id("campaign-9"))).ignored_late);
    world.input(Input::Release(id(CAMPAIGN)));
    assert!(world.handle(Input::Release(id(CAMPAIGN))).ignored_late);
}

#[test]
fn campaigns_are_followed_side_by_side() {
    let mut log = Log::with_rows(2);
    let mut world = World::following(&log);
    world.input(Input::Retain(id("campaign-2")));
    let other = Log::with_rows(1).of_campaign("campaign-2");
    assert_eq!(world.request()["campaignId"], "campaign-2");
    assert_eq!((world.status_of("campaign-2"), &*world.status()), ("loading".into(), "live"));
    // A gap in one campaign does not affect the other.
    assert_eq!(world.receive(&other.document(2)), Verdict::Held);
    assert_eq!(world.receive(&log.generate(2).document()), Verdict::Applied);
    assert_eq!((world.position(), &*world.status()), (4, "live"));
    let ids: Vec<&str> = world.machine.campaigns().map(CampaignId::as_str).collect();
    assert_eq!(ids, [CAMPAIGN, "campaign-2"]);
}

#[test]
fn wait_for_a_reached_position_resolves_at_once() {
    let (mut world, _) = followed();
    world.input(Input::WaitForPosition(id(CAMPAIGN), position(EPOCH, 4), Ticket(71)));
    assert_eq!(world.settled, [(Ticket(71), None)]);
}

#[test]
fn wait_resolves_when_its_event_is_applied() {
    let (mut world, mut log) = followed();
    world.input(Input::WaitForPosition(id(CAMPAIGN), position(EPOCH, 6), Ticket(71)));
    world.receive(&log.generate(3).document());
    assert!(world.settled.is_empty());
    world.receive(&log.generate(4).document());
    assert_eq!(world.settled, [(Ticket(71), None)]);
}

#[test]
fn wait_resolves_by_a_snapshot_that_includes_its_position() {
    let (mut world, _) = followed();
    world.input(Input::WaitForPosition(id(CAMPAIGN), position(EPOCH, 6), Ticket(71)));
    world.reconnect();
    world.answer_snapshot(EPOCH, 8, rows(3));
    assert_eq!(world.settled, [(Ticket(71), None)]);
}

#[test]
fn wait_for_a_position_in_a_superseded_log_resolves() {
    let (mut world, _) = followed();
    world.input(Input::WaitForPosition(id(CAMPAIGN), position(EPOCH, 600), Ticket(71)));
    world.input(Input::WaitForPosition(id(CAMPAIGN), position("epoch-z", 1), Ticket(72)));
    world.reconnect();
    world.answer_snapshot(OTHER_EPOCH, 2, rows(3));
    assert_eq!(world.settled, [(Ticket(71), None)], "an unknown log may still come");
}

// R10.8
#[test]
fn wait_that_cannot_be_met_fails_with_a_code() {
    let (mut world, mut log) = followed();
    world.input(Input::WaitForPosition(id("campaign-9"), position(EPOCH, 1), Ticket(70)));
    world.input(Input::WaitForPosition(id(CAMPAIGN), position(EPOCH, 600), Ticket(71)));
    world.receive(&log.push("campaign.deleted", &json!({"campaignId": CAMPAIGN})).document());
    world.input(Input::WaitForPosition(id(CAMPAIGN), position(EPOCH, 600), Ticket(72)));
    let unknown = Some(Code::UnknownCampaign);
    assert_eq!(
        world.settled,
        [(Ticket(70), unknown), (Ticket(71), unknown), (Ticket(72), unknown)]
    );
}

#[test]
fn wait_fails_when_its_campaign_is_released() {
    let (mut world, _) = followed();
    world.input(Input::WaitForPosition(id(CAMPAIGN), position(EPOCH, 600), Ticket(71)));
    world.input(Input::Release(id(CAMPAIGN)));
    world.advance(5_000);
    assert_eq!(world.settled, [(Ticket(71), Some(Code::Closed))]);
}

#[test]
fn number_of_waits_is_bounded() {
    let (mut world, _) = followed();
    for ticket in 0..1_001 {
        world.input(Input::WaitForPosition(id(CAMPAIGN), position(EPOCH, 600), Ticket(ticket)));
    }
    assert_eq!(world.settled, [(Ticket(1_000), Some(Code::TooMany))]);
}

#[test]
fn wait_that_is_given_up_frees_its_place() {
    let (mut world, mut log) = followed();
    for ticket in 0..1_000 {
        world.input(Input::WaitForPosition(id(CAMPAIGN), position(EPOCH, 6), Ticket(ticket)));
    }
    world.input(Input::CancelWait(id(CAMPAIGN), Ticket(7)));
    world.input(Input::CancelWait(id("campaign-9"), Ticket(8)));
    world.input(Input::WaitForPosition(id(CAMPAIGN), position(EPOCH, 6), Ticket(1_000)));
    assert!(world.settled.is_empty(), "one place is free again");
    world.receive(&log.generate(3).document());
    world.receive(&log.generate(4).document());
    assert_eq!(world.settled.len(), 1_000);
    assert!(!world.settled.contains(&(Ticket(7), None)), "nobody waits for it");
}

#[test]
fn refresh_runs_at_most_once_a_second_per_campaign() {
    let (mut world, _) = followed();
    world.input(Input::Retain(id("campaign-2")));
    world.clear();
    world.input(Input::Refresh(id(CAMPAIGN)));
    assert_eq!(world.notice("cacheinvalidated")["reason"], "force_refresh");
    assert_eq!(world.count_sent("ping"), 1, "a fresh proof is asked for");
    assert!(world.handle(Input::Refresh(id(CAMPAIGN))).ignored_late);
    world.input(Input::Refresh(id("campaign-2")));
    world.advance(999);
    assert!(world.handle(Input::Refresh(id(CAMPAIGN))).ignored_late);
    world.advance(1);
    world.input(Input::Refresh(id(CAMPAIGN)));
    assert!(world.handle(Input::Refresh(id("campaign-9"))).ignored_late);
}

#[test]
fn a_refresh_without_a_socket_fetches() {
    let log = Log::with_rows(2);
    let config = Config { has_fetch_snapshot: true, ..Config::default() };
    let mut world = World::following_with(&log, config);
    world.close(1006);
    world.input(Input::Refresh(id(CAMPAIGN)));
    assert_eq!(world.fetches.len(), 1);
}

#[test]
fn changed_view_is_signalled_once_until_changes_are_taken() {
    let (mut world, mut log) = followed();
    world.machine.take_changes();
    let frame: Vec<String> = (3..30).map(|offset| log.generate(offset).document()).collect();
    let socket = world.socket();
    let frame = frame.join("\n");
    let frame = campaign_sync::protocol::frame::Frame::Text(&frame);
    assert_eq!(world.machine.handle(world.now, Input::Received(socket, frame)).applied, 27);
    let effects: Vec<_> = std::iter::from_fn(|| world.machine.poll_effect()).collect();
    assert_eq!(effects, [campaign_sync::sync::Effect::Changed]);
    let changes = world.machine.take_changes();
    assert_eq!((changes.len(), &changes[0].campaign_id), (1, &id(CAMPAIGN)));
    assert!(world.machine.take_changes().is_empty());
}

// R7.3
#[test]
fn ended_subscription_sets_the_status() {
    for (reason, status, rows) in [("forbidden", "failed(forbidden)", 0), ("archived", "ended", 3)]
    {
        let (mut world, mut log) = followed();
        let data = json!({"campaignId": CAMPAIGN, "reason": reason});
        world.receive(&crate::wire::message("subscription_ended", &data));
        assert_eq!((&*world.status(), world.rows().len()), (status, rows));
        assert_eq!(world.receive(&log.generate(3).document()), Verdict::Ignored);
    }
}

#[test]
fn sequence_is_logged_at_checkpoints_and_every_1000_events() {
    let mut log = Log::with_rows(998);
    let mut world = World::connected(Config { log: true, ..Config::default() });
    let data = transition("domain_generation", "dns_validation", "not_started", &rows(998));
    log.push("campaign.phase.transition", &data);
    for offset in 998..2_010 {
        log.generate(offset);
    }
    world.replay(&log, 1, log.head());
    let sequence = world.logs.iter().filter(|record| record.event == "sequence");
    let numbers: Vec<_> = sequence.map(|record| record.sequence_number).collect();
    // The checkpoint is number 1,000, so that number is logged once.
    assert_eq!(numbers, [Some(1_000), Some(2_000)]);
    let mut world =
        World::connected(Config { log: true, log_every_events: 700, ..Config::default() });
    world.replay(&log, 1, 1_100);
    let sequence = world.logs.iter().filter(|record| record.event == "sequence");
    let seen: Vec<_> = sequence.map(|it| (it.sequence_number, it.event_id.as_deref())).collect();
    assert_eq!(
        seen,
        [(Some(700), Some("epoch-a-event-700")), (Some(1_000), Some("epoch-a-event-1000"))]
    );
}

#[test]
fn every_integrity_event_is_logged_with_its_context() {
    let mut log = Log::with_rows(3);
    let mut world = World::following_with(&log, Config { log: true, ..Config::default() });
    let event = log.generate(3);
    log.generate(4);
    let mut other = log.event(2).clone();
    other.data = other.data.replace("name0", "other");
    world.receive(&event.damaged());
    world.receive(&log.document(6));
    world.receive(&other.document());
    let seen: Vec<_> = world
        .logs
        .iter()
        .filter(|record| record.campaign_id == Some(id(CAMPAIGN)))
        .map(|record| (record.level, record.event, record.sequence_number))
        .collect();
    assert!(seen.contains(&(Level::Warn, "corrupt", Some(5))), "{seen:?}");
    assert!(seen.contains(&(Level::Info, "recovery_requested", Some(4))), "{seen:?}");
    assert!(seen.contains(&(Level::Error, "divergence", Some(2))), "{seen:?}");
}

#[test]
fn nothing_is_logged_by_default() {
    let (mut world, log) = followed();
    world.receive(&log.event(2).damaged());
    world.close(1006);
    assert!(world.logs.is_empty());
}
