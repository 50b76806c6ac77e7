//! Recovery: one request is in flight, and is repeated within its rate limits until it is answered in full.

use campaign_sync::protocol::Code;
use campaign_sync::sync::{Config, Input, Verdict};
use serde_json::json;

use crate::wire::{self, CAMPAIGN, EPOCH, Event, Log, OTHER_EPOCH, message, rows};
use crate::world::{World, id, wire_head};

/// A world that follows a log whose event 4 was lost in transit. It has sent one recovery request.
pub(crate) fn with_a_gap() -> (World, Log) {
    let mut log = Log::with_rows(2);
    let mut world = World::following(&log);
    log.generate(2);
    log.generate(3);
    assert_eq!(world.receive(&log.document(5)), Verdict::Held);
    assert_eq!(world.requests(), 1);
    (world, log)
}

// R6.2, R12.1
#[test]
fn the_first_request_is_pipelined_with_the_subscription() {
    let world = World::connected(Config::default());
    let kinds: Vec<_> = world.sent.iter().map(|message| message["type"].clone()).collect();
    assert_eq!(
        kinds,
        ["connection_init", "subscribe_campaign", "request_event_recovery", "ping"],
        "nothing waits for an answer"
    );
    let request = world.request();
    assert_eq!(
        (&request["lastSequenceNumber"], &request["reason"]),
        (&0.into(), &"connect".into())
    );
    assert_eq!(world.status(), "loading");
}

// R8.20, R13.19
#[test]
fn one_recovery_is_in_flight_however_much_is_missing() {
    let (mut world, mut log) = with_a_gap();
    for offset in 4..50 {
        let event = log.generate(offset);
        assert_eq!(world.receive(&event.document()), Verdict::Held);
    }
    assert_eq!(world.receive(&log.event(4).damaged()), Verdict::Corrupt);
    world.pong(log.head());
    world.advance(400);
    assert_eq!(world.requests(), 1);
}

// R8.24
#[test]
fn recovery_survives_the_loss_of_the_socket() {
    let (mut world, log) = with_a_gap();
    let since = world.now.at;
    world.close(1006);
    assert_eq!(world.status(), "stale(disconnected)");
    world.advance_until(|world| world.opened.len() == 2);
    world.open();
    world.receive(&wire::ack());
    assert_eq!((world.requests(), &world.request()["reason"]), (2, &"reconnect".into()));
    world.replay(&log, 4, 5);
    let recovered = world.notice("recovered");
    let waited = world.now.at.since(since);
    assert_eq!(
        (&recovered["outcome"], &recovered["durationMs"]),
        (&"replay".into(), &waited.into())
    );
}

// R8.24
#[test]
fn snapshot_request_survives_the_loss_of_the_socket() {
    let log = Log::with_rows(2);
    let mut world = World::following(&log);
    let mut other = log.event(2).clone();
    other.data = other.data.replace("name0", "other");
    assert_eq!(world.receive(&other.document()), Verdict::Divergence);
    world.reconnect();
    assert_eq!(world.request()["prefer"], "snapshot");
}

// R8.14
#[test]
fn a_partial_replay_is_refused_and_becomes_a_snapshot() {
    let (mut world, log) = with_a_gap();
    world.answer("replay", EPOCH, 5, 5);
    assert_eq!((world.requests(), &world.request()["prefer"]), (2, &"snapshot".into()));
    assert_eq!(world.receive(&log.document(5)), Verdict::Duplicate, "it is held");
    assert_eq!(world.position(), 3, "nothing was skipped");
}

// R8.14
#[test]
fn a_replay_of_another_log_is_refused() {
    let (mut world, _) = with_a_gap();
    world.answer("replay", OTHER_EPOCH, 4, 5);
    assert_eq!(world.request()["prefer"], "snapshot");
    assert_eq!(world.view()["position"]["epoch"], EPOCH);
}

// R8.12
#[test]
fn an_answer_to_another_request_is_ignored() {
    let (mut world, _) = with_a_gap();
    let stray = wire::recovery("snapshot", EPOCH, "not-ours", 6, 5);
    assert_eq!(world.receive(&stray), Verdict::Ignored);
    assert_eq!((world.requests(), &*world.status()), (1, "recovering"));
}

