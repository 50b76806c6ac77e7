//! What every handler of a server shares.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use tokio::sync::watch;

use crate::campaign::runner::RunnerHandle;
use crate::clock::Clock;
use crate::faults::Faults;
use crate::rest::origin::OriginPolicy;
use crate::session::Context;
use crate::sessions::Sessions;

/// A running server.
#[derive(Debug)]
pub struct App {
    /// What sessions share.
    pub context: Arc<Context>,
    /// Sessions of users.
    pub sessions: Sessions,
    /// The clocks.
    pub clock: Clock,
    /// Wakes the runner.
    pub runner: RunnerHandle,
    /// Fault injection, if it was asked for.
    pub faults: Option<Arc<Faults>>,
    /// Rows per second of campaigns that do not say.
    pub rate: u64,
    /// The hosts and origins that are ours.
    pub origin: Arc<OriginPolicy>,
    /// Requests per second of one session.
    pub requests_per_second: u32,
    /// Sockets at a time, and how many there are.
    pub sockets: (usize, AtomicUsize),
    /// Becomes true when the server goes away.
    pub draining: watch::Sender<bool>,
}
