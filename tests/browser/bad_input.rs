//! Bad input: each refusal has a code and is counted, the state stays, and later events apply. Invalid
//! arguments throw.

use campaign_sync::protocol::limits::{FRAME_BYTES_MAX, FRAME_DOCUMENTS_MAX};
use js_sys::JsString;
use serde_json::json;
use wasm_bindgen::JsValue;
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::wire::{CAMPAIGN, EPOCH, Log};
use crate::world::{World, code, js};

/// Follows a log, checks that the client refuses the input of `refused`, and applies the next event.
fn refuses(expected: &str, refused: impl FnOnce(&World) -> u32) {
    let mut log = Log::with_rows(2);
    let world = World::following(&log);
    let before = world.view();
    assert_eq!(refused(&world), 0, "{expected}");
    assert_eq!(world.metrics()["refused"][expected], 1, "{}", world.metrics());
    let rejected = world.host.details("rejected");
    assert_eq!(rejected, [json!({"code": expected})]);
    assert_eq!(world.view(), before, "{expected}");
    assert_eq!(world.receive(&log.generate(2).document()), 1, "what follows is applied");
}

#[test]
fn invalid_frames_are_refused_with_a_code() {
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    let cases = [
        ("empty_frame", String::new()),
        ("empty_frame", "\n \n".to_owned()),
        ("invalid_json", "{\"type\":".to_owned()),
        ("invalid_json", "\u{feff}{}".to_owned()),
        ("too_deep", deep),
        ("frame_too_large", " ".repeat(FRAME_BYTES_MAX + 1)),
        ("too_many_documents", "1\n".repeat(FRAME_DOCUMENTS_MAX + 1)),
        ("invalid_envelope", "null".to_owned()),
        ("ambiguous_envelope", r#"{"type":"a","type":"b"}"#.to_owned()),
        ("lone_surrogate", r#"{"type":"ping","data":"\ud800"}"#.to_owned()),
    ];
    for (expected, frame) in cases {
        refuses(expected, |world| world.receive(&frame));
    }
}

#[test]
fn invalid_bytes_are_refused_with_a_code() {
    let bytes = |bytes: &'static [u8]| {
        move |world: &World| world.client.receive_bytes(bytes).expect("frames never throw")
    };
    refuses("invalid_utf8", bytes(&[b'{', 0xff, b'}']));
    refuses("invalid_utf8", bytes(&[0xed, 0xa0, 0x80]));
    refuses("empty_frame", bytes(&[]));
}

#[test]
fn lone_surrogate_in_a_string_is_refused() {
    let world = World::following(&Log::with_rows(2));
    let half = JsString::from_char_code(&[0xd800]);
    assert_eq!(world.client.receive(&half.into()).expect("frames never throw"), 0);
    assert_eq!(world.metrics()["refused"]["invalid_json"], 1);
}

#[test]
fn damaged_event_is_notified_and_not_applied() {
    let mut log = Log::with_rows(2);
    let world = World::following(&log);
    let event = log.generate(2);
    assert_eq!(world.receive(&event.damaged()), 0);
    let seen = world.host.details("corrupt");
    let corrupt = json!({"campaignId": CAMPAIGN, "sequenceNumber": 4, "campaignName": "Spring"});
    assert_eq!(seen, [corrupt]);
    assert_eq!(world.metrics()["corrupt"], 1);
    assert_eq!(world.position(), 3);
}

#[test]
fn prototype_names_as_values_are_harmless() {
    let mut log = Log::with_rows(2);
    let world = World::following(&log);
    let words = ["__proto__", "constructor", "toString"];
    let rows = words.map(|word| json!({"domainId": "d-0", "dnsStatus": word}));
    for row in rows {
        assert_eq!(world.receive(&log.update(json!([row])).document()), 1);
    }
    assert_eq!(world.rows()[0]["dnsStatus"], "toString");
    assert_eq!(world.view()["counts"]["dns"], json!({"toString": 1}));
    world.receive(&log.update(json!([{"domainId": "d-1", "dnsStatus": "__proto__"}])).document());
    assert_eq!(world.view()["counts"]["dns"], json!({"__proto__": 1, "toString": 1}));
    let untouched = js_sys::eval("({}).__proto__ === Object.prototype && !('dns' in {})");
    assert_eq!(untouched.expect("it runs"), JsValue::TRUE);
}

// R2.13
#[test]
fn invalid_campaign_id_throws() {
    let world = World::manual();
    let long = "x".repeat(65);
    for id in ["", "*", "a.>", "../x", "a b", "ä", &long] {
        let codes = [
            code(world.client.retain(id)),
            code(world.client.release(id)),
            code(world.client.refresh(id)),
            code(world.client.reached(id, EPOCH, 1.0, 1.0)),
        ];
        assert!(codes.iter().all(|code| code == "invalid_campaign_id"), "{id}: {codes:?}");
        assert!(world.client.view(id).expect("it is open").is_undefined());
        assert_eq!(world.client.status(id).expect("it is open"), "idle");
    }
}

#[test]
fn invalid_command_or_query_throws() {
    let world = World::manual();
    for number in [99, u32::MAX] {
        assert_eq!(code(world.client.js_call(number, "", "", 0.0, 0.0)), "invalid_content");
    }
    for json in ["", "7", "[]", r#"{"limit":"#] {
        let refused = code(world.client.call_with("domains", CAMPAIGN, json, 0.0, 0.0));
        assert!(refused == "invalid_content" || refused == "invalid_json", "{json}");
    }
}

#[test]
fn invalid_position_throws() {
    let world = World::manual();
    let reached = |epoch, number| code(world.client.reached(CAMPAIGN, epoch, number, 1.0));
    assert_eq!(reached(EPOCH, 9_007_199_254_740_992.0), "integer_out_of_range");
    for number in [-1.0, 0.5, f64::NAN, f64::INFINITY] {
        assert_eq!(reached(EPOCH, number), "invalid_content", "{number}");
    }
    for epoch in ["", "a/b", "a\"b"] {
        assert_eq!(reached(epoch, 1.0), "invalid_content", "{epoch}");
    }
}

#[test]
fn invalid_domain_query_throws() {
    let world = World::following(&Log::with_rows(2));
    let query = |query: &JsValue| code(world.client.domains(CAMPAIGN, query));
    let content = [
        json!({"limit": "10"}),
        json!({"offset": {}}),
        json!({"search": 5}),
        json!({"dnsStatus": ["resolved"]}),
        json!({"sortBy": "name"}),
        json!({"sortOrder": "up"}),
    ];
    for bad in content {
        assert_eq!(query(&js(&bad)), "invalid_content", "{bad}");
    }
    let beyond = js(&json!({"limit": 9_007_199_254_740_992_u64}));
    assert_eq!(query(&beyond), "integer_out_of_range");
    for bad in ["-1", "1.5", "1e300", "NaN", "Infinity", "null"] {
        let bad = js_sys::eval(&format!("({{ limit: {bad} }})")).expect("it runs");
        assert_eq!(query(&bad), "invalid_content", "{bad:?}");
    }
    assert_eq!(code(world.client.domains("not-held", &JsValue::UNDEFINED)), "unknown_campaign");
}
