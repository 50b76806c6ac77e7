//! The driver for browsers, on wasm32 only: the interface between JavaScript and the machine. It
//! takes no decision.
//!
//! One rule shapes this module: *the machine is never borrowed while JavaScript runs*. An input
//! goes in, one effect comes out, the borrow ends, and only then is JavaScript called. Therefore a
//! listener may call any method, throw, or close the client, and never meets a half-finished
//! operation. Effects that a listener causes are queued in the machine and performed after the
//! effects before them.
//!
//! * `client` is the class; `driver` is the only event loop.
//! * `seal` is the part of the class that only the module for sealed content has.
//! * `host` calls the JavaScript side, which owns the sockets, the timer and the signals of the page; `call` reads
//!   what it asks for; `clock` reads the clocks.

mod call;
mod client;
mod clock;
mod driver;
mod host;
#[cfg(feature = "encrypted")]
mod seal;

pub use client::Client;

/// Smaller and faster than the standard library's allocator (`docs/decisions/0012`).
#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();
