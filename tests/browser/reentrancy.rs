//! Callbacks that call the client: a host function may call any method, throw, close or free the client, and
//! nothing breaks.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use serde_json::json;
use wasm_bindgen::JsValue;
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::wire::{self, CAMPAIGN, EPOCH, Log};
use crate::world::{World, call_everything, code, pong, text};

const CALLBACKS: [&str; 7] =
    ["dispatch", "changed", "requestToken", "fetchSnapshot", "send", "settle", "log"];

/// The limit for a callback that causes more callbacks, which would otherwise never end.
const REPEATS_MAX: u32 = 10;

/// A client whose options enable every callback.
fn eventful() -> World {
    World::opening(&json!({"hasToken": true, "hasFetchSnapshot": true, "log": true}))
}

/// A session that runs every callback. It ignores the errors of a closed client.
fn play(world: &World, log: &Log) {
    let client = &world.client;
    let receive = |frame: &str| drop(client.receive(&frame.into()));
    let _ = client.retain(CAMPAIGN);
    let _ = client.reached(CAMPAIGN, EPOCH, 1.0, 1.0);
    let _ = client.connect();
    let _ = client.refresh(CAMPAIGN);
    for call in world.host.calls("requestToken") {
        let _ = client.provide_token(call[0].as_f64().expect("a ticket is a number"), Some("t"));
    }
    receive(&wire::ack());
    for request in world.host.sent("request_event_recovery") {
        let id = text(&request["payload"]["requestId"]);
        receive(&wire::recovery("replay", EPOCH, &id, 1, log.head()));
    }
    receive(&log.frame(1, log.head()));
    receive(&pong(log.head()));
    for call in world.host.calls("fetchSnapshot") {
        let _ = client.provide_snapshot(call[0].as_f64().expect("a ticket is a number"), None);
    }
}

#[test]
fn every_callback_may_call_every_method() {
    let log = Log::with_rows(3);
    for callback in CALLBACKS {
        let world = eventful();
        let ran = Rc::new(Cell::new(0));
        let (client, count) = (world.client.clone(), Rc::clone(&ran));
        world.host.on_throwing(callback, move |_| {
            count.set(count.get() + 1);
            if count.get() > REPEATS_MAX {
                return Ok(());
            }
            call_everything(&client, CAMPAIGN).inspect_err(|_| count.set(u32::MAX / 2))
        });
        play(&world, &log);
        assert!((1..1_000).contains(&ran.get()), "{callback}: {} runs", ran.get());
        assert_eq!((world.position(), world.rows().len()), (log.head().into(), 3), "{callback}");
        assert_eq!(world.host.deepest(), 1, "{callback}: calls of the host do not nest");
        assert_eq!(world.time.most(), 1, "{callback}");
    }
}

#[test]
fn every_callback_may_throw() {
    let log = Log::with_rows(3);
    for callback in CALLBACKS {
        let world = eventful();
        let ran = Rc::new(Cell::new(0));
        let count = Rc::clone(&ran);
        world.host.on_throwing(callback, move |_| {
            count.set(count.get() + 1);
            Err(JsValue::from("thrown on purpose"))
        });
        play(&world, &log);
        assert!(ran.get() > 0, "{callback} was called");
        assert_eq!((world.position(), world.rows().len()), (log.head().into(), 3), "{callback}");
        assert_eq!(world.status(), "live", "{callback}");
    }
}

#[test]
fn every_callback_may_close_the_client() {
    let log = Log::with_rows(3);
    for callback in CALLBACKS {
        let world = eventful();
        let closed = Rc::new(Cell::new(false));
        let (client, done) = (world.client.clone(), Rc::clone(&closed));
        world.host.on(callback, move |_| {
            if !done.replace(true) {
                client.close().expect("it is open");
                assert_eq!(code(client.connect()), "closed", "closing is final");
                assert_eq!(code(client.retain(CAMPAIGN)), "closed");
                client.view(CAMPAIGN).expect("those who hear of it may still read");
            }
        });
        play(&world, &log);
        assert!(closed.get(), "{callback} was called");
        let last = world.host.details("connectionchange").pop().expect("closing was notified");
        assert_eq!(last["state"], "closed", "{callback}");
        assert_eq!(code(world.client.view(CAMPAIGN)), "closed", "{callback}");
        assert_eq!(world.time.pending(), 0, "{callback}: the timer is given back");
        world.host.clear();
        world.time.advance(60_000);
        assert!(world.host.events().is_empty(), "{callback}: no notice follows");
    }
}

