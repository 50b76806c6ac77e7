//! Sealed content, docs/ENCRYPTION.md. An event is opened when it is next. Content that does not open
//! at its place is never shown.
//!
//! After the application declares content as sealed, the client accepts only sealed content. Neither a
//! server nor an attacker on the network can change that. `enabled` and `disabled` have the same
//! signatures; a build without the feature reads all content as it is.

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
