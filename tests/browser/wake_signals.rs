//! The page wakes: an open link must prove at once that it lives.

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

/// How many pings `signal` causes in a client that had no need to send one.
fn pings_after(signal: impl FnOnce(&World)) -> usize {
    let world = World::following(&Log::with_rows(1));
    world.time.pass(1_000);
    signal(&world);
    world.host.sent("ping").len()
}

#[test]
fn becoming_visible_asks_for_a_proof() {
    assert_eq!(pings_after(|_| fire(&document(), "visibilitychange")), 1);
}

#[test]
fn becoming_hidden_asks_for_nothing() {
    let hidden = |_: &World| while_hidden(&mut || fire(&document(), "visibilitychange"));
    assert_eq!(pings_after(hidden), 0);
}

#[test]
fn a_network_that_comes_back_asks_for_a_proof() {
    assert_eq!(pings_after(|_| fire(&window(), "online")), 1);
}

#[test]
fn a_page_that_is_shown_again_asks_for_a_proof() {
    assert_eq!(pings_after(|_| fire(&window(), "pageshow")), 1);
}

#[test]
fn a_wall_clock_that_ran_ahead_asks_for_a_proof() {
    let slept = |world: &World| {
        world.time.sleep(30_000);
        world.receive(&pong(2));
    };
    assert_eq!(pings_after(slept), 1);
}

#[test]
fn a_link_that_does_not_prove_itself_after_a_wake_is_dead_within_two_seconds() {
    let world = World::following(&Log::with_rows(1));
    fire(&window(), "online");
    world.time.advance(2_010);
    assert_eq!(world.host.details("connectionchange")[0]["state"], "waiting");
}

#[test]
fn a_client_that_is_closed_or_freed_hears_no_signal() {
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
fn the_listeners_on_the_page_are_given_back() {
    let mut kept = Vec::new();
    let mut counted = |end: fn(&World)| {
        count_listeners(&mut || {
            let world = World::manual();
            end(&world);
            kept.push(world);
        })
    };
    let closed = counted(|world| world.client.close().expect("it is open"));
    let freed = counted(|world| world.client.free().expect("it is not under way"));
    assert_eq!((closed, freed), (vec![3, 0], vec![3, 0]));
}