#[test]
fn every_callback_may_free_the_client() {
    let log = Log::with_rows(3);
    for callback in CALLBACKS {
        let world = eventful();
        let freed = Rc::new(Cell::new(false));
        let (client, done) = (world.client.clone(), Rc::clone(&freed));
        world.host.on(callback, move |_| {
            if !done.replace(true) {
                // `free` throws during a method of the client, and takes effect after it.
                let _ = client.free();
            }
        });
        play_until_freed(&world, &log, &freed);
        assert!(freed.get(), "{callback} was called");
        assert_eq!(world.time.pending(), 0, "{callback}: the timer is given back");
        world.host.clear();
        world.time.advance(60_000);
        assert!(world.host.events().is_empty(), "{callback}: no notice follows");
    }
}

/// Runs [`play`] until the client is freed. A freed client throws the errors of the generated class, which
/// [`play`] ignores.
fn play_until_freed(world: &World, log: &Log, freed: &Cell<bool>) {
    play(world, log);
    assert!(!freed.get() || world.client.metrics().is_err(), "it is freed");
}

#[test]
fn notices_caused_by_a_listener_follow_earlier_ones() {
    let mut log = Log::with_rows(3);
    let world = World::following(&log);
    let duplicate = log.document(2);
    let moved = wire::transition("domain_generation", "dns_validation", "ready", &wire::rows(3));
    let transition = log.push("campaign.phase.transition", &moved).document();
    let again = log.document(3);
    let client = world.client.clone();
    let done = Cell::new(false);
    world.host.on("dispatch", move |_| {
        if !done.replace(true) {
            client.receive(&again.clone().into()).expect("frames never throw");
        }
    });
    world.receive(&format!("{duplicate}\n{transition}"));
    let fired = world.host.events();
    let duplicates: Vec<_> = fired.iter().filter(|(kind, _)| kind == "duplicate").collect();
    assert_eq!((&duplicates[0].1["sequenceNumber"], fired[0].0.as_str()), (&2.into(), "duplicate"));
    let place = |target: &str| fired.iter().position(|(kind, _)| kind == target).expect(target);
    assert!(place("cacheinvalidated") < place("phasetransition"));
    let last = fired.iter().rposition(|(kind, _)| kind == "duplicate").expect("it came again");
    assert_eq!(fired[last].1["sequenceNumber"], 3);
    assert!(place("phasetransition") < last, "{fired:?}");
}

#[test]
fn listener_reads_the_state_it_is_notified_about() {
    let mut log = Log::with_rows(3);
    let world = World::following(&log);
    let seen = Rc::new(RefCell::new(Vec::new()));
    let (client, phases) = (world.client.clone(), Rc::clone(&seen));
    world.host.on("dispatch", move |values| {
        let view = crate::world::plain(&client.view(CAMPAIGN).expect("it is open"));
        let kind = values[0].as_string().expect("a type is text");
        phases.borrow_mut().push((kind, text(&view["campaign"]["currentPhase"])));
    });
    let moved = wire::transition("domain_generation", "dns_validation", "ready", &wire::rows(3));
    world.receive(&log.push("campaign.phase.transition", &moved).document());
    let seen = seen.borrow();
    assert!(seen.iter().any(|(kind, _)| kind == "phasetransition"));
    assert!(seen.iter().all(|(_, phase)| phase == "dns_validation"), "{seen:?}");
}

#[test]
fn listener_called_from_a_timer_may_free_the_client() {
    let world = World::manual();
    let client = world.client.clone();
    world.client.connect().expect("it is open");
    let freed = Rc::new(Cell::new(false));
    let done = Rc::clone(&freed);
    world.host.on("dispatch", move |_| {
        if !done.replace(true) {
            // The timer called a method of the client, and `free` takes effect after it.
            let _ = client.free();
        }
    });
    // No server acknowledges, so the client drops the connection.
    world.time.advance(3_000);
    assert!(freed.get());
    assert_eq!(world.time.pending(), 0);
}

#[test]
fn second_free_throws_and_is_harmless() {
    let world = World::following(&Log::with_rows(1));
    world.client.free().expect("it is not under way");
    assert_eq!(world.time.pending(), 0);
    assert!(world.client.free().is_err());
    assert!(world.client.connect().is_err());
}
