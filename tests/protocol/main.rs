//! Scenario tests, native: the words on the wire, the store and the machine, each rule by its name.

mod arrows;
mod bad_input;
mod campaigns;
mod connection;
mod consistency;
mod defects;
mod flips;
mod golden;
mod helpers;
mod json;
mod liveness;
mod log_records;
mod metrics;
#[cfg(feature = "original")]
mod original;
#[cfg(feature = "original")]
mod original_bad_input;
#[cfg(feature = "original")]
mod original_fetches;
#[cfg(feature = "original")]
mod original_machine;
#[cfg(feature = "original")]
mod original_recordings;
#[cfg(feature = "original")]
mod original_resync;
#[cfg(feature = "original")]
mod original_snapshot;
mod polling;
mod query;
mod recovery;
mod retries;
#[cfg(feature = "encrypted")]
mod sealed;
#[cfg(feature = "encrypted")]
mod sealed_golden;
#[cfg(feature = "encrypted")]
mod sealed_snapshots;
mod sequencing;
mod snapshots;
mod subscription;
mod table;
#[cfg(feature = "original")]
mod transition_table;
mod transitions;
#[cfg(not(feature = "original"))]
mod v1_only;
mod wire;
mod world;
mod wrong_types;
