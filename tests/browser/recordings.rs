//! The recorded sessions of an original server, frame by frame through the class, ending in the
//! outcomes that a correct reader must reach.

use serde_json::{Value, json};
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::sockets::Wired;
use crate::world::{World, parse, plain, text};

const GENERATION_TO_HTTP: &str = include_str!("../recordings/generation-to-http.jsonl");
const DISCONNECT: &str = include_str!("../recordings/disconnect-during-dns-transition.jsonl");
const FIRST: &str = "590c1440-9888-45b0-bd51-a817ee07c3f2";
const OTHER: &str = "145935bc-7155-43c7-a764-90c3e0aa0b6a";
const SECOND: &str = "3686b9e6-69d9-48c8-9996-3733b8a6fb1c";

fn lines(recording: &str) -> impl Iterator<Item = Value> {
    recording.lines().map(parse)
}

fn view(world: &World, id: &str) -> Value {
    plain(&world.client.view(id).expect("it is open"))
}

/// How many rows resolve.
fn resolved(view: &Value) -> u64 {
    let pairs = view["counts"]["dns"].as_array().expect("pairs").iter();
    let resolved = pairs.filter(|pair| pair[0] == "resolved").map(|pair| pair[1].as_u64());
    resolved.flatten().sum()
}

fn tickets(world: &World) -> Vec<f64> {
    let asked = world.host.calls("fetchSnapshot").into_iter();
    asked.map(|call| call[0].as_f64().expect("a ticket is a number")).collect()
}

fn snapshot(phase: &str, status: &str) -> String {
    json!({"campaign": {"name": "Recorded", "currentPhase": phase, "phaseStatus": status},
        "domains": []})
    .to_string()
}

/// Replays the first session; `frame` takes each frame.
fn replay_first(world: &World, frame: impl Fn(&str)) {
    world.client.retain(FIRST).expect("it is open");
    world.client.connect().expect("it is open");
    let mut elapsed = 0;
    for line in lines(GENERATION_TO_HTTP).filter(|line| line["direction"] == "received") {
        let at = line["at_ms"].as_u64().expect("a time");
        world.time.advance((at - elapsed) as u32);
        elapsed = at;
        frame(line["frame"].as_str().expect("a received frame is text"));
    }
}

fn check_first(world: &World) {
    let view = view(world, FIRST);
    assert_eq!((&view["domainsCount"], &view["dialect"]), (&json!(250), &json!("original")));
    assert_eq!(resolved(&view), 91);
    assert_eq!(view["campaign"]["currentPhase"], "http_keyword_validation");
    assert_eq!(view["totalDomainCount"], 250, "91 is of the phase");
    assert!(world.client.view(OTHER).expect("it is open").is_undefined());
    let metrics = world.metrics();
    assert_eq!((&metrics["gaps"], &metrics["corrupt"]), (&json!(0), &json!(0)));
    assert_ne!(metrics["unsubscribed"], 0, "the other campaign chatters on the same socket");
    let moves = world.host.details("phasetransition");
    let moves: Vec<_> = moves.iter().map(|detail| text(&detail["newPhase"])).collect();
    assert_eq!(moves, ["dns_validation", "http_keyword_validation"], "a twin changes nothing");
}

fn recording_world() -> World {
    World::new(&json!({"manualTransport": true, "hasFetchSnapshot": true}))
}

#[test]
fn the_first_recording_as_text_ends_as_it_must() {
    let world = recording_world();
    let client = world.client.clone();
    world.host.on("fetchSnapshot", move |values| {
        let ticket = values[0].as_f64().expect("a ticket is a number");
        let answer = snapshot("domain_generation", "in_progress");
        client.provide_snapshot(ticket, Some(&answer)).expect("it is open");
    });
    replay_first(&world, |frame| {
        world.receive(frame);
    });
    check_first(&world);
    assert_eq!(tickets(&world).len(), 1, "one snapshot after connecting");
}

#[test]
fn the_first_recording_as_bytes_ends_as_it_must() {
    let world = recording_world();
    replay_first(&world, |frame| {
        world.client.receive_bytes(frame.as_bytes()).expect("frames never throw");
    });
    check_first(&world);
}

#[test]
fn the_first_recording_over_a_socket_ends_as_it_must() {
    let wired = Wired::new(&json!({"hasFetchSnapshot": true}));
    let greeted = std::cell::Cell::new(false);
    replay_first(&wired.world, |frame| {
        if !greeted.replace(true) {
            wired.sockets.accept(0);
        }
        wired.deliver(0, frame);
    });
    check_first(&wired.world);
}

#[test]
fn the_second_recording_notices_the_missed_transition_and_loses_no_row() {
    let wired = Wired::new(&json!({"hasFetchSnapshot": true}));
    let world = &wired.world;
    world.client.retain(SECOND).expect("it is open");
    world.client.connect().expect("it is open");
    wired.sockets.accept(0);
    let mut socket = 0;
    for line in lines(DISCONNECT) {
        match line["direction"].as_str() {
            Some("received") => {
                wired.deliver(socket, line["frame"].as_str().expect("a frame is text"));
            }
            Some("closed") => {
                wired.sockets.die(socket, 1001);
                if wired.sockets.count() == 1 && line["connection"] == 1 {
                    socket = wired.reopened();
                    wired.sockets.accept(socket);
                }
            }
            // What the recorded client sent is not what we send.
            _ => {}
        }
    }
    assert_eq!(socket, 1, "the session was cut once");
    let missed = world.host.details("divergence");
    assert_eq!(missed, [json!({"campaignId": SECOND, "kind": "phase", "sequenceNumber": 0})]);
    let asked = tickets(world);
    assert!(!asked.is_empty(), "a snapshot is asked for");
    world
        .client
        .provide_snapshot(asked[0], Some(&snapshot("http_keyword_validation", "in_progress")))
        .expect("it is open");
    let view = view(world, SECOND);
    assert_eq!((&view["domainsCount"], &view["totalDomainCount"]), (&json!(120), &json!(120)));
    assert_eq!(resolved(&view), 55);
    assert_eq!(view["campaign"]["currentPhase"], "http_keyword_validation");
    assert_eq!(world.metrics()["corrupt"], 0);
}
