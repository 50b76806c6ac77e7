//! Sealed content: opened when it is next, and never shown unless it opens where it belongs.
//!
//! Once the application has said that content is sealed, nothing unsealed is accepted any more: a server,
//! or somebody on the way, cannot talk the client out of it. `enabled` and `disabled` have the same
//! signatures; a module without the feature reads everything as it is.

#[cfg(not(feature = "encrypted"))]
mod disabled;
#[cfg(feature = "encrypted")]
mod enabled;
mod part;

#[cfg(not(feature = "encrypted"))]
pub use disabled::{Encryption, PartContent, Undecryptable};
#[cfg(feature = "encrypted")]
pub use enabled::{Encryption, PartContent, Undecryptable};
pub use part::OpenedPart;
