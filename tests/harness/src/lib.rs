//! The reference server: the other half of the promise, as a library that tests start in process and
//! as a program, `campaign-sync-server`.
//!
//! * [`log`] is where campaigns change: events, and the state that they fold into.
//! * [`hub`] publishes what has been committed; [`snapshots`] are built once and shared.
//! * [`session`] is one connection without its socket: a pure core, which [`socket`] drives.
//! * [`campaign`] is what can be done with a campaign, and the runner that does it.
//! * [`retention`] forgets old history, [`metrics`] tells how it goes.
//! * [`keys`] seal what leaves the server, where it has any.
//! * [`access`] knows who somebody is and what they may see, [`sessions`] tells other servers of it.
//! * `followers` are woken, `lock` takes locks.
//! * [`rest`] are the routes, [`faults`] the ways to break them, [`server`] starts it all.

pub mod access;
pub mod app;
pub mod campaign;
pub mod clock;
pub mod faults;
mod followers;
pub mod hub;
pub mod keys;
mod lock;
pub mod log;
pub mod metrics;
pub mod options;
pub mod rest;
pub mod retention;
pub mod server;
pub mod session;
pub mod sessions;
pub mod snapshots;
pub mod socket;
mod wire;

pub use options::Options;
pub use server::run;
