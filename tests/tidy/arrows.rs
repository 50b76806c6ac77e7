//! Dependencies between the layers go one way, and three of the layers are pure.

use crate::source;

/// Names that only drivers may use: clocks, randomness, sockets, and orders that differ from run to run.
const IMPURE: &[&str] = &[
    "std::time",
    "SystemTime",
    "Instant::",
    "std::net",
    "std::fs",
    "std::env",
    "std::thread",
    "rand::",
    "getrandom",
    "HashMap",
    "HashSet",
    "RandomState",
    "web_sys",
    "js_sys",
    "wasm_bindgen",
    "gloo",
    "println!",
    "eprintln!",
    "dbg!",
    "static mut",
    "thread_local!",
];

/// The platform reads numbers, so this file is exempt.
const PLATFORM: &str = "src/protocol/float.rs";

fn assert_none(layer: &str, words: &[&str]) {
    for source in source::below(&format!("src/{layer}"), &["rs"]) {
        if source.path == PLATFORM {
            continue;
        }
        for (number, line) in source::code(&source.text).lines().enumerate() {
            for word in words {
                assert!(!line.contains(word), "{}:{}: {word}", source.path, number + 1);
            }
        }
    }
}

#[test]
fn wire_format_uses_no_other_layer() {
    assert_none("protocol", &["crate::store", "crate::sync", "crate::browser"]);
}

#[test]
fn store_uses_only_the_wire_format() {
    assert_none("store", &["crate::sync", "crate::browser"]);
}

#[test]
fn machine_does_not_use_the_browser() {
    assert_none("sync", &["crate::browser"]);
}

#[test]
fn protocol_store_and_machine_are_pure() {
    for layer in ["protocol", "store", "sync"] {
        assert_none(layer, IMPURE);
    }
}
