//! campaign-sync: what the page shows is always a state the server really had; while it says
//! `live` it is never older than ten seconds; and no domain row ever disappears unless the server
//! said so.
//!
//! The crate is four rooms, with arrows one way only: `browser → sync → store → protocol`.
//!
//! * [`protocol`] is the words on the wire. No state, no policy.
//! * [`store`] is the campaign's details. Pure.
//! * [`sync`] is the machine that takes every decision. It knows no clock, no socket and no DOM: a
//!   driver hands it inputs and performs its effects.
//! * `browser`, on wasm32 only, is the driver that JavaScript sees. It takes no decision.
//!
//! Beside the rooms stand `float`, the one pure function that each platform brings itself, and
//! [`plain`], the form of everything that readers see.

#[macro_use]
#[forbid(unsafe_code)]
#[cfg(feature = "planted-bugs")]
pub mod planted;
#[macro_use]
#[forbid(unsafe_code)]
#[cfg(not(feature = "planted-bugs"))]
mod planted;

#[cfg(target_arch = "wasm32")]
pub mod browser;
#[forbid(unsafe_code)]
mod float;
#[forbid(unsafe_code)]
pub mod plain;
#[forbid(unsafe_code)]
pub mod protocol;
#[forbid(unsafe_code)]
pub mod store;
#[forbid(unsafe_code)]
pub mod sync;
