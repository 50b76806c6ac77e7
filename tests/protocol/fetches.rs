//! Fetches of the application: when the client requests one, and the changes that a late, old, failed or
//! repeated answer may make.

use campaign_sync::protocol::Code;
use campaign_sync::sync::input::Ticket;
use campaign_sync::sync::{Config, Input};
use serde_json::{Value, json};

use crate::polling::{answer, polling};
use crate::wire::{
    self, CAMPAIGN, EPOCH, Log, OTHER_EPOCH, Row, Snapshot, record, rows, transition,
};
use crate::world::{World, id};

/// Polls of one client in ten minutes: one every 15 to 45 seconds.
const POLLS: std::ops::RangeInclusive<usize> = 13..=41;

fn fetching() -> Config {
    Config { has_fetch_snapshot: true, ..Config::default() }
}

/// The answer of the REST API for that state.
fn fetched(epoch: &str, at: u64, rows: &[Row]) -> Value {
    let mut document = Snapshot::new(epoch, at, "", rows.to_vec()).parts_as_json().remove(0);
    for member in ["requestId", "part", "parts"] {
        document.as_object_mut().expect("an object").remove(member);
    }
    document
}

/// Passes one second without a connection: closes a socket that has opened.
fn second_without_socket(world: &mut World) {
    if world.machine.connection().socket().is_some() {
        world.close(1006);
    }
    world.advance(1_000);
}

/// Waits for the next round of polling.
fn next_round(world: &mut World) {
    let before = world.fetches.len();
    for _ in 0..120 {
        second_without_socket(world);
        if world.fetches.len() > before {
            return;
        }
    }
    panic!("no fetch within two minutes");
}

/// Opens the next socket and acknowledges v1.
fn back_on_a_socket(world: &mut World) {
    let opened = world.opened.len();
    world.advance_until(|world| world.opened.len() > opened);
    world.open();
    world.receive(&wire::ack());
}

// R16.12
#[test]
fn refresh_before_live_fetches_and_the_socket_wins() {
    let log = Log::with_rows(2);
    let mut world = World::connected(fetching());
    world.input(Input::Refresh(id(CAMPAIGN)));
    assert_eq!((world.fetches.len(), &*world.status()), (1, "loading"));
    world.replay(&log, 1, log.head());
    assert_eq!(answer(&mut world, &fetched(EPOCH, 9, &rows(6))), None);
    assert_eq!((world.position(), world.rows().len()), (3, 2), "the socket brings the state");
    world.pong(log.head());
    assert_eq!(world.status(), "live");
}

// R16.12
#[test]
fn fetch_begun_before_the_socket_is_ignored_after_it() {
    let mut world = World::new(fetching());
    world.input(Input::Retain(id(CAMPAIGN)));
    world.input(Input::Refresh(id(CAMPAIGN)));
    world.connect();
    assert_eq!(answer(&mut world, &fetched(EPOCH, 9, &rows(6))), None);
    assert_eq!((world.rows().len(), &*world.status()), (0, "loading"));
    let log = Log::with_rows(2);
    world.replay(&log, 1, log.head());
    assert_eq!((world.position(), world.rows().len()), (3, 2));
}

#[test]
fn refresh_while_live_fetches_nothing() {
    let mut world = World::following_with(&Log::with_rows(2), fetching());
    world.input(Input::Refresh(id(CAMPAIGN)));
    assert_eq!((world.fetches.len(), world.count_sent("ping")), (0, 1));
}

#[test]
fn fetch_answered_after_a_newer_event_changes_nothing() {
    let mut log = Log::with_rows(3);
    let mut world = World::following_with(&log, fetching());
    world.close(1006);
    world.input(Input::Refresh(id(CAMPAIGN)));
    back_on_a_socket(&mut world);
    log.push(
        "campaign.phase.transition",
        &transition("domain_generation", "dns_validation", "configured", &rows(3)),
    );
    world.replay(&log, 5, 5);
    world.close(1006);
    let (before, table) = (world.view(), world.rows());
    world.notices.clear();
    assert_eq!(answer(&mut world, &fetched(EPOCH, 4, &rows(3))), None);
    assert_eq!((world.view(), world.rows()), (before, table));
    assert_eq!(world.view()["campaign"]["currentPhase"], "dns_validation");
    assert!(world.notices.is_empty(), "no cache and no listener hears of it");
}

