//! Polling: fetches of the application while no socket is available.

use campaign_sync::protocol::Code;
use campaign_sync::sync::input::Ticket;
use campaign_sync::sync::{Config, Input, Verdict};
use serde_json::{Value, json};

use crate::wire::{self, CAMPAIGN, EPOCH, Log, OTHER_EPOCH, Row, Snapshot, rows};
use crate::world::{World, id, position};

fn fetching() -> Config {
    Config { has_fetch_snapshot: true, ..Config::default() }
}

/// A world that follows `log` and polls, because three connects have failed.
pub(crate) fn polling(log: &Log) -> World {
    let mut world = World::following_with(log, fetching());
    fail_connects(&mut world, 3);
    assert_eq!(world.fetches.len(), 1);
    world
}

fn fail_connects(world: &mut World, times: usize) {
    for _ in 0..times {
        let opened = world.opened.len();
        world.close(1006);
        world.advance_until(|world| world.opened.len() > opened || !world.fetches.is_empty());
    }
}

/// An answer in the form of the REST API.
fn fetched(epoch: &str, at: u64, rows: &[Row]) -> Value {
    let snapshot = Snapshot::new(epoch, at, "", rows.to_vec());
    let mut answer = snapshot.parts_as_json().remove(0);
    for member in ["requestId", "part", "parts"] {
        answer.as_object_mut().expect("an object").remove(member);
    }
    answer
}

pub(crate) fn answer(world: &mut World, json: &Value) -> Option<Code> {
    let ticket = *world.fetches.last().expect("a snapshot was asked for");
    let json = json.to_string();
    world.handle(Input::Snapshot(ticket, Some(&json))).refused
}

#[test]
fn polling_hides_the_progress_of_a_snapshot() {
    let mut world = World::following_with(&Log::with_rows(2), fetching());
    world.reconnect();
    let mut snapshot = Snapshot::new(EPOCH, 50, &world.request_id(), rows(25));
    snapshot.per_part = 10;
    world.answer("snapshot", EPOCH, 51, 50);
    world.receive(&snapshot.parts()[0]);
    assert_eq!(world.view()["loading"]["received"], 1);
    world.close(1006);
    world.advance_until(|world| world.fetches.len() == 1);
    answer(&mut world, &fetched(EPOCH, 40, &rows(20)));
    assert_eq!((&*world.status(), &world.view()["loading"]), ("stale(polling)", &Value::Null));
}

#[test]
fn polling_begins_after_three_failed_connects() {
    let log = Log::with_rows(2);
    let mut world = World::following_with(&log, fetching());
    for failures in 1..=2 {
        let opened = world.opened.len();
        world.close(1006);
        world.advance_until(|world| world.opened.len() > opened);
        assert_eq!(world.fetches.len(), 0, "after {failures}");
    }
    world.close(1006);
    assert_eq!(world.fetches.len(), 1);
}

#[test]
fn client_without_a_fetch_function_does_not_poll() {
    let mut world = World::following(&Log::with_rows(2));
    for _ in 0..6 {
        let opened = world.opened.len();
        world.close(1006);
        world.advance_until(|world| world.opened.len() > opened);
    }
    assert_eq!((world.fetches.len(), &*world.status()), (0, "stale(disconnected)"));
}

#[test]
fn a_newer_state_is_shown_as_stale_polling() {
    let log = Log::with_rows(2);
    let mut world = polling(&log);
    assert_eq!(world.status(), "stale(disconnected)");
    assert_eq!(answer(&mut world, &fetched(EPOCH, 9, &rows(6))), None);
    assert_eq!((world.position(), world.rows().len()), (9, 6));
    assert_eq!(world.status(), "stale(polling)");
    assert_eq!(world.notice("cacheinvalidated")["reason"], "snapshot");
}

#[test]
fn at_most_one_fetch_is_in_flight() {
    for (has_fetch_snapshot, fetches) in [(true, 1), (false, 0)] {
        let mut world = World::connected(Config { has_fetch_snapshot, ..Config::default() });
        for _ in 0..3 {
            world.input(Input::Refresh(id(CAMPAIGN)));
            world.advance(1_500);
        }
        assert_eq!(world.fetches.len(), fetches);
    }
}

