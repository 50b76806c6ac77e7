//! Tests of the browser layer in a real browser, through the generated class that the package uses.
#![cfg(target_arch = "wasm32")]

use wasm_bindgen_test::wasm_bindgen_test_configure;

#[path = "../protocol/wire.rs"]
#[allow(dead_code, reason = "it serves the tests of the machine, which need more of it")]
mod wire;
mod world;

mod bad_input;
mod frames;
mod numbers;
mod recordings;
mod reentrancy;
mod sockets;
mod timers;
mod views;
mod wake_signals;

wasm_bindgen_test_configure!(run_in_browser);