#[test]
fn lagging_answers_do_not_raise_the_rate_of_fetches() {
    let mut world = polling(&Log::with_rows(5));
    let mut answered = 0;
    for _ in 0..600 {
        second_without_socket(&mut world);
        if world.fetches.len() > answered {
            answered = world.fetches.len();
            assert_eq!(answer(&mut world, &fetched(EPOCH, 3, &rows(2))), None);
        }
    }
    assert!(POLLS.contains(&answered), "{answered} fetches in ten minutes");
    assert_eq!((world.position(), world.rows().len()), (6, 5));
}

#[test]
fn failed_fetch_is_repeated_at_the_next_round() {
    let mut world = polling(&Log::with_rows(2));
    for _ in 0..3 {
        let ticket = *world.fetches.last().expect("a snapshot was asked for");
        let refused = world.handle(Input::Snapshot(ticket, None)).refused;
        assert_eq!(refused, Some(Code::FetchFailed));
        next_round(&mut world);
    }
    assert_eq!(answer(&mut world, &fetched(EPOCH, 9, &rows(6))), None);
    assert_eq!((world.position(), &*world.status()), (9, "stale(polling)"));
    assert_eq!(world.metrics().refused.of(Code::FetchFailed), 3);
}

#[test]
fn refused_fetch_is_repeated_at_the_next_round() {
    let mut world = polling(&Log::with_rows(2));
    let mut spoiled = fetched(EPOCH, 9, &rows(6));
    spoiled["domainsDigest"] = "0".repeat(16).into();
    assert_eq!(answer(&mut world, &spoiled), Some(Code::InvalidSnapshot));
    next_round(&mut world);
    assert_eq!(answer(&mut world, &fetched(EPOCH, 9, &rows(6))), None);
    assert_eq!((world.position(), world.rows().len()), (9, 6));
}

#[test]
fn unanswered_fetch_is_given_up_and_repeated() {
    let mut world = polling(&Log::with_rows(2));
    let first = world.fetches[0];
    next_round(&mut world);
    let late = fetched(EPOCH, 9, &rows(6)).to_string();
    assert!(world.handle(Input::Snapshot(first, Some(&late))).ignored_late);
    assert_eq!(world.position(), 3, "only the answer of the newer fetch counts");
    assert_eq!(answer(&mut world, &fetched(EPOCH, 8, &rows(5))), None);
    assert_eq!((world.position(), world.rows().len()), (8, 5));
}

#[test]
fn ignored_log_is_fetched_again_at_the_next_round() {
    let mut world = World::connected(fetching());
    world.input(Input::Refresh(id(CAMPAIGN)));
    world.answer_snapshot(OTHER_EPOCH, 9, rows(9));
    world.close(1006);
    assert_eq!(answer(&mut world, &fetched(EPOCH, 40, &rows(5))), None);
    assert_eq!((world.position(), world.rows().len()), (9, 9), "it may be the older log");
    next_round(&mut world);
    assert_eq!(answer(&mut world, &fetched("epoch-c", 3, &rows(3))), None);
    assert_eq!((&world.view()["position"]["epoch"], world.rows().len()), (&"epoch-c".into(), 3));
}

#[test]
fn phase_learned_by_a_fetch_is_announced_once() {
    let mut world = polling(&Log::with_rows(2));
    let mut moved = fetched(EPOCH, 9, &rows(2));
    moved["campaign"] = record("dns_validation", "in_progress", 2);
    assert_eq!(answer(&mut world, &moved), None);
    let kinds = world.kinds();
    let at = |kind: &str| kinds.iter().position(|it| *it == kind).expect(kind);
    assert!(at("cacheinvalidated") < at("phasetransition"), "{kinds:?}");
    let announced = world.notice("phasetransition");
    let words = ["previousPhase", "newPhase", "transitionType"].map(|it| announced[it].clone());
    assert_eq!(words, ["domain_generation", "dns_validation", "snapshot"]);
    next_round(&mut world);
    assert_eq!(answer(&mut world, &moved), None);
    let announced = world.kinds().iter().filter(|kind| **kind == "phasetransition").count();
    assert_eq!(announced, 1);
}

