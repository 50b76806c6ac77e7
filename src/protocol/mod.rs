//! The words on the wire: what both ends agree on, and nothing else.
//!
//! No state and no policy live here. Everything is a pure function of the bytes given, so that the
//! client, the reference server and the simulator read and write the same contract
//! (`docs/PROTOCOL.md`). Nothing in this room knows a clock, a socket or the DOM.

pub mod body;
pub mod campaign;
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
pub mod order;
pub mod phase;
pub mod position;
pub(crate) mod schema;
#[cfg(feature = "encrypted")]
pub mod seal;
pub mod server;
pub mod snapshot;
pub mod time;
pub mod transition;
pub mod write;

pub use code::Code;
pub use digest::Digest;
pub use hash::EventHash;
pub use id::CampaignId;
pub use phase::{Phase, Status};
pub use position::{Epoch, Position, SequenceNumber};
