//! Liveness: heartbeats, dead links, wakes, and a status that goes stale by the clock alone.

use campaign_sync::sync::input::Wake;
use campaign_sync::sync::{Config, Input};
use serde_json::json;

use crate::wire::{EPOCH, Log, message, rows};
use crate::world::{World, wire_head};

fn live() -> World {
    World::following(&Log::with_rows(2))
}

// R12.1
#[test]
fn a_ping_goes_out_every_five_seconds() {
    let mut world = live();
    for beat in 1..=4 {
        world.advance(5_000);
        assert_eq!(world.count_sent("ping"), beat);
        world.pong(3);
    }
    let echoes: Vec<_> =
        world.sent.iter().map(|ping| ping["payload"]["timestamp"].clone()).collect();
    assert!(echoes.windows(2).all(|pair| pair[0] != pair[1]), "each has its own number");
}

#[test]
fn a_round_trip_is_measured_once_per_ping() {
    let mut world = live();
    world.advance(5_000);
    world.pass(40);
    let before = world.metrics().rtt_ms.count();
    world.pong(3);
    world.pong(3);
    assert_eq!(world.metrics().rtt_ms.count(), before + 1);
}

// R12.2
#[test]
fn a_dead_link_is_found_within_ten_seconds() {
    let mut world = live();
    world.advance(9_999);
    assert_eq!(world.closed.len(), 0);
    world.advance(1);
    assert_eq!(world.closed.len(), 1, "ten seconds of silence");
    assert_eq!(world.status(), "stale(disconnected)");
    world.advance_until(|world| world.opened.len() == 2);
}

// R12.2
#[test]
fn anything_received_keeps_the_link_alive() {
    let mut world = live();
    for _ in 0..10 {
        world.advance(9_000);
        assert_eq!(world.frame("not even json").verdicts.len(), 1);
    }
    assert_eq!(world.closed.len(), 0);
}

// R12.3
#[test]
fn after_a_wake_the_link_must_answer_within_two_seconds() {
    for wake in [Wake::Visible, Wake::Online, Wake::PageShow] {
        let mut world = live();
        world.advance(1_000);
        world.input(Input::Woke(wake));
        assert_eq!(world.count_sent("ping"), 1, "at once");
        world.advance(1_999);
        assert_eq!(world.closed.len(), 0);
        world.advance(1);
        assert_eq!(world.closed.len(), 1);
    }
}

#[test]
fn an_answer_after_a_wake_keeps_the_link() {
    let mut world = live();
    world.input(Input::Woke(Wake::Visible));
    world.advance(1_900);
    world.pong(3);
    world.advance(3_000);
    assert_eq!((world.closed.len(), &*world.status()), (0, "live"));
}

// R12.3, R12.25
#[test]
fn wall_clock_jump_ahead_counts_as_a_wake() {
    let mut world = live();
    // The laptop slept for an hour; the monotonic clock stood still.
    world.now.wall_ms += 3_600_000;
    assert_eq!(world.status(), "stale(unproven)", "old by the wall, before anything happens");
    world.input(Input::Woke(Wake::Timer));
    assert_eq!(world.count_sent("ping"), 1);
    world.advance(2_000);
    assert_eq!(world.closed.len(), 1);
}

#[test]
fn late_timer_counts_as_a_wake_and_not_as_a_dead_link() {
    let mut world = live();
    world.machine.poll_timeout();
    world.pass(60_000);
    world.input(Input::Woke(Wake::Timer));
    assert_eq!((world.closed.len(), world.count_sent("ping")), (0, 1), "what was not heard asleep");
    world.pong(3);
    assert_eq!(world.status(), "live");
}

// R12.3
#[test]
fn wall_clock_jump_of_two_seconds_is_not_a_wake() {
    let mut world = live();
    world.now.wall_ms += 2_000;
    world.input(Input::Woke(Wake::Timer));
    assert_eq!(world.count_sent("ping"), 0);
    world.now.wall_ms += 2_001;
    world.input(Input::Woke(Wake::Timer));
    assert_eq!(world.count_sent("ping"), 1);
}