#[test]
fn held_event_that_arrives_again_in_the_replay_is_redelivered() {
    let (mut world, log) = with_a_gap();
    world.answer("replay", EPOCH, 4, 5);
    assert_eq!(world.receive(&log.document(4)), Verdict::Applied);
    assert_eq!((world.position(), &world.notice("recovered")["outcome"]), (5, &json!("replay")));
    assert_eq!(world.receive(&log.document(5)), Verdict::Redelivered);
    assert_eq!(world.receive(&log.document(5)), Verdict::Duplicate, "once is enough");
    assert_eq!((world.metrics().redelivered, world.metrics().duplicates), (1, 1));
}

#[test]
fn loss_within_a_replay_is_requested_again() {
    let (mut world, log) = with_a_gap();
    world.answer("replay", EPOCH, 4, 6);
    assert_eq!(world.receive(&log.document(5)), Verdict::Duplicate, "beyond the next, and held");
    let mut longer = log.clone();
    assert_eq!(world.receive(&longer.generate(4).document()), Verdict::Held);
    assert_eq!(world.requests(), 2, "the socket left out event 4");
    assert_eq!(world.request().get("prefer"), None);
}

// R8.18
#[test]
fn gap_beyond_an_answer_is_awaited_without_a_request() {
    let (mut world, log) = with_a_gap();
    // This server does not have event 4 yet.
    world.answer("current", EPOCH, 4, 3);
    world.advance(2_000);
    assert_eq!((world.requests(), &*world.status()), (1, "recovering"), "5 is held, 4 is missing");
    assert_eq!(world.receive(&log.document(4)), Verdict::Applied);
    assert_eq!((world.position(), &*world.status()), (5, "live"));
    assert_eq!((world.requests(), &world.notice("recovered")["events"]), (1, &json!(2)));
}

// R8.18
#[test]
fn gap_beyond_an_answer_is_requested_after_ten_idle_seconds() {
    let (mut world, _) = with_a_gap();
    for asked in 1..=4 {
        world.answer("current", EPOCH, 4, 3);
        for _ in 0..3 {
            world.advance(3_300);
            world.receive(&message("pong", &json!({"heads": []})));
        }
        assert_eq!((world.requests(), &*world.status()), (asked, "recovering"));
        world.advance_until(|world| world.requests() > asked);
        assert_eq!(world.request().get("prefer"), None);
    }
}

// R12.14
#[test]
fn a_tail_loss_is_found_by_a_pong() {
    let mut log = Log::with_rows(2);
    let mut world = World::following(&log);
    log.generate(2);
    world.pong(4);
    assert_eq!((world.requests(), &world.request()["reason"]), (1, &"tail".into()));
    assert_eq!(world.status(), "recovering");
    world.replay(&log, 4, 4);
    assert_eq!((world.position(), &*world.status()), (4, "live"));
}

// R12.14
#[test]
fn an_unsolicited_pong_finds_a_tail_loss_too() {
    let mut world = World::following(&Log::with_rows(2));
    let pong = json!({"heads": [wire_head(EPOCH, 4, 4)]});
    world.receive(&message("pong", &pong));
    assert_eq!(world.request()["reason"], "tail");
}

// R12.16
#[test]
fn socket_behind_the_log_head_is_recovering_without_a_request() {
    let mut log = Log::with_rows(2);
    let mut world = World::following(&log);
    world.advance(5_000);
    world.pong_with(json!([wire_head(EPOCH, 3, 9)]));
    assert_eq!((world.requests(), &*world.status()), (0, "recovering"));
    for offset in 2..7 {
        assert_eq!(world.receive(&log.generate(offset).document()), Verdict::Applied);
        assert_eq!(world.status(), "recovering", "at {}", log.head());
    }
    assert_eq!(world.receive(&log.generate(7).document()), Verdict::Applied);
    assert_eq!((log.head(), &*world.status()), (9, "live"), "the log's head has come");
}

// R12.15
#[test]
fn a_head_below_our_position_on_the_same_socket_is_divergence() {
    let mut world = World::following(&Log::with_rows(3));
    world.advance(5_000);
    world.pong(2);
    assert_eq!(world.notice("divergence")["kind"], "head");
    assert_eq!(world.request()["prefer"], "snapshot");
    assert_eq!(world.position(), 4, "the position stays until a snapshot decides");
}