#[test]
fn wait_resolves_by_a_fetch_that_includes_its_position() {
    let mut world = polling(&Log::with_rows(2));
    world.input(Input::WaitForPosition(id(CAMPAIGN), position(EPOCH, 6), Ticket(71)));
    assert_eq!(answer(&mut world, &fetched(EPOCH, 8, &rows(3))), None);
    assert_eq!(world.settled, [(Ticket(71), None)]);
}

// R5.5
#[test]
fn fetch_does_not_move_the_position_back() {
    let log = Log::with_rows(5);
    let mut world = polling(&log);
    assert_eq!(answer(&mut world, &fetched(EPOCH, 3, &rows(2))), None);
    assert_eq!((world.position(), world.rows().len()), (6, 5));
}

// R5.7
#[test]
fn fetched_state_of_another_log_supersedes_the_old_log() {
    let log = Log::with_rows(2);
    let mut world = polling(&log);
    answer(&mut world, &fetched(OTHER_EPOCH, 1, &rows(3)));
    assert_eq!(world.view()["position"]["epoch"], OTHER_EPOCH);
    answer_again(&mut world, &fetched(EPOCH, 900, &rows(1)));
    assert_eq!(world.view()["position"]["epoch"], OTHER_EPOCH);
}

/// A world with a fetch in flight that began before the client knew a log. Since then, the socket has brought
/// the state of another log.
fn answered_while_fetching() -> World {
    let mut world = World::connected(fetching());
    world.input(Input::Refresh(id(CAMPAIGN)));
    assert_eq!(world.fetches.len(), 1);
    world.answer_snapshot(OTHER_EPOCH, 9, rows(9));
    world.close(1006);
    world
}

// R5.7
#[test]
fn late_fetch_from_a_replaced_log_is_ignored() {
    let mut world = answered_while_fetching();
    assert_eq!(answer(&mut world, &fetched(EPOCH, 40, &rows(5))), None);
    assert_eq!((world.position(), world.rows().len()), (9, 9));
    let opened = world.opened.len();
    world.advance_until(|world| world.opened.len() > opened);
    world.open();
    world.receive(&wire::ack());
    assert_eq!(world.request()["epoch"], OTHER_EPOCH);
    world.answer_snapshot(OTHER_EPOCH, 11, rows(11));
    assert_eq!(world.position(), 11, "the log reported on the socket was not left");
}

// R5.7
#[test]
fn late_fetch_from_another_log_than_the_replay_is_ignored() {
    let log = Log::with_rows(2);
    let mut world = World::connected(fetching());
    world.advance(1_000);
    world.input(Input::Refresh(id(CAMPAIGN)));
    world.pass(1_000);
    world.replay(&log, 1, log.head());
    world.close(1006);
    answer(&mut world, &fetched(OTHER_EPOCH, 40, &rows(5)));
    assert_eq!((&world.view()["position"]["epoch"], world.rows().len()), (&EPOCH.into(), 2));
}

// R5.7
#[test]
fn fetch_after_an_ignored_one_can_bring_a_newer_log() {
    let mut world = answered_while_fetching();
    answer(&mut world, &fetched(EPOCH, 40, &rows(5)));
    world.advance(2_000);
    world.input(Input::Refresh(id(CAMPAIGN)));
    assert_eq!(answer(&mut world, &fetched("epoch-c", 3, &rows(3))), None);
    assert_eq!((&world.view()["position"]["epoch"], world.rows().len()), (&"epoch-c".into(), 3));
}

#[test]
fn late_fetch_from_the_log_of_the_socket_is_applied() {
    let mut world = answered_while_fetching();
    assert_eq!(answer(&mut world, &fetched(OTHER_EPOCH, 12, &rows(12))), None);
    assert_eq!((world.position(), world.rows().len()), (12, 12));
}

#[test]
fn socket_lost_in_a_frame_leaves_no_round_of_polling_overdue() {
    let mut world = polling(&Log::with_rows(2));
    let opened = world.opened.len();
    world.advance_until(|world| world.opened.len() > opened);
    world.open();
    world.receive(&wire::ack_for("s-1"));
    world.pass(3_000);
    let verdict = world.receive(&wire::ack_for("s-2"));
    assert_eq!(verdict, Verdict::Refused(Code::InvalidMessage));
    assert!(
        world.machine.poll_timeout() > Some(world.now.at),
        "a late timer would count as a wake"
    );
}

