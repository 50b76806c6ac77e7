//! Scenario tests, native: the words on the wire, the store and the machine, each rule by its name.

mod arrows;
mod bad_input;
mod campaigns;
mod connection;
mod consistency;
mod flips;
mod golden;
mod json;
mod liveness;
mod original;
mod original_bad_input;
mod original_machine;
mod original_recordings;
mod original_snapshot;
mod polling;
mod query;
mod recovery;
mod sequencing;
mod snapshots;
mod subscription;
mod table;
mod transitions;
mod wire;
mod world;
mod wrong_types;