// R12.15
#[test]
fn head_below_formerly_held_events_is_not_divergence() {
    let mut log = Log::with_rows(3);
    let mut world = World::following(&log);
    for offset in 3..8 {
        log.generate(offset);
    }
    // Event 5 is lost, so the later events are held.
    assert_eq!(world.frame(&log.frame(6, 9)).applied, 0);
    world.answer("replay", EPOCH, 5, 9);
    world.receive(&log.document(5));
    assert_eq!((world.position(), &*world.status()), (9, "live"), "the rest was here");
    world.advance(5_000);
    world.pong_with(json!([wire_head(EPOCH, 6, 9)]));
    assert_eq!(world.status(), "live", "the server still sends what was held");
    assert_eq!(world.frame(&log.frame(6, 8)).applied, 0);
    world.advance(5_000);
    world.pong_with(json!([wire_head(EPOCH, 7, 9)]));
    assert_eq!(world.notice("divergence")["kind"], "head", "8 had come on this socket");
}

// R12.15
#[test]
fn head_is_compared_with_events_since_the_snapshot() {
    let log = Log::with_rows(9);
    let mut world = World::following(&log);
    world.pong_with(json!([wire_head(OTHER_EPOCH, 2, 2)]));
    world.answer_snapshot(OTHER_EPOCH, 2, rows(2));
    world.advance(1);
    world.pong_with(json!([wire_head(OTHER_EPOCH, 2, 2)]));
    assert_eq!((&*world.status(), world.metrics().divergences), ("live", 1));
    world.advance(5_000);
    world.pong_with(json!([wire_head(OTHER_EPOCH, 2, 2)]));
    assert_eq!(
        (&*world.status(), world.metrics().divergences),
        ("live", 1),
        "10 was another log's"
    );
}

// R12.12
#[test]
fn a_head_of_an_unknown_epoch_is_divergence() {
    let mut world = World::following(&Log::with_rows(3));
    world.pong_with(json!([wire_head(OTHER_EPOCH, 4, 4)]));
    assert_eq!(world.notice("divergence")["kind"], "epoch");
    assert_eq!(world.request()["prefer"], "snapshot");
}

// R5.5, R9.6
#[test]
fn the_position_never_goes_back_within_an_epoch() {
    let log = Log::with_rows(5);
    let mut world = World::following(&log);
    world.reconnect();
    // A lagging replica answers with an older snapshot of the same log.
    world.answer_snapshot(EPOCH, 4, rows(3));
    assert_eq!((world.position(), world.rows().len()), (6, 5));
    assert_eq!(world.status(), "recovering");
    world.advance_until(|world| world.requests() == 2);
    world.answer_snapshot(EPOCH, 6, rows(5));
    assert_eq!((world.position(), world.metrics().snapshots), (6, 1));
}

// R6.2, R8.13
#[test]
fn superseded_epoch_is_not_entered_again() {
    let log = Log::with_rows(3);
    let mut world = World::following(&log);
    world.reconnect();
    world.answer_snapshot(OTHER_EPOCH, 2, rows(2));
    world.reconnect();
    world.answer("snapshot", EPOCH, 9, 8);
    assert_eq!(world.view()["position"]["epoch"], OTHER_EPOCH);
    let requests = world.requests();
    world.advance_until(|world| world.requests() > requests);
    assert_eq!(world.request()["epoch"], OTHER_EPOCH);
}

// R5.6, R13.5
#[test]
fn last_eight_superseded_epochs_are_remembered() {
    let log = Log::new("epoch-0");
    let mut world = World::connected(Config::default());
    world.answer_snapshot("epoch-0", 1, rows(1));
    for number in 1..=9 {
        world.reconnect();
        world.answer_snapshot(&format!("epoch-{number}"), 1, rows(1));
    }
    let of = |epoch: &str| Log::new(epoch).next("campaign.coloured", &json!({})).document();
    assert_eq!(log.head(), 0);
    for number in 1..9 {
        assert_eq!(world.receive(&of(&format!("epoch-{number}"))), Verdict::SupersededEpoch);
    }
    assert_eq!(world.receive(&of("epoch-0")), Verdict::ForeignEpoch);
}

// R8.23, R13.4
#[test]
fn same_next_event_corrupt_three_times_requests_a_snapshot() {
    let mut log = Log::with_rows(2);
    let mut world = World::following(&log);
    let event = log.generate(2);
    assert_eq!(world.receive(&event.damaged()), Verdict::Corrupt);
    for request in 1..3 {
        assert_eq!((world.requests(), world.request().get("prefer")), (request, None));
        world.answer("replay", EPOCH, 4, 4);
        assert_eq!(world.receive(&event.damaged()), Verdict::Corrupt);
    }
    assert_eq!((world.requests(), &world.request()["prefer"]), (3, &"snapshot".into()));
    world.answer_snapshot(EPOCH, 4, rows(3));
    assert_eq!((world.position(), world.rows().len()), (4, 3));
}

