//! Wake signals of the page: the client checks at once that an open link is alive.

use wasm_bindgen::prelude::*;
use wasm_bindgen_test::wasm_bindgen_test as test;
use web_sys::{Event, EventTarget};

use crate::wire::Log;
use crate::world::{World, pong};

#[wasm_bindgen(module = "/tests/browser/support.js")]
extern "C" {
    #[wasm_bindgen(js_name = whileHidden)]
    fn while_hidden(work: &mut dyn FnMut());
    #[wasm_bindgen(js_name = countListeners)]
    fn count_listeners(work: &mut dyn FnMut()) -> Vec<u32>;
}

fn window() -> EventTarget {
    js_sys::global().unchecked_into()
}

fn document() -> EventTarget {
    let document = web_sys::window().and_then(|window| window.document());
    document.expect("the tests run in a page").unchecked_into()
}

fn fire(target: &EventTarget, kind: &str) {
    target.dispatch_event(&Event::new(kind).expect("a type")).expect("it is not under way");
}

/// The number of pings that `signal` causes in a client with no ping due.
fn pings_after(signal: impl FnOnce(&World)) -> usize {
    let world = World::following(&Log::with_rows(1));
    world.time.pass(1_000);
    signal(&world);
    world.host.sent("ping").len()
}

#[test]
fn becoming_visible_sends_a_ping() {
    assert_eq!(pings_after(|_| fire(&document(), "visibilitychange")), 1);
}

#[test]
fn becoming_hidden_sends_no_ping() {
    let hidden = |_: &World| while_hidden(&mut || fire(&document(), "visibilitychange"));
    assert_eq!(pings_after(hidden), 0);
}

#[test]
fn going_online_sends_a_ping() {
    assert_eq!(pings_after(|_| fire(&window(), "online")), 1);
}

#[test]
fn page_shown_again_sends_a_ping() {
    assert_eq!(pings_after(|_| fire(&window(), "pageshow")), 1);
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
    fire(&window(), "online");
    world.time.advance(2_010);
    assert_eq!(world.host.details("connectionchange")[0]["state"], "waiting");
}

#[test]
fn closed_or_freed_client_ignores_wake_signals() {
    let everything = || {
        fire(&document(), "visibilitychange");
        fire(&window(), "online");
        fire(&window(), "pageshow");
    };
    let closed = |world: &World| {
        world.client.close().expect("it is open");
        everything();
    };
    let freed = |world: &World| {
        world.client.free().expect("it is not under way");
        everything();
    };
    assert_eq!((pings_after(closed), pings_after(freed)), (0, 0));
}

#[test]
fn page_listeners_are_removed_on_close_and_free() {
    let mut kept = Vec::new();
    let mut counted = |end: fn(&World)| {
        count_listeners(&mut || {
            let world = World::manual();
            world.client.connect().expect("it is open");
            end(&world);
            kept.push(world);
        })
    };
    let closed = counted(|world| world.client.close().expect("it is open"));
    let freed = counted(|world| world.client.free().expect("it is not under way"));
    assert_eq!((closed, freed), (vec![3, 0], vec![3, 0]));
}

#[test]
fn a_client_that_never_connected_has_no_page_listener() {
    let mut kept = Vec::new();
    let listeners = count_listeners(&mut || {
        let world = World::manual();
        world.client.retain(crate::wire::CAMPAIGN).expect("it is open");
        kept.push(world);
    });
    assert_eq!(listeners, [0, 0]);
}