#[test]
fn fetch_that_lacks_many_rows_keeps_them_as_unconfirmed() {
    let mut world = polling(&Log::with_rows(130));
    assert_eq!(answer(&mut world, &fetched(EPOCH, 140, &rows(20))), None);
    let view = world.view();
    assert_eq!((&view["domainsCount"], &view["unconfirmedCount"]), (&20.into(), &110.into()));
    assert_eq!((world.rows().len(), &world.notice("unconfirmed")["rows"]), (130, &110.into()));
}

/// Follows a log up to number 3; event 4 was lost, and 5 is held.
fn with_a_gap() -> (World, Log) {
    let mut log = Log::with_rows(2);
    let mut world = World::following_with(&log, fetching());
    (2..8).for_each(|offset| drop(log.generate(offset)));
    world.receive(&log.document(5));
    assert_eq!((world.requests(), held(&world)), (1, 1));
    (world, log)
}

fn held(world: &World) -> usize {
    world.machine.subscription(CAMPAIGN).expect("it is followed").held().0
}

#[test]
fn held_event_older_than_a_fetch_requests_nothing() {
    let (mut world, log) = with_a_gap();
    world.close(1006);
    next_round(&mut world);
    assert_eq!(answer(&mut world, &fetched(EPOCH, log.head(), &rows(8))), None);
    back_on_a_socket(&mut world);
    let asked = world.requests();
    assert_eq!(world.request()["lastSequenceNumber"], log.head());
    world.answer("current", EPOCH, log.head() + 1, log.head());
    world.pong(log.head());
    assert_eq!((world.requests(), held(&world), &*world.status()), (asked, 0, "live"));
    assert_eq!((world.position(), world.rows().len()), (log.head(), 8));
}

#[test]
fn held_event_older_than_a_snapshot_requests_nothing() {
    let (mut world, log) = with_a_gap();
    world.answer_snapshot(EPOCH, log.head(), rows(8));
    assert_eq!((world.requests(), held(&world)), (1, 0));
    world.pong(log.head());
    assert_eq!((world.requests(), &*world.status()), (1, "live"));
    assert_eq!((world.position(), world.rows().len()), (log.head(), 8));
}

#[test]
fn held_event_next_to_a_fetch_is_applied_on_the_socket() {
    let (mut world, log) = with_a_gap();
    world.close(1006);
    next_round(&mut world);
    assert_eq!(answer(&mut world, &fetched(EPOCH, 4, &rows(3))), None);
    back_on_a_socket(&mut world);
    world.replay(&log, world.position() + 1, log.head());
    assert_eq!((world.position(), world.rows().len()), (log.head(), 8));
    assert_eq!(world.metrics().divergences, 0);
}

#[test]
fn fetch_of_a_deleted_campaign_changes_nothing() {
    let mut log = Log::with_rows(2);
    let mut world = World::following_with(&log, fetching());
    world.close(1006);
    world.input(Input::Refresh(id(CAMPAIGN)));
    back_on_a_socket(&mut world);
    log.push("campaign.deleted", &json!({"campaignId": CAMPAIGN}));
    world.replay(&log, 4, 4);
    world.close(1006);
    assert_eq!(answer(&mut world, &fetched(EPOCH, 9, &rows(6))), None);
    assert_eq!((world.position(), world.rows().len(), &*world.status()), (4, 2, "ended"));
}

#[test]
fn fetch_of_a_released_campaign_changes_nothing() {
    let mut world = polling(&Log::with_rows(2));
    world.input(Input::Release(id(CAMPAIGN)));
    for _ in 0..6 {
        second_without_socket(&mut world);
    }
    assert_eq!(answer(&mut world, &fetched(EPOCH, 9, &rows(6))), None);
    assert!(world.machine.view(CAMPAIGN, world.now).is_none());
    world.input(Input::WaitForPosition(id(CAMPAIGN), crate::world::position(EPOCH, 9), Ticket(71)));
    assert_eq!(world.settled.last(), Some(&(Ticket(71), Some(Code::UnknownCampaign))));
}
