//! The shell: what JavaScript sees of the machine, on wasm32 only. It takes no decision.
//!
//! One rule shapes this room: *the machine is never borrowed while JavaScript runs*. An input goes
//! in, one effect comes out, the borrow ends, and only then is JavaScript called. So a listener may
//! call any method, throw, or close the client, and meets nothing half done. What it causes queues up
//! in the machine and is performed after what was there before it.
//!
//! * `client` is the class; `driver` is the only loop.
//! * `socket`, `timer` and `wake` own what the browser calls back; dropping them ends the calls.
//! * `seal` is the part of the class that only the module for sealed content has.
//! * `transport` is what carries the frames; `host` is what the JavaScript side offers; `convert`, `clock`
//!   and `error` are plain functions.

mod client;
mod clock;
mod convert;
mod driver;
mod error;
mod host;
#[cfg(feature = "encrypted")]
mod seal;
mod socket;
mod timer;
mod transport;
mod wake;

pub use client::Client;
pub use host::Host;

/// Smaller than the standard library's allocator, and faster (`docs/decisions/0012`).
#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();
