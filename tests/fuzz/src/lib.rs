//! What is fuzzed, and what must hold for any input at all.
//!
//! A target takes bytes and panics where a promise is broken. `cargo xtask fuzz` drives each of them
//! with libFuzzer, which learns what reaches new code; `tests/replay.rs` runs them over the seeds and
//! over every input that ever failed (`found/TARGET/`), with the compiler everybody has.
//!
//! | target | takes | promises |
//! | --- | --- | --- |
//! | [`frame`] | a frame | our reader takes nothing that a JSON parser refuses, and hashes what is there |
//! | [`staging`] | the parts of a snapshot | what is swapped in is what its digest says |
//! | [`machine`] | what happens to a client | G2, G3, G7, G8: order, rows, memory, requests |
//! | [`session`] | what a client says to the server | well-formed answers, contiguous numbers, bounded work |

mod document;
pub mod frame;
pub mod machine;
pub mod seeds;
pub mod session;
pub mod staging;
mod reported;

/// What takes any bytes, and panics where a promise is broken.
pub type Target = fn(&[u8]);

/// The targets by name, as seeds, findings and the command line know them.
pub const TARGETS: [(&str, Target); 4] = [
    ("frame", frame::run),
    ("staging", staging::run),
    ("machine", machine::run),
    ("session", session::run),
];
