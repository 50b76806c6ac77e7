//! campaign-sync keeps the campaigns that a page shows in step with a server. It gives three
//! guarantees:
//!
//! * The page always shows a state that the server really had.
//! * While the status is `live`, that state is never older than ten seconds.
//! * A domain row disappears only if the server says so.
//!
//! The crate has four layers. Each layer uses only the layers to its right:
//! `browser → sync → store → protocol`.
//!
//! * [`protocol`] is the wire format. It has no state and no policy.
//! * [`store`] holds the state of a campaign. It is pure.
//! * [`sync`] is the state machine that takes every decision. It has no clock, no socket and no
//!   DOM: a driver passes inputs to it and performs its effects.
//! * `browser` is the driver that JavaScript calls, on wasm32 only. It takes no decision.
//!
//! All data leaves these layers as JSON text ([`protocol::write`]).

#[cfg(target_arch = "wasm32")]
#[deny(clippy::wildcard_enum_match_arm, clippy::match_wildcard_for_single_variants)]
pub mod browser;
pub mod protocol;
#[deny(clippy::wildcard_enum_match_arm, clippy::match_wildcard_for_single_variants)]
pub mod store;
#[deny(clippy::wildcard_enum_match_arm, clippy::match_wildcard_for_single_variants)]
pub mod sync;
