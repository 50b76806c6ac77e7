//! The reference server, the counterpart of the client: a library that tests start in process, and a program,
//! `campaign-sync-server`.
//!
//! * [`log`] stores the events of campaigns and the state that they fold into.
//! * [`hub`] publishes committed events; [`snapshots`] are built once and shared.
//! * [`session`] is one connection without its socket: a pure core, which [`socket`] drives.
//! * [`campaign`] has the operations on a campaign and the runner that executes its phases.
//! * [`retention`] deletes old history, [`metrics`] exports counters and timings.
//! * [`keys`] seal the content that leaves the server, if it has keys.
//! * [`capacity`] limits what clients take together, and what one user takes; [`accept`] limits connections.
//! * [`access`] identifies users and decides which campaigns they see, [`sessions`] shares their sessions
//!   with other servers.
//! * [`readiness`] checks whether the server can take clients, [`logging`] writes the log, [`signals`] stop the
//!   server.
//! * `followers` wakes waiting sockets, `lock` takes locks.
//! * [`rest`] has the routes, [`faults`] injects faults into them, [`server`] starts everything.

pub mod accept;
pub mod access;
pub mod app;
pub mod campaign;
pub mod capacity;
pub mod catalogue;
pub mod clock;
pub mod faults;
mod followers;
pub mod hub;
pub mod keys;
mod lock;
pub mod log;
pub mod logging;
pub mod metrics;
pub mod options;
pub mod readiness;
pub mod rest;
pub mod retention;
pub mod server;
pub mod session;
pub mod sessions;
pub mod signals;
pub mod snapshots;
pub mod socket;
mod wire;

pub use options::Options;
pub use server::run;
