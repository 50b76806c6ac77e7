//! Scenario tests of the words on the wire: pure functions, run natively.

mod original;
mod original_bad_input;
mod original_machine;
mod original_recordings;
mod original_snapshot;