// R12.3
#[test]
fn a_timer_is_late_beyond_two_seconds() {
    for (late, closed) in [(2_000, 0), (2_001, 1)] {
        let mut world = live();
        let due = world.machine.poll_timeout().expect("a ping is due");
        world.pass(due.since(world.now.at) + late);
        world.input(Input::Woke(Wake::Timer));
        assert_eq!(world.count_sent("ping"), 1);
        // After a wake the link must answer within two seconds, otherwise within ten since the last message.
        world.pass(2_000);
        world.input(Input::Woke(Wake::Timer));
        assert_eq!(world.closed.len(), closed, "{late} ms late");
    }
}

#[test]
fn the_last_eight_pings_may_still_be_answered() {
    for (pings, answered) in [(8, 1), (9, 0)] {
        let mut world = live();
        let before = world.metrics().rtt_ms.count();
        for _ in 0..pings {
            world.advance(5_000);
            world.receive("anything keeps the link alive");
        }
        assert_eq!(world.count_sent("ping"), pings);
        let first = world.sent.iter().find(|sent| sent["type"] == "ping").expect("sent");
        let data = json!({"timestamp": first["payload"]["timestamp"], "heads": []});
        world.receive(&message("pong", &data));
        assert_eq!(world.metrics().rtt_ms.count() - before, answered, "after {pings}");
    }
}

#[test]
fn status_change_is_notified_at_the_moment_it_goes_stale() {
    let mut world = live();
    world.advance(5_000);
    world.pong(3);
    // The wake shifts the heartbeats, so that none falls on the moment ten seconds after the confirmation.
    world.advance(3_000);
    world.input(Input::Woke(Wake::Visible));
    world.receive("anything keeps the link alive");
    world.advance(6_999);
    assert_eq!(world.status(), "live");
    assert!(!world.kinds().contains(&"statuschange"));
    world.advance(1);
    assert_eq!(world.notice("statuschange")["reason"], "unproven");
}

// R12.23
#[test]
fn snapshot_is_recovering_for_ten_seconds_while_unproven() {
    let mut world = World::connected(Config::default());
    world.answer_snapshot(EPOCH, 9, rows(6));
    world.advance(9_000);
    world.receive("anything keeps the link alive");
    world.advance(999);
    assert_eq!(world.status(), "recovering");
    world.advance(1);
    assert_eq!(world.status(), "stale(unproven)");
}

#[test]
fn expired_freshness_is_stale_and_not_pending() {
    let mut world = World::connected(Config::default());
    world.advance(5_000);
    let first = world.last_sent("ping").expect("sent")["payload"]["timestamp"].clone();
    world.advance(4_000);
    world.receive("anything keeps the link alive");
    world.advance(5_000);
    world.answer_snapshot(EPOCH, 9, rows(6));
    let heads = json!([wire_head(EPOCH, 9, 9)]);
    world.receive(&message("pong", &json!({"timestamp": first, "heads": heads})));
    assert_eq!(world.status(), "live", "proven when that ping was sent, nine seconds ago");
    world.advance(1_000);
    assert_eq!(world.status(), "stale(unproven)");
}

#[test]
fn a_head_is_judged_against_each_of_the_last_eight_pings() {
    for (pings, divergences) in [(8, 1), (9, 0)] {
        let mut world = live();
        for _ in 0..pings {
            world.advance(5_000);
            world.receive("anything keeps the link alive");
        }
        let first = world.sent.iter().find(|sent| sent["type"] == "ping").expect("sent");
        // The server wrote everything on the socket so far, number 3, before it answered that ping.
        let data = json!({"timestamp": first["payload"]["timestamp"],
            "heads": [wire_head(EPOCH, 2, 2)]});
        world.receive(&message("pong", &data));
        assert_eq!(world.metrics().divergences, divergences, "after {pings}");
    }
}

#[test]
fn campaign_without_rows_goes_stale_on_disconnect() {
    let mut world = World::following(&Log::with_rows(0));
    world.close(1006);
    assert_eq!(world.status(), "stale(disconnected)");
}

#[test]
fn a_wake_tries_a_waiting_connection_soon() {
    let mut world = World::new(Config::default());
    world.input(Input::Connect);
    for opened in 2..8 {
        world.close(1006);
        world.advance_until(|world| world.opened.len() == opened);
    }
    world.close(1006);
    let (before, opened) = (world.now.at, world.opened.len());
    world.input(Input::Woke(Wake::Online));
    world.advance_until(|world| world.opened.len() > opened);
    assert!(world.now.at.since(before) <= 500);
}

