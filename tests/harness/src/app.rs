//! The state that all handlers of a server share.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use tokio::sync::{Semaphore, watch};

use crate::campaign::runner::RunnerHandle;
use crate::clock::Clock;
use crate::faults::Faults;
use crate::readiness::Readiness;
use crate::rest::origin::OriginPolicy;
use crate::session::Context;
use crate::sessions::Sessions;

/// A running server.
#[derive(Debug)]
pub struct App {
    /// The state that connections share.
    pub context: Arc<Context>,
    /// The sessions of users.
    pub sessions: Sessions,
    /// The clocks.
    pub clock: Clock,
    /// Wakes the runner.
    pub runner: RunnerHandle,
    /// Fault injection, if the options enable it.
    pub faults: Option<Arc<Faults>>,
    /// Rows per second of a campaign that does not state a rate.
    pub rate: u64,
    /// The accepted hosts and origins.
    pub origin: Arc<OriginPolicy>,
    /// The proxies whose `X-Forwarded-For` names the client's address.
    pub trusted_proxies: Vec<IpAddr>,
    /// Requests per second of one session.
    pub requests_per_second: u32,
    /// The turns of REST requests that read the database.
    pub reads: Arc<Semaphore>,
    /// The most open sockets at a time, and the present number of them.
    pub sockets: (usize, AtomicUsize),
    /// The turns of the requests that change campaigns.
    pub writes: Arc<Semaphore>,
    /// Whether the log can be read and written.
    pub readiness: Readiness,
    /// Becomes true when the server starts to drain.
    pub draining: watch::Sender<bool>,
}
