//! Retries: deadlines, rate limits, and growing pauses.

use std::ops::RangeInclusive;

use campaign_sync::sync::{Config, Input, Verdict};
use serde_json::json;

use crate::recovery::with_a_gap;
use crate::wire::{CAMPAIGN, EPOCH, Log, message};
use crate::world::{World, id};

// R6.3, R8.21, R8.23
#[test]
fn expired_request_is_repeated_and_never_becomes_a_snapshot() {
    let (mut world, _) = with_a_gap();
    for round in 2..12 {
        let (before, id) = (world.request().clone(), world.request_id());
        // Deadline: ten seconds without progress, plus at most twenty of jitter. Pongs keep the link alive.
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

// R8.21
#[test]
fn request_does_not_expire_while_the_replay_progresses() {
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
fn lost_answer_is_requested_again_while_live_events_arrive() {
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
    assert!(world.requests() >= 2, "an event does not answer a request");
}

// R8.22, R13.19
#[test]
fn at_most_five_requests_are_sent_in_half_a_second() {
    let (mut world, log) = with_a_gap();
    let mut sent = vec![(world.now.at, 1)];
    let mut asked = None;
    for _ in 0..200 {
        // Each replay begins with a damaged event.
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

// R8.22, R13.19, R14.8
#[test]
fn at_most_ten_requests_a_minute_are_sent_without_progress() {
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
fn requests_with_progress_are_not_rate_limited() {
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

// R8.26
#[test]
fn error_with_retry_after_delays_the_retry() {
    let (mut world, _) = with_a_gap();
    let error = json!({"code": "rate_limited", "message": "", "campaignId": CAMPAIGN,
        "requestId": world.request_id(), "retryAfterMs": 4_000});
    world.receive(&message("error", &error));
    world.advance(3_999);
    assert_eq!(world.requests(), 1);
    world.advance(2_001);
    assert_eq!(world.requests(), 2);
}

// R7.6
#[test]
fn retry_after_is_capped_at_five_minutes_plus_jitter() {
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

/// Answers the request in flight with an error that does not contain `retryAfterMs`.
fn refuse(world: &mut World) {
    let error = json!({"code": "internal", "message": "", "campaignId": CAMPAIGN,
        "requestId": world.request_id()});
    world.receive(&message("error", &error));
}

/// The longest pause, over many seeds, between a failure and the next request. `before` runs first, and acts
/// on the first request.
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

// R8.21, R14.8
#[test]
fn each_failed_attempt_doubles_the_pause() {
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
fn error_with_retry_after_counts_as_a_failed_attempt() {
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
fn refused_replay_counts_as_a_failed_attempt() {
    let base = Config::default().backoff_base_ms;
    let pause = longest_pause(|world| {
        let requests = world.requests();
        world.answer("replay", EPOCH, 3, 4);
        world.advance_until(|world| world.requests() > requests);
    });
    assert!((base + 1..=2 * base).contains(&pause), "{pause}");
}

#[test]
fn damaged_replay_counts_as_a_failed_attempt() {
    let base = Config::default().backoff_base_ms;
    let log = Log::with_rows(2);
    let pause = longest_pause(|world| {
        world.answer("replay", EPOCH, 1, log.head());
        assert_eq!(world.receive(&log.event(1).damaged()), Verdict::Corrupt);
        assert_eq!((world.requests(), world.metrics().retries), (2, 1), "asked again at once");
    });
    assert!((base + 1..=2 * base).contains(&pause), "{pause}");
}

/// Delivers an applied event again, with other content.
fn contradict(world: &mut World, log: &Log) {
    let mut other = log.event(2).clone();
    other.data = other.data.replace("name0", "other");
    assert_eq!(world.receive(&other.document()), Verdict::Divergence);
}

#[test]
fn divergence_replaces_a_sent_request_by_a_snapshot_request() {
    let (mut world, log) = with_a_gap();
    for _ in 0..2 {
        contradict(&mut world, &log);
        assert_eq!(world.requests(), 2, "once for the gap, once for the contradiction");
        assert_eq!(world.request()["prefer"], "snapshot");
        assert_eq!(world.request()["reason"], "divergence");
    }
}

#[test]
fn divergence_turns_a_scheduled_request_into_a_snapshot_request() {
    let (mut world, log) = with_a_gap();
    refuse(&mut world);
    contradict(&mut world, &log);
    assert_eq!(world.requests(), 1, "the pause after the refusal lasts");
    world.advance_until(|world| world.requests() == 2);
    assert_eq!(world.request()["prefer"], "snapshot");
}

// R8.24, R14.7
#[test]
fn snapshot_request_survives_a_refusal() {
    let (mut world, log) = with_a_gap();
    contradict(&mut world, &log);
    let error = json!({"code": "unauthorized", "message": "", "campaignId": CAMPAIGN});
    world.receive(&message("error", &error));
    assert_eq!(world.status(), "failed(unauthorized)");
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

// R8.26
#[test]
fn error_naming_only_the_request_delays_the_retry() {
    let (mut world, _) = with_a_gap();
    let error = json!({"code": "rate_limited", "message": "later", "requestId": world.request_id(),
        "retryAfterMs": 60_000});
    world.receive(&message("error", &error));
    for second in 0..120 {
        assert!(second > 60 || world.requests() == 1, "after {second} s");
        world.advance(990);
        world.pong_with(json!([]));
    }
    assert!(world.requests() > 1, "{} requests", world.requests());
}

#[test]
fn error_naming_only_the_request_concerns_its_campaign() {
    let log = Log::with_rows(2);
    let mut world = World::following(&log);
    world.input(Input::Retain(id("campaign-2")));
    assert_eq!((world.requests(), &world.request()["campaignId"]), (1, &json!("campaign-2")));
    let error = json!({"code": "rate_limited", "message": "later", "requestId": world.request_id(),
        "retryAfterMs": 60_000});
    world.receive(&message("error", &error));
    for _ in 0..55 {
        world.advance(1_000);
        world.pong(log.head());
    }
    assert_eq!((world.requests(), &*world.status()), (1, "live"));
}