// R7.5
#[test]
fn wake_does_not_shorten_the_delay_of_a_draining_server() {
    let mut world = World::new(Config::default());
    world.connect();
    world.receive(&message("server_draining", &json!({"retryAfterMs": 30_000})));
    world.close(1012);
    world.input(Input::Woke(Wake::Visible));
    world.advance(29_999);
    assert_eq!(world.opened.len(), 1);
}

// R12.26
#[test]
fn status_goes_stale_by_the_clock_without_any_input() {
    let mut world = live();
    world.pass(9_999);
    assert_eq!(world.status(), "live");
    // Clocks count whole milliseconds, so ten measured seconds may be slightly more.
    world.pass(1);
    assert_eq!(world.status(), "stale(unproven)");
    assert_eq!(world.view()["staleReason"], "unproven");
}

#[test]
fn stale_status_is_notified_while_the_link_is_alive() {
    let mut world = live();
    // A message arrives, so the link is alive, but it does not confirm the position.
    world.advance(5_000);
    world.receive(&message("pong", &json!({"heads": []})));
    world.advance(5_000);
    assert_eq!(world.status(), "stale(unproven)");
    assert_eq!(world.notice("statuschange")["reason"], "unproven");
}

// R12.21
#[test]
fn freshness_counts_from_the_ping_and_not_from_the_pong() {
    let mut world = live();
    world.advance(5_000);
    assert_eq!(world.count_sent("ping"), 1);
    world.pass(4_000);
    world.pong(3);
    world.pass(6_000);
    assert_eq!(world.status(), "stale(unproven)");
}

// R12.22, R12.24
#[test]
fn freshness_ends_with_its_socket() {
    let mut world = live();
    world.reconnect();
    // This server has fewer events than the client, then catches up. The confirmation on the other socket is
    // still fresh, but does not count for this socket.
    world.answer("current", EPOCH, 4, 2);
    world.receive(&message("pong", &json!({"heads": [wire_head(EPOCH, 3, 3)]})));
    assert_eq!(world.status(), "recovering");
    world.pong(3);
    assert_eq!(world.status(), "live");
}

// R12.17, R12.22
#[test]
fn lagging_server_keeps_the_status_recovering() {
    let mut world = live();
    world.reconnect();
    world.answer("current", EPOCH, 4, 2);
    world.pong(2);
    assert_eq!(world.status(), "recovering", "it lags, whatever it knows of others");
    assert_eq!(world.kinds().iter().filter(|kind| **kind == "divergence").count(), 0);
    world.advance(5_000);
    world.pong(3);
    assert_eq!(world.status(), "live");
}

// R12.10
#[test]
fn log_head_counts_at_least_as_the_last_written_number() {
    let mut world = live();
    world.advance(5_000);
    world.pong_with(json!([wire_head(EPOCH, 3, 2)]));
    world.pass(9_000);
    assert_eq!(world.status(), "live");
}

#[test]
fn server_replaying_known_events_is_not_behind() {
    let mut world = live();
    world.reconnect();
    world.answer("replay", EPOCH, 2, 3);
    assert_eq!(world.status(), "live", "both events were here");
    world.pong_with(json!([wire_head(EPOCH, 1, 3)]));
    assert_eq!(world.status(), "live");
}

// R12.23
#[test]
fn unsolicited_pong_does_not_refresh_the_status() {
    let mut world = live();
    for _ in 0..3 {
        world.pass(4_000);
        world.receive(&message("pong", &json!({"heads": [wire_head(EPOCH, 3, 3)]})));
    }
    assert_eq!(world.status(), "stale(unproven)", "it may have been on its way for long");
}

// R12.25
#[test]
fn wall_clock_set_back_does_not_make_old_data_fresh() {
    let mut world = live();
    world.now.wall_ms -= 3_600_000;
    world.now.at = world.now.at + 10_000;
    assert_eq!(world.status(), "stale(unproven)");
}

#[test]
fn monotonic_clock_that_goes_back_is_ignored() {
    let mut world = live();
    world.advance(8_000);
    world.now.at = campaign_sync::sync::Timestamp(0);
    world.input(Input::Woke(Wake::Timer));
    world.now.at = campaign_sync::sync::Timestamp(60_000);
    world.input(Input::Woke(Wake::Timer));
    assert!(world.machine.poll_timeout().is_some());
}
