//! Requests of the application about the connection: connect now, pause, and both again and again.

use campaign_sync::sync::{Config, Input};
use serde_json::json;

use crate::wire::{self, EPOCH, Log, message};
use crate::world::World;

fn state(world: &World) -> &'static str {
    world.machine.connection().state().as_str()
}

/// A client that waits for its next attempt for at least `ms`.
fn waiting_for(ms: u64) -> World {
    let mut world = World::connected(Config::default());
    loop {
        world.close(1006);
        let until = world.machine.poll_timeout().expect("it waits");
        if until.since(world.now.at) >= ms {
            return world;
        }
        let before = world.opened.len();
        world.advance_until(|world| world.opened.len() > before);
        world.open();
    }
}

#[test]
fn connect_while_waiting_starts_the_next_attempt_at_once() {
    let mut world = waiting_for(5_000);
    let before = world.opened.len();
    world.advance(1_000);
    assert_eq!(world.opened.len(), before);
    world.input(Input::Connect);
    assert_eq!((world.opened.len(), state(&world)), (before + 1, "connecting"));
}

#[test]
fn repeated_connect_starts_at_most_two_attempts_a_second() {
    let mut world = waiting_for(5_000);
    let before = world.opened.len();
    world.advance(1_000);
    for _ in 0..1_000 {
        world.input(Input::Connect);
        if state(&world) == "connecting" {
            world.close(1006);
        }
        world.pass(10);
    }
    let attempts = world.opened.len() - before;
    assert!((15..=21).contains(&attempts), "{attempts} in ten seconds");
}

#[test]
fn connect_keeps_the_pause_that_the_server_requested() {
    let mut world = World::connected(Config::default());
    world.receive(&message("server_draining", &json!({"retryAfterMs": 8_000})));
    world.close(1012);
    for _ in 0..7 {
        world.advance(1_000);
        world.input(Input::Connect);
        assert_eq!((world.opened.len(), state(&world)), (1, "waiting"));
    }
    world.advance_until(|world| world.opened.len() == 2);
}

#[test]
fn connect_at_rest_keeps_the_pause_that_the_server_requested() {
    let mut world = World::connected(Config::default());
    world.receive(&message("server_draining", &json!({"retryAfterMs": 8_000})));
    for _ in 0..7 {
        world.input(Input::Pause);
        world.input(Input::Connect);
        assert_eq!((world.opened.len(), state(&world)), (1, "waiting"));
        world.advance(1_000);
    }
    world.advance_until(|world| world.opened.len() == 2);
}

#[test]
fn repeated_reconnect_starts_at_most_two_attempts_a_second() {
    let mut world = World::connected(Config::default());
    world.advance(1_000);
    for _ in 0..1_000 {
        world.input(Input::Pause);
        world.input(Input::Connect);
        world.advance(10);
    }
    let attempts = world.opened.len() - 1;
    assert!((15..=21).contains(&attempts), "{attempts} in ten seconds");
}

#[test]
fn pause_and_connect_replace_an_open_socket() {
    let log = Log::with_rows(2);
    let mut world = World::following(&log);
    world.advance(1_000);
    world.clear();
    let old = world.socket();
    world.input(Input::Pause);
    world.input(Input::Connect);
    assert_eq!((world.closed.clone(), world.opened.len()), (vec![(old, 1000)], 2));
    assert_eq!(world.status(), "stale(disconnected)");
    world.open();
    world.receive(&wire::ack());
    world.answer("current", EPOCH, 4, 3);
    world.pong(3);
    assert_eq!((world.position(), &*world.status()), (3, "live"));
}

#[test]
fn pause_closes_the_socket_until_connect_and_keeps_the_rows() {
    let log = Log::with_rows(2);
    let mut world = World::following(&log);
    world.input(Input::Pause);
    assert_eq!((state(&world), &*world.status()), ("idle", "stale(disconnected)"));
    world.advance(600_000);
    world.input(Input::Woke(campaign_sync::sync::input::Wake::Online));
    assert_eq!((world.opened.len(), world.closed.len(), world.rows().len()), (1, 1, 2));
    world.input(Input::Connect);
    world.open();
    world.receive(&wire::ack());
    world.answer("current", EPOCH, 4, 3);
    world.pong(3);
    assert_eq!(world.status(), "live");
}
