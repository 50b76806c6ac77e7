//! The fuzz targets, and the properties that must hold for any input.
//!
//! A target takes bytes and panics if a promise is broken. `cargo xtask fuzz` drives each target with
//! libFuzzer, which learns the inputs that reach new code. `tests/replay.rs` runs the targets over the
//! seeds and over every input that ever failed (`found/TARGET/`), with the ordinary compiler.
//!
//! | target | takes | promises |
//! | --- | --- | --- |
//! | [`frame`] | a frame | the reader accepts only valid JSON, and hashes the received text |
//! | [`staging`] | the parts of a snapshot | installed rows match the digest of their snapshot |
//! | [`machine`] | the inputs of a client | G2, G3, G7, G8: order, rows, memory, requests |
//! | [`session`] | the messages of a client | well-formed answers, contiguous numbers, bounded work |

mod document;
pub mod frame;
pub mod machine;
mod reported;
pub mod seeds;
pub mod session;
pub mod staging;

/// Takes any bytes, and panics if a promise is broken.
pub type Target = fn(&[u8]);

/// The targets by name. Seeds, findings and the command line use these names.
pub const TARGETS: [(&str, Target); 4] = [
    ("frame", frame::run),
    ("staging", staging::run),
    ("machine", machine::run),
    ("session", session::run),
];
