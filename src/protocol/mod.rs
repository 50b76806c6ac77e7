//! The wire format that both ends share, and nothing else.
//!
//! This module has no state and no policy. Everything is a pure function of the bytes that it
//! receives, so that the client, the reference server and the simulator read and write the same
//! contract (`docs/PROTOCOL.md`). Nothing in this module uses a clock, a socket or the DOM.

pub mod action;
pub mod body;
pub mod campaign;
pub mod catalogue;
pub mod client;
pub mod code;
pub mod digest;
pub mod domain;
pub mod envelope;
mod escape;
pub mod event;
mod float;
pub mod frame;
pub mod hash;
pub mod id;
pub mod json;
pub mod limits;
pub(crate) mod lookup;
pub mod merge_sort;
pub(crate) mod names;
pub mod phase;
pub mod position;
mod scan;
pub(crate) mod schema;
#[cfg(feature = "encrypted")]
pub mod seal;
pub mod server;
pub mod snapshot;
pub mod time;
pub mod transition;
pub mod violation;
pub mod write;

pub use code::Code;
pub use digest::Digest;
pub use hash::EventHash;
pub use id::CampaignId;
pub use phase::{Phase, Status};
pub use position::{Epoch, Position, SequenceNumber};