/// Waits for the next round of polling and answers its fetch.
fn answer_again(world: &mut World, json: &Value) {
    let before = world.fetches.len();
    for _ in 0..60 {
        // Closes every socket that opens, so that no connection lasts.
        if world.machine.connection().socket().is_some() {
            world.close(1006);
        }
        world.advance(1_000);
        if world.fetches.len() > before {
            answer(world, json);
            return;
        }
    }
    panic!("no second round within a minute");
}

#[test]
fn polling_rounds_are_thirty_seconds_apart_plus_minus_half() {
    let log = Log::with_rows(2);
    let mut gaps = Vec::new();
    for seed in 0..20 {
        let mut world = World::seeded(fetching(), seed);
        world.input(Input::Retain(id(CAMPAIGN)));
        world.connect();
        world.replay(&log, 1, 3);
        fail_connects(&mut world, 3);
        assert_eq!(answer(&mut world, &fetched(EPOCH, 3, &rows(2))), None);
        for _ in 0..3 {
            let before = world.now.at;
            answer_again(&mut world, &fetched(EPOCH, 3, &rows(2)));
            gaps.push(world.now.at.since(before));
        }
    }
    let (least, most) = (gaps.iter().min().unwrap(), gaps.iter().max().unwrap());
    assert!(*least >= 14_000 && *most <= 46_000, "{least} to {most}");
    assert!(most - least > 15_000, "spread over half to one and a half: {least} to {most}");
}

#[test]
fn socket_continues_from_the_fetched_position() {
    let mut log = Log::with_rows(2);
    let mut world = polling(&log);
    for offset in 2..6 {
        log.generate(offset);
    }
    answer(&mut world, &fetched(EPOCH, 6, &rows(5)));
    world.clear();
    world.advance_until(|world| world.machine.connection().socket().is_some());
    world.open();
    world.receive(&wire::ack());
    assert_eq!(world.request()["lastSequenceNumber"], 6);
    world.replay(&log, 7, 7);
    world.pong(7);
    assert_eq!((world.rows().len(), &*world.status()), (6, "live"));
    world.advance(4_000);
    assert!(world.fetches.is_empty(), "and polling has ended");
}

// R16.11
#[test]
fn invalid_fetched_state_is_refused() {
    let log = Log::with_rows(2);
    for (member, value, code) in [
        ("domainsCount", json!(5), Code::InvalidSnapshot),
        ("domainsDigest", json!("00000000000000aa"), Code::InvalidSnapshot),
        ("campaignId", json!("campaign-2"), Code::InvalidContent),
        ("campaignId", json!("../x"), Code::InvalidCampaignId),
        ("campaign", json!(7), Code::InvalidContent),
        ("epoch", Value::Null, Code::InvalidContent),
        ("sequenceNumber", Value::Null, Code::InvalidContent),
    ] {
        let mut world = polling(&log);
        let before = (world.view(), world.rows());
        let mut json = fetched(EPOCH, 9, &rows(6));
        json[member] = value;
        if member == "campaignId" {
            json["campaign"]["campaignId"] = json["campaignId"].clone();
        }
        assert_eq!(answer(&mut world, &json), Some(code), "{member}");
        assert_eq!(world.metrics().refused.of(code), 1);
        assert_eq!((world.view(), world.rows()), before);
    }
}

#[test]
fn a_fetched_state_without_a_position_is_refused() {
    let mut world = polling(&Log::with_rows(2));
    let before = (world.view(), world.rows());
    let mut json = fetched(EPOCH, 9, &rows(6));
    for member in ["epoch", "sequenceNumber", "eventId"] {
        json.as_object_mut().expect("an object").remove(member);
    }
    assert_eq!(answer(&mut world, &json), Some(Code::InvalidContent));
    assert_eq!((world.view(), world.rows()), before);
    assert_eq!(world.notice("rejected")["code"], "invalid_content");
}

#[test]
fn failed_fetch_is_notified_and_its_late_answer_ignored() {
    let log = Log::with_rows(2);
    let mut world = polling(&log);
    let ticket = world.fetches[0];
    assert_eq!(world.handle(Input::Snapshot(ticket, None)).refused, Some(Code::FetchFailed));
    assert_eq!(world.notice("rejected")["code"], "fetch_failed");
    let json = fetched(EPOCH, 9, &rows(6)).to_string();
    assert!(world.handle(Input::Snapshot(ticket, Some(&json))).ignored_late);
    assert_eq!(world.position(), 3);
}
