//! Native scenario tests of the wire format, the store and the machine. Each test name states its rule.

mod acknowledgement;
mod bad_input;
mod caches;
mod campaigns;
mod catalogue;
mod catalogue_faults;
mod connection;
mod consistency;
mod contract;
mod defects;
mod event_types;
mod fetches;
mod flips;
mod golden;
mod helpers;
mod identity;
mod json;
mod liveness;
mod log_records;
mod metrics;
mod negotiation;
mod older_spellings;
mod phase_machine;
mod phases;
mod places;
mod polling;
mod query;
mod recordings;
mod recovery;
mod renewal;
mod rest_snapshot;
mod retries;
#[cfg(feature = "encrypted")]
mod sealed;
#[cfg(feature = "encrypted")]
mod sealed_golden;
#[cfg(feature = "encrypted")]
mod sealed_snapshots;
mod sequencing;
mod slices;
mod snapshots;
mod subscription;
mod table;
mod transition_table;
mod transitions;
mod user_requests;
mod violations;
mod wire;
mod world;
mod writing;
mod wrong_types;
