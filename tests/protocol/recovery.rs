//! Recovery: one in flight, asked again until it is answered in full, within its rates.

use campaign_sync::protocol::Code;
use campaign_sync::sync::{Config, Input, Verdict};
use serde_json::json;

use crate::wire::{self, CAMPAIGN, EPOCH, Log, OTHER_EPOCH, message, rows};
use crate::world::{World, id, wire_head};

/// Following a log whose event 4 was lost on the way: recovery has been asked for once.
fn with_a_gap() -> (World, Log) {
    let mut log = Log::with_rows(2);
    let mut world = World::following(&log);
    log.generate(2);
    log.generate(3);
    assert_eq!(world.receive(&log.document(5)), Verdict::Held);
    assert_eq!(world.requests(), 1);
    (world, log)
}

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

#[test]
fn a_recovery_survives_the_death_of_the_socket() {
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

#[test]
fn a_wish_for_a_snapshot_survives_the_death_of_the_socket() {
    let log = Log::with_rows(2);
    let mut world = World::following(&log);
    let mut other = log.event(2).clone();
    other.data = other.data.replace("name0", "other");
    assert_eq!(world.receive(&other.document()), Verdict::Divergence);
    world.reconnect();
    assert_eq!(world.request()["prefer"], "snapshot");
}

#[test]
fn a_deadline_asks_the_same_again_and_never_becomes_a_snapshot() {
    let (mut world, _) = with_a_gap();
    for round in 2..12 {
        let (before, id) = (world.request().clone(), world.request_id());
        // Ten seconds without progress, and at most twenty of jitter; pongs keep the socket alive.
        for _ in 0..30 {
            world.advance(1_000);
            world.pong_with(json!([]));
        }
        assert!(world.requests() >= round, "round {round}: asked {} times", world.requests());
        let again = world.request();
        assert_ne!(world.request_id(), id, "each request has its own name");
        for member in ["lastSequenceNumber", "epoch", "reason"] {
            assert_eq!(again[member], before[member]);
        }
        assert_eq!(again.get("prefer"), None);
    }
    assert_eq!(world.metrics().retries, world.requests() as u64 - 1);
}

#[test]
fn a_deadline_does_not_pass_while_the_replay_progresses() {
    let (mut world, mut log) = with_a_gap();
    for offset in 4..8 {
        log.generate(offset);
    }
    world.answer("replay", EPOCH, 4, log.head());
    for number in 4..log.head() {
        world.advance(9_000);
        let verdict = world.receive(&log.document(number));
        assert!(matches!(verdict, Verdict::Applied | Verdict::Redelivered), "{verdict:?}");
    }
    assert_eq!(world.requests(), 1);
    world.receive(&log.document(log.head()));
    assert_eq!(world.notice("recovered")["events"], 6);
}

#[test]
fn a_lost_answer_is_asked_for_again_though_live_events_keep_coming() {
    let mut log = Log::with_rows(2);
    let mut world = World::following(&log);
    let mut other = log.event(2).clone();
    other.data = other.data.replace("name0", "other");
    assert_eq!(world.receive(&other.document()), Verdict::Divergence);
    assert_eq!(world.requests(), 1);
    for offset in 2..40 {
        let event = log.generate(offset);
        assert_eq!(world.receive(&event.document()), Verdict::Applied);
        world.advance(1_000);
    }
    assert!(world.requests() >= 2, "events are no answer to a request");
}

#[test]
fn never_more_than_five_requests_in_half_a_second() {
    let (mut world, log) = with_a_gap();
    let mut sent = vec![(world.now.at, 1)];
    let mut asked = None;
    for _ in 0..200 {
        // Each replay begins and is damaged at once.
        if asked.replace(world.request_id()).is_none_or(|last| last != world.request_id()) {
            world.answer("replay", EPOCH, 4, 5);
            assert_eq!(world.receive(&log.event(4).damaged()), Verdict::Corrupt);
        }
        let before = world.requests();
        world.advance(10);
        sent.push((world.now.at, world.requests() - before));
    }
    for &(start, _) in &sent {
        let within = sent.iter().filter(|(at, _)| *at >= start && at.since(start) < 500);
        assert!(within.map(|(_, count)| count).sum::<usize>() <= 5);
    }
    assert!(world.requests() > 5, "it is asked for again later");
}

#[test]
fn without_progress_at_most_ten_requests_a_minute() {
    let (mut world, _) = with_a_gap();
    let refused = json!({"code": "rate_limited", "message": "", "campaignId": CAMPAIGN});
    let refused = message("error", &refused);
    let mut asked = Vec::new();
    for _ in 0..1_800 {
        let before = world.requests();
        world.receive(&refused);
        world.advance(100);
        asked.extend((before..world.requests()).map(|_| world.now.at));
    }
    for window in asked.windows(11) {
        assert!(window[10].since(window[0]) >= 60_000, "eleven within {window:?}");
    }
    assert!(asked.len() >= 20, "asked only {} times in three minutes", asked.len());
}

#[test]
fn an_error_says_when_to_ask_again() {
    let (mut world, _) = with_a_gap();
    let error = json!({"code": "rate_limited", "message": "", "campaignId": CAMPAIGN,
        "requestId": world.request_id(), "retryAfterMs": 4_000});
    world.receive(&message("error", &error));
    world.advance(3_999);
    assert_eq!(world.requests(), 1);
    world.advance(2_001);
    assert_eq!(world.requests(), 2);
}

#[test]
fn an_error_postpones_by_five_minutes_at_most() {
    let (mut world, _) = with_a_gap();
    let error = json!({"code": "rate_limited", "message": "", "campaignId": CAMPAIGN,
        "requestId": world.request_id(), "retryAfterMs": (1_u64 << 53) - 1});
    let since = world.now.at;
    world.receive(&message("error", &error));
    while world.requests() == 1 && world.now.at.since(since) < 500_000 {
        world.advance(1_000);
        world.pong_with(json!([]));
    }
    let waited = world.now.at.since(since);
    assert!((300_000..=451_000).contains(&waited), "{waited} ms");
}

#[test]
fn a_partial_replay_is_refused_and_becomes_a_snapshot() {
    let (mut world, log) = with_a_gap();
    world.answer("replay", EPOCH, 5, 5);
    assert_eq!((world.requests(), &world.request()["prefer"]), (2, &"snapshot".into()));
    assert_eq!(world.receive(&log.document(5)), Verdict::Duplicate, "it is held");
    assert_eq!(world.position(), 3, "nothing was skipped");
}

#[test]
fn a_replay_of_another_log_is_refused() {
    let (mut world, _) = with_a_gap();
    world.answer("replay", OTHER_EPOCH, 4, 5);
    assert_eq!(world.request()["prefer"], "snapshot");
    assert_eq!(world.view()["position"]["epoch"], EPOCH);
}

#[test]
fn an_answer_to_another_request_is_ignored() {
    let (mut world, _) = with_a_gap();
    let stray = wire::recovery("snapshot", EPOCH, "not-ours", 6, 5);
    assert_eq!(world.receive(&stray), Verdict::Ignored);
    assert_eq!((world.requests(), &*world.status()), (1, "recovering"));
}

#[test]
fn what_was_held_and_comes_again_in_the_replay_is_redelivered() {
    let (mut world, log) = with_a_gap();
    world.answer("replay", EPOCH, 4, 5);
    assert_eq!(world.receive(&log.document(4)), Verdict::Applied);
    assert_eq!((world.position(), &world.notice("recovered")["outcome"]), (5, &json!("replay")));
    assert_eq!(world.receive(&log.document(5)), Verdict::Redelivered);
    assert_eq!(world.receive(&log.document(5)), Verdict::Duplicate, "once is enough");
    assert_eq!((world.metrics().redelivered, world.metrics().duplicates), (1, 1));
}

#[test]
fn a_loss_within_a_replay_is_asked_for_again() {
    let (mut world, log) = with_a_gap();
    world.answer("replay", EPOCH, 4, 6);
    assert_eq!(world.receive(&log.document(5)), Verdict::Duplicate, "beyond the next, and held");
    let mut longer = log.clone();
    assert_eq!(world.receive(&longer.generate(4).document()), Verdict::Held);
    assert_eq!(world.requests(), 2, "the socket left out event 4");
    assert_eq!(world.request().get("prefer"), None);
}

#[test]
fn what_is_held_beyond_an_answer_is_waited_for_without_asking() {
    let (mut world, log) = with_a_gap();
    // This server does not have event 4 yet.
    world.answer("current", EPOCH, 4, 3);
    world.advance(2_000);
    assert_eq!((world.requests(), &*world.status()), (1, "recovering"), "5 is held, 4 is missing");
    assert_eq!(world.receive(&log.document(4)), Verdict::Applied);
    assert_eq!((world.position(), &*world.status()), (5, "live"));
    assert_eq!((world.requests(), &world.notice("recovered")["events"]), (1, &json!(2)));
}

#[test]
fn what_is_held_beyond_an_answer_is_asked_for_after_ten_seconds_without_progress() {
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

#[test]
fn an_unsolicited_pong_finds_a_tail_loss_too() {
    let mut world = World::following(&Log::with_rows(2));
    let pong = json!({"heads": [wire_head(EPOCH, 4, 4)]});
    world.receive(&message("pong", &pong));
    assert_eq!(world.request()["reason"], "tail");
}

#[test]
fn a_lagging_log_head_says_recovering_and_asks_nothing() {
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

#[test]
fn a_head_below_our_position_on_the_same_socket_is_divergence() {
    let mut world = World::following(&Log::with_rows(3));
    world.advance(5_000);
    world.pong(2);
    assert_eq!(world.notice("divergence")["kind"], "head");
    assert_eq!(world.request()["prefer"], "snapshot");
    assert_eq!(world.position(), 4, "the position stays until a snapshot decides");
}

#[test]
fn a_head_that_has_not_come_to_what_was_held_is_no_divergence() {
    let mut log = Log::with_rows(3);
    let mut world = World::following(&log);
    for offset in 3..8 {
        log.generate(offset);
    }
    // Event 5 is lost; what comes after it is held.
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

#[test]
fn a_head_is_compared_with_what_came_since_the_snapshot() {
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

#[test]
fn a_head_of_an_unknown_epoch_is_divergence() {
    let mut world = World::following(&Log::with_rows(3));
    world.pong_with(json!([wire_head(OTHER_EPOCH, 4, 4)]));
    assert_eq!(world.notice("divergence")["kind"], "epoch");
    assert_eq!(world.request()["prefer"], "snapshot");
}

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

#[test]
fn an_epoch_that_was_left_is_not_gone_back_to() {
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

#[test]
fn the_last_eight_epochs_are_retired_and_older_ones_forgotten() {
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
        assert_eq!(world.receive(&of(&format!("epoch-{number}"))), Verdict::RetiredEpoch);
    }
    assert_eq!(world.receive(&of("epoch-0")), Verdict::ForeignEpoch);
}

#[test]
fn the_same_next_event_corrupt_three_times_asks_for_a_snapshot() {
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
fn a_campaign_held_again_while_it_loads_is_not_asked_for_twice() {
    let mut world = World::connected(Config::default());
    world.input(Input::Release(id(CAMPAIGN)));
    world.input(Input::Retain(id(CAMPAIGN)));
    assert_eq!((world.requests(), world.count_sent("subscribe_campaign")), (1, 1));
}
