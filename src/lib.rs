//! campaign-sync: what the page shows is always a state the server really had; while it says
//! `live` it is never older than ten seconds; and no domain row ever disappears unless the server
//! said so.
//!
//! The crate has four layers, with arrows one way only: `browser → sync → store → protocol`.
//!
//! * [`protocol`] is the wire format. No state, no policy.
//! * [`store`] holds the campaign's details. Pure.
//! * [`sync`] is the machine that takes every decision. It knows no clock, no socket and no DOM: a
//!   driver hands it inputs and performs its effects.
//! * `browser`, on wasm32 only, is the driver that JavaScript sees. It takes no decision.
//!
//! [`value`] is the form of everything that leaves them.

#[cfg(target_arch = "wasm32")]
#[deny(clippy::wildcard_enum_match_arm, clippy::match_wildcard_for_single_variants)]
pub mod browser;
pub mod protocol;
#[deny(clippy::wildcard_enum_match_arm, clippy::match_wildcard_for_single_variants)]
pub mod store;
#[deny(clippy::wildcard_enum_match_arm, clippy::match_wildcard_for_single_variants)]
pub mod sync;
pub mod value;
