//! Asking again: deadlines, rates, and pauses that grow.

use std::ops::RangeInclusive;

use campaign_sync::sync::{Config, Input, Verdict};
use serde_json::json;

use crate::recovery::with_a_gap;
use crate::wire::{CAMPAIGN, EPOCH, Log, message};
use crate::world::{World, id};

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
fn requests_that_led_somewhere_are_not_rationed() {
    let mut log = Log::with_rows(1);
    let mut world = World::following(&log);
    for round in 1..=15 {
        world.advance(2_000);
        log.generate(2 * round);
        let beyond = log.generate(2 * round + 1);
        assert_eq!(world.receive(&beyond.document()), Verdict::Held);
        assert_eq!(world.requests() as u64, round, "asked at once, though within a minute");
        world.replay(&log, log.head() - 1, log.head());
        world.pong(log.head());
    }
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

/// Says that the request in flight failed, without a word on when to come back.
fn refuse(world: &mut World) {
    let error = json!({"code": "internal", "message": "", "campaignId": CAMPAIGN,
        "requestId": world.request_id()});
    world.receive(&message("error", &error));
}

/// The longest pause, over many seeds, between a failure and the request after it, once `before` has
/// happened to the first request.
fn longest_pause(before: impl Fn(&mut World)) -> u64 {
    let pause = |seed| {
        let mut world = World::seeded(Config::default(), seed);
        world.input(Input::Retain(id(CAMPAIGN)));
        world.connect();
        before(&mut world);
        refuse(&mut world);
        let (requests, since) = (world.requests(), world.now.at);
        world.advance_until(|world| world.requests() > requests);
        world.now.at.since(since)
    };
    (0..100).map(pause).max().unwrap_or_default()
}

#[test]
fn each_attempt_that_failed_doubles_the_pause() {
    let base = Config::default().backoff_base_ms;
    let within = |factor: u64| -> RangeInclusive<u64> { base * factor / 2..=base * factor };
    let first = longest_pause(|_| {});
    assert!(within(1).contains(&first), "{first}");
    let second = longest_pause(|world| {
        let requests = world.requests();
        refuse(world);
        world.advance_until(|world| world.requests() > requests);
    });
    assert!(within(2).contains(&second), "{second}");
}

#[test]
fn a_server_that_named_the_pause_has_failed_once_as_well() {
    let base = Config::default().backoff_base_ms;
    let pause = longest_pause(|world| {
        let requests = world.requests();
        let error = json!({"code": "rate_limited", "message": "", "campaignId": CAMPAIGN,
            "requestId": world.request_id(), "retryAfterMs": 1});
        world.receive(&message("error", &error));
        world.advance_until(|world| world.requests() > requests);
    });
    assert!((base + 1..=2 * base).contains(&pause), "{pause}");
}

#[test]
fn a_refused_replay_has_failed_once_as_well() {
    let base = Config::default().backoff_base_ms;
    let pause = longest_pause(|world| {
        let requests = world.requests();
        world.answer("replay", EPOCH, 3, 4);
        world.advance_until(|world| world.requests() > requests);
    });
    assert!((base + 1..=2 * base).contains(&pause), "{pause}");
}

#[test]
fn a_replay_that_was_damaged_has_failed_once_as_well() {
    let base = Config::default().backoff_base_ms;
    let log = Log::with_rows(2);
    let pause = longest_pause(|world| {
        world.answer("replay", EPOCH, 1, log.head());
        assert_eq!(world.receive(&log.event(1).damaged()), Verdict::Corrupt);
        assert_eq!((world.requests(), world.metrics().retries), (2, 1), "asked again at once");
    });
    assert!((base + 1..=2 * base).contains(&pause), "{pause}");
}

/// An event that was applied, with other content.
fn contradict(world: &mut World, log: &Log) {
    let mut other = log.event(2).clone();
    other.data = other.data.replace("name0", "other");
    assert_eq!(world.receive(&other.document()), Verdict::Divergence);
}

#[test]
fn who_has_asked_for_events_asks_for_a_snapshot_once_histories_differ() {
    let (mut world, log) = with_a_gap();
    for _ in 0..2 {
        contradict(&mut world, &log);
        assert_eq!(world.requests(), 2, "once for the gap, once for the contradiction");
        assert_eq!(world.request()["prefer"], "snapshot");
        assert_eq!(world.request()["reason"], "divergence");
    }
}

#[test]
fn who_is_about_to_ask_for_events_asks_for_a_snapshot_once_histories_differ() {
    let (mut world, log) = with_a_gap();
    refuse(&mut world);
    contradict(&mut world, &log);
    assert_eq!(world.requests(), 1, "the pause after the refusal lasts");
    world.advance_until(|world| world.requests() == 2);
    assert_eq!(world.request()["prefer"], "snapshot");
}

#[test]
fn a_wish_for_a_snapshot_survives_a_refusal() {
    let (mut world, log) = with_a_gap();
    contradict(&mut world, &log);
    let error = json!({"code": "forbidden", "message": "", "campaignId": CAMPAIGN});
    world.receive(&message("error", &error));
    assert_eq!(world.status(), "failed(forbidden)");
    world.reconnect();
    assert_eq!(world.request()["prefer"], "snapshot", "the contradiction was not decided");
}

#[test]
fn an_error_about_another_request_changes_nothing() {
    let (mut world, log) = with_a_gap();
    let error = json!({"code": "internal", "message": "", "campaignId": CAMPAIGN,
        "requestId": "another"});
    world.receive(&message("error", &error));
    world.replay(&log, 4, log.head());
    assert_eq!((world.position(), world.requests()), (log.head(), 1));
}

#[test]
fn an_error_that_names_the_request_alone_postpones_the_next_one_as_well() {
    let (mut world, _) = with_a_gap();
    let told = json!({"code": "rate_limited", "message": "later", "requestId": world.request_id(),
        "retryAfterMs": 60_000});
    world.receive(&message("error", &told));
    for second in 0..120 {
        assert!(second > 60 || world.requests() == 1, "after {second} s");
        world.advance(990);
        world.pong_with(json!([]));
    }
    assert!(world.requests() > 1, "{} requests", world.requests());
}

#[test]
fn an_error_that_names_the_request_alone_is_of_the_campaign_that_asked() {
    let log = Log::with_rows(2);
    let mut world = World::following(&log);
    world.input(Input::Retain(id("campaign-2")));
    assert_eq!((world.requests(), &world.request()["campaignId"]), (1, &json!("campaign-2")));
    let told = json!({"code": "rate_limited", "message": "later", "requestId": world.request_id(),
        "retryAfterMs": 60_000});
    world.receive(&message("error", &told));
    for _ in 0..55 {
        world.advance(1_000);
        world.pong(log.head());
    }
    assert_eq!((world.requests(), &*world.status()), (1, "live"));
}
