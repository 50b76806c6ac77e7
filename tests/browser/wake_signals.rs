//! Wake signals of the page: the client checks at once that an open link is alive. `pkg/test/wake.test.js` tests how
//! the page gives them.

use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::wire::Log;
use crate::world::{World, code, pong};

/// The number of pings that `signal` causes in a client with no ping due.
fn pings_after(signal: impl FnOnce(&World)) -> usize {
    let world = World::following(&Log::with_rows(1));
    world.time.pass(1_000);
    signal(&world);
    world.host.sent("ping").len()
}

#[test]
fn each_signal_of_the_page_sends_a_ping() {
    for signal in ["visible", "online", "pageShow"] {
        let woken = |world: &World| world.client.wake(signal).expect("it is open");
        assert_eq!(pings_after(woken), 1, "{signal}");
    }
}

#[test]
fn wall_clock_jump_ahead_sends_a_ping() {
    let slept = |world: &World| {
        world.time.sleep(30_000);
        world.receive(&pong(2));
    };
    assert_eq!(pings_after(slept), 1);
}

// R12.3
#[test]
fn link_silent_after_a_wake_is_dead_within_two_seconds() {
    let world = World::following(&Log::with_rows(1));
    world.client.wake("online").expect("it is open");
    world.time.advance(2_010);
    assert_eq!(world.host.details("connectionchange")[0]["state"], "waiting");
}

#[test]
fn closed_client_refuses_wake_signals() {
    let closed = |world: &World| {
        world.client.close().expect("it is open");
        assert_eq!(code(world.client.wake("online")), "closed");
    };
    assert_eq!(pings_after(closed), 0);
}
