//! The machine that takes every decision about connection, sequencing, dedupe, gaps, recovery and
//! heartbeat.
//!
//! A driver calls three functions: [`Machine::handle`], [`Machine::poll_effect`] and
//! [`Machine::poll_timeout`]. The machine reads no clock, opens no socket and takes its randomness from
//! a seed. After every `handle` a driver performs all effects and arms one timer. The
//! browser shell, the simulator and the scenarios are drivers.

pub mod backoff;
pub mod catalogue;
pub mod config;
pub mod connection;
pub mod context;
pub mod effect;
pub mod encryption;
pub mod holders;
mod identity;
pub mod input;
pub mod log;
pub mod machine;
pub mod metrics;
pub mod notice;
pub mod outcome;
mod polling;
pub mod queue;
pub mod rng;
mod router;
pub mod status;
pub mod subscription;
pub mod subscriptions;
pub mod time;

pub use config::Config;
pub use effect::Effect;
pub use input::Input;
pub use machine::Machine;
pub use notice::Notice;
pub use outcome::{Outcome, Verdict};
pub use status::Status;
pub use time::{Now, Timestamp};