// R13.4
#[test]
fn different_next_events_corrupt_are_each_replayed() {
    let mut log = Log::with_rows(2);
    let mut world = World::following(&log);
    for offset in 2..8 {
        let event = log.generate(offset);
        assert_eq!(world.receive(&event.damaged()), Verdict::Corrupt);
        assert_eq!(world.request().get("prefer"), None);
        world.replay(&log, event.number, event.number);
        world.advance(1_000);
    }
    assert_eq!((world.position(), world.metrics().corrupt), (9, 6));
}

// R8.11
#[test]
fn an_unknown_outcome_is_treated_as_a_snapshot() {
    let (mut world, _) = with_a_gap();
    let snapshot = wire::Snapshot::new(EPOCH, 5, &world.request_id(), rows(4));
    world.answer("delta-of-tomorrow", EPOCH, 6, 5);
    for part in snapshot.parts() {
        world.receive(&part);
    }
    assert_eq!((world.position(), world.rows().len()), (5, 4));
}

// R8.19
#[test]
fn an_unknown_campaign_fails_with_its_code() {
    let mut world = World::connected(Config::default());
    let data = json!({"campaignId": CAMPAIGN, "requestId": world.request_id(),
        "outcome": "unknown_campaign"});
    world.receive(&message("event_recovery", &data));
    assert_eq!(world.status(), "failed(unknown_campaign)");
    assert_eq!(world.view()["code"], Code::UnknownCampaign.as_str());
}

#[test]
fn campaign_retained_again_while_loading_sends_no_request() {
    let mut world = World::connected(Config::default());
    world.input(Input::Release(id(CAMPAIGN)));
    world.input(Input::Retain(id(CAMPAIGN)));
    assert_eq!((world.requests(), world.count_sent("subscribe_campaign")), (1, 1));
}

// R8.14
#[test]
fn replay_from_number_one_does_not_move_the_position_back() {
    let (mut world, log) = with_a_gap();
    world.answer("replay", EPOCH, 1, log.head());
    assert_eq!(world.position(), 3);
    assert_eq!(world.frame(&log.frame(1, log.head())).refused, None);
    assert_eq!((world.position(), world.requests()), (log.head(), 1));
    assert_eq!(world.metrics().applied, log.head(), "each once");
}

#[test]
fn every_recovery_is_counted() {
    let (mut world, mut log) = with_a_gap();
    world.replay(&log, 4, log.head());
    let before = world.metrics().recoveries;
    log.generate(4);
    world.receive(&log.generate(5).document());
    world.replay(&log, 6, log.head());
    assert_eq!((before, world.metrics().recoveries), (2, 3), "the first load among them");
}

// R13.16
#[test]
fn remembered_hashes_of_another_log_cause_no_divergence() {
    let log = Log::with_rows(4);
    let mut world = World::following(&log);
    world.close(1006);
    world.advance_until(|world| world.opened.len() > 1);
    world.open();
    world.receive(&wire::ack());
    world.answer_snapshot(OTHER_EPOCH, log.head(), rows(4));
    let mut other = Log::new(OTHER_EPOCH);
    (0..5).for_each(|offset| {
        other.generate(offset);
    });
    let next = Event { previous: Some(format!("{OTHER_EPOCH}-event-5")), ..other.generate(5) };
    assert_eq!(world.receive(&next.document()), Verdict::Applied);
    assert_eq!(world.receive(&other.document(4)), Verdict::OutOfOrder);
    assert_eq!(world.metrics().divergences, 0);
}

// R14.7
#[test]
fn failed_campaign_missing_in_a_pong_is_not_subscribed_again() {
    let log = Log::with_rows(4);
    let mut world = World::following(&log);
    let error = json!({"code": "forbidden", "message": "", "campaignId": CAMPAIGN});
    world.receive(&message("error", &error));
    world.advance(6_000);
    world.pong_with(json!([]));
    assert_eq!(world.count_sent("subscribe_campaign"), 0);
}

#[test]
fn long_replay_ends_live_by_pongs_received_during_it() {
    let mut log = Log::with_rows(4);
    let mut world = World::connected(Config::default());
    (4..14).for_each(|offset| {
        log.generate(offset);
    });
    world.answer("replay", EPOCH, 1, log.head());
    for number in 1..=log.head() {
        world.advance(2_000);
        world.pong_with(json!([wire_head(EPOCH, number - 1, log.head())]));
        world.receive(&log.document(number));
    }
    assert_eq!((world.position(), &*world.status()), (log.head(), "live"));
}
