//! Frames leave through the effect `send` and arrive through `receive`.

use serde_json::json;
use wasm_bindgen::JsValue;
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::wire::{self, CAMPAIGN, EPOCH, Log};
use crate::world::{World, code, text};

#[test]
fn connect_sends_the_handshake() {
    let world = World::manual();
    world.client.retain(CAMPAIGN).expect("it is open");
    assert!(world.host.calls("send").is_empty(), "nobody asked for a connection");
    world.client.connect().expect("it is open");
    assert_eq!(world.host.sent("connection_init")[0]["protocols"], json!(["campaign-sync.v1"]));
    world.receive(&wire::ack());
    assert_eq!(world.host.sent("subscribe_campaign")[0]["campaignId"], CAMPAIGN);
    assert_eq!(world.host.sent("request_event_recovery").len(), 1);
    let states: Vec<_> = world.host.details("connectionchange");
    let states: Vec<_> = states.iter().map(|detail| text(&detail["state"])).collect();
    assert_eq!(states, ["connecting", "open"]);
}

#[test]
fn events_as_text_and_as_bytes_are_applied_and_counted() {
    let mut log = Log::with_rows(3);
    let world = World::following(&log);
    let text = log.generate(3).document();
    let bytes = log.generate(4).document();
    assert_eq!(world.receive(&text), 1);
    assert_eq!(world.client.receive_bytes(bytes.as_bytes()).expect("frames never throw"), 1);
    assert_eq!(world.receive(&text), 0, "it was applied before");
    assert_eq!(world.rows().len(), 5);
    let metrics = world.metrics();
    assert_eq!((&metrics["applied"], &metrics["duplicates"]), (&json!(6), &json!(1)));
}

#[test]
fn frame_of_many_documents_returns_its_number_of_new_events() {
    let mut log = Log::with_rows(1);
    let world = World::following(&log);
    let first = log.generate(1).document();
    let second = log.generate(2).document();
    assert_eq!(world.receive(&format!("{first}\n\n{first}\nno JSON\n{second}\n")), 2);
}

#[test]
fn frame_before_connect_is_ignored() {
    let world = World::manual();
    assert_eq!(world.receive(&wire::ack()), 0);
    assert_eq!(world.metrics()["framesReceived"], 0);
}

// R3.6
#[test]
fn server_without_v1_ends_the_connection_with_a_code() {
    let world = World::manual();
    world.client.retain(CAMPAIGN).expect("it is open");
    world.client.connect().expect("it is open");
    for _ in 0..3 {
        world.receive(&wire::ack_of("campaign-sync.v9"));
        world.time.advance(2_000);
    }
    let last = world.host.details("connectionchange").pop().expect("it changed");
    let expected = (&json!("failed"), &json!("unsupported_protocol"));
    assert_eq!((&last["state"], &last["code"]), expected);
    assert_eq!(
        (world.status(), world.view()["code"].clone()),
        ("failed".into(), last["code"].clone())
    );
    assert!(world.host.sent("subscribe_campaign").is_empty());
    world.time.advance(600_000);
    assert_eq!(world.host.sent("connection_init").len(), 3, "trying again would not help");
}

#[test]
fn token_is_requested_and_presented() {
    let world = World::opening(&json!({"hasToken": true}));
    world.client.connect().expect("it is open");
    let asked = world.host.calls("requestToken");
    let ticket = asked[0][0].as_f64().expect("a ticket is a number");
    assert!(world.host.calls("send").is_empty());
    world.client.provide_token(ticket + 1.0, Some("another's")).expect("it is open");
    assert!(world.host.calls("send").is_empty(), "nobody asked with that ticket");
    world.client.provide_token(ticket, Some("secret")).expect("it is open");
    assert_eq!(world.host.sent("connection_init")[0]["token"], "secret");
}

#[test]
fn a_token_provider_that_fails_is_a_failed_attempt() {
    let world = World::opening(&json!({"hasToken": true}));
    world.client.connect().expect("it is open");
    let ticket = world.host.calls("requestToken")[0][0].as_f64().expect("a ticket is a number");
    world.client.provide_token(ticket, None).expect("it is open");
    let last = world.host.details("connectionchange").pop().expect("it changed");
    assert_eq!((&last["state"], &last["attempt"]), (&json!("waiting"), &json!(1)));
    world.time.advance(500);
    assert_eq!(world.host.calls("requestToken").len(), 2);
}

#[test]
fn wait_for_a_position_resolves_at_once_later_or_never() {
    let mut log = Log::with_rows(2);
    let world = World::following(&log);
    world.client.reached(CAMPAIGN, EPOCH, 2.0, 10.0).expect("it is open");
    world.client.reached(CAMPAIGN, EPOCH, 4.0, 11.0).expect("it is open");
    world.client.reached(CAMPAIGN, EPOCH, 9.0, 12.0).expect("it is open");
    world.client.reached("nobody-holds-it", EPOCH, 1.0, 13.0).expect("it is open");
    let settled = world.host.calls("settle");
    assert_eq!(settled, [vec![json!(10), json!(null)], vec![json!(13), json!("unknown_campaign")]]);
    world.host.clear();
    world.receive(&log.generate(2).document());
    assert_eq!(world.host.calls("settle"), [vec![json!(11), json!(null)]]);
    world.client.close().expect("it is open");
    assert_eq!(world.host.calls("settle")[1], [json!(12), json!("closed")]);
}

#[test]
fn log_records_are_plain_objects_with_a_level_and_a_code() {
    let world = World::opening(&json!({"log": true}));
    world.follow(&Log::with_rows(1));
    let records = world.host.calls("log");
    let connected = records.iter().map(|call| &call[0]).find(|it| it["code"] == "connected");
    let connected = connected.expect("connecting is worth a line");
    assert_eq!((&connected["level"], &connected["detail"]), (&json!("info"), &json!("v1")));
    assert_eq!(connected.get("campaignId"), None, "what is not there leaves itself out");
}

#[test]
fn log_records_are_off_by_default() {
    let world = World::manual();
    world.follow(&Log::with_rows(1));
    assert!(world.host.calls("log").is_empty());
}

#[test]
fn after_closing_every_call_throws_closed() {
    let world = World::following(&Log::with_rows(1));
    let client = &world.client;
    client.close().expect("it is open");
    let none = JsValue::UNDEFINED;
    let codes = [
        code(client.connect()),
        code(client.close()),
        code(client.retain(CAMPAIGN)),
        code(client.release(CAMPAIGN)),
        code(client.receive(&"{}".into())),
        code(client.receive_bytes(b"{}")),
        code(client.opened(1)),
        code(client.closed(1, 1006)),
        code(client.take_changes()),
        code(client.view(CAMPAIGN)),
        code(client.status(CAMPAIGN)),
        code(client.domains(CAMPAIGN, &none)),
        code(client.reached(CAMPAIGN, EPOCH, 1.0, 1.0)),
        code(client.refresh(CAMPAIGN)),
        code(client.provide_token(1.0, None)),
        code(client.provide_snapshot(1.0, None)),
        code(client.metrics()),
        code(client.diagnostics()),
    ];
    assert!(codes.iter().all(|code| code == "closed"), "{codes:?}");
    let last = world.host.details("connectionchange").pop().expect("closing was notified");
    assert_eq!(last["state"], "closed");
}
