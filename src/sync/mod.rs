//! The machine that takes every decision: connection, sequencing, dedupe, gaps, recovery, heartbeat.
//!
//! It is driven by three verbs, [`Machine::handle`], [`Machine::poll_effect`] and
//! [`Machine::poll_timeout`], and knows no clock, no socket and no randomness of its own. After
//! every `handle` a driver drains the effects to the end and arms one timer. There are always three
//! drivers: the browser shell, the simulator and a native socket.

pub mod announce;
pub mod backoff;
pub mod campaigns;
pub mod config;
pub mod connection;
pub mod context;
pub mod control;
pub mod dedupe;
pub mod effect;
pub mod gap;
pub mod input;
pub mod link;
pub mod log;
pub mod machine;
pub mod metrics;
pub mod notice;
pub mod outcome;
pub mod polling;
pub mod queue;
pub mod reached;
pub mod receive;
pub mod recovery;
pub mod repair;
pub mod rng;
#[cfg_attr(not(feature = "encrypted"), path = "unsealed.rs")]
pub mod seal;
pub mod sequencing;
pub mod session;
pub mod status;
pub mod subscription;
pub mod swap;
pub mod time;

pub use config::Config;
pub use effect::Effect;
pub use input::Input;
pub use machine::Machine;
pub use notice::Notice;
pub use outcome::{Outcome, Verdict};
pub use status::{StaleReason, Status};
pub use time::{Now, Timestamp};
