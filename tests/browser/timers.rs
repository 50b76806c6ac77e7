//! One timer: armed for the next deadline, unchanged while no earlier deadline exists, and cleared with the
//! client.

use gloo_timers::future::TimeoutFuture;
use serde_json::json;
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::sockets::Wired;
use crate::wire::{self, CAMPAIGN, Log};
use crate::world::{Recorder, World, client, pong, text};

#[test]
fn a_client_at_rest_arms_no_timer() {
    let world = World::manual();
    world.client.retain(CAMPAIGN).expect("it is open");
    assert_eq!(world.time.armed(), 0);
}

#[test]
fn there_is_never_more_than_one_timer() {
    let log = Log::with_rows(3);
    let world = World::manual();
    world.follow(&log);
    world.client.release(CAMPAIGN).expect("it is open");
    world.time.advance(60_000);
    assert_eq!((world.time.pending(), world.time.most()), (1, 1));
    assert!(world.time.armed() > 5, "it was armed again and again");
}

// R3.9
#[test]
fn socket_is_dropped_and_replaced_without_an_acknowledgement() {
    let wired = Wired::new(&json!({}));
    let world = &wired.world;
    world.client.retain(CAMPAIGN).expect("it is open");
    world.client.connect().expect("it is open");
    wired.accept(0);
    world.time.advance(2_990);
    assert!(wired.closes().is_empty());
    world.time.advance(20);
    assert_eq!(wired.closes(), [json!(1000)]);
    assert_eq!((wired.state()["state"].clone(), world.time.pending()), (json!("waiting"), 1));
    world.time.advance(500);
    assert_eq!(wired.count(), 2, "the first retry follows within half a second");
    wired.accept(1);
    wired.deliver(1, &wire::ack());
    assert_eq!(wired.state()["state"], "open");
    assert_eq!(world.host.sent("subscribe_campaign").len(), 1);
}

// R12.2
#[test]
fn heartbeat_finds_a_dead_link() {
    let world = World::following(&Log::with_rows(1));
    world.time.advance(5_100);
    assert_eq!(world.host.sent("ping").len(), 1);
    world.time.advance(5_100);
    let states = world.host.details("connectionchange");
    let states: Vec<_> = states.iter().map(|detail| text(&detail["state"])).collect();
    assert_eq!(states[0], "waiting", "nothing was heard for ten seconds");
    world.time.advance(1_000);
    assert_eq!(world.host.sent("connection_init").len(), 1, "it came back by itself");
}

// R12.26
#[test]
fn view_goes_stale_by_the_clock_alone() {
    let world = World::following(&Log::with_rows(1));
    world.time.pass(10_500);
    assert_eq!(world.status(), "stale", "no timer fired, and yet it is not called live");
    assert_eq!(world.view()["staleReason"], "unproven");
}

#[test]
fn applied_events_do_not_rearm_the_timer() {
    let mut log = Log::with_rows(1);
    let world = World::following(&log);
    let events: Vec<String> = (1..200).map(|offset| log.generate(offset).document()).collect();
    // The first event signals the change to the application; the later events do not repeat the signal.
    world.client.take_changes().expect("it is open");
    world.receive(&events[0]);
    let armed = world.time.armed();
    for event in &events[1..] {
        world.time.pass(1);
        assert_eq!(world.receive(event), 1);
    }
    assert_eq!((world.time.armed(), world.time.pending()), (armed, 1));
    assert_eq!(world.host.calls("changed").len(), 1);
    assert_eq!(world.client.take_changes().expect("it is open"), [CAMPAIGN]);
}

#[test]
fn gap_is_requested_again_while_frames_keep_arriving() {
    let mut log = Log::with_rows(1);
    let world = World::following(&log);
    log.generate(1);
    assert_eq!(world.receive(&log.generate(2).document()), 0);
    let asked = world.host.sent("request_event_recovery").len();
    assert_eq!(asked, 1, "the gap is asked for at once");
    for _ in 0..8 {
        world.time.advance(2_900);
        world.receive(&pong(2));
    }
    assert!(
        world.host.sent("request_event_recovery").len() > asked,
        "and again, without an answer"
    );
    assert_eq!(world.time.pending(), 1);
}

#[test]
fn an_early_timer_is_harmless() {
    let world = World::following(&Log::with_rows(1));
    // A message arrives just before the timer fires, so the machine has less to do than planned.
    world.time.advance(4_990);
    world.receive(&pong(2));
    world.time.advance(20);
    assert_eq!(world.status(), "live");
    assert_eq!(world.time.pending(), 1);
}

#[test]
fn close_clears_the_timer() {
    let closed = World::following(&Log::with_rows(1));
    assert_eq!(closed.time.pending(), 1);
    closed.client.close().expect("it is open");
    assert_eq!(closed.time.pending(), 0);
}

#[test]
fn released_campaign_lingers_for_the_configured_time() {
    let world = World::opening(&json!({"lingerMs": 700}));
    world.follow(&Log::with_rows(1));
    world.client.release(CAMPAIGN).expect("it is open");
    world.time.advance(690);
    assert!(world.host.sent("unsubscribe_campaign").is_empty());
    world.time.advance(20);
    assert_eq!(world.host.sent("unsubscribe_campaign").len(), 1);
    assert!(world.client.view(CAMPAIGN).expect("it is open").is_undefined());
}

#[test]
async fn timer_of_the_browser_wakes_the_client() {
    let host = Recorder::new();
    let client = client(&json!({"lingerMs": 30}), &host);
    client.retain(CAMPAIGN).expect("it is open");
    client.release(CAMPAIGN).expect("it is open");
    assert!(!client.view(CAMPAIGN).expect("it is open").is_undefined(), "it lingers");
    for _ in 0..1_000 {
        TimeoutFuture::new(10).await;
        if client.view(CAMPAIGN).expect("it is open").is_undefined() {
            return client.free().expect("it is held by the test alone");
        }
    }
    panic!("no timer woke the client");
}
