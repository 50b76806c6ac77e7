//! The capacity that clients share: bytes that wait for readers, and reads of tables at one time. Both have a
//! limit in all, and one per user over all sessions of that user.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::lock::lock;
use crate::log::{LogError, Result};
use crate::session::limits::Bucket;

/// The longest wait of a request for its turn.
const TURN_TIMEOUT: Duration = Duration::from_secs(5);

/// Requests of one user that wait for their turn, for each one that has it.
const WAITING_PER_TURN: usize = 8;

/// Heads in the `pong`s of one user per second, over all sockets. Each head has about 300 bytes.
pub const USER_HEADS_PER_SECOND: u32 = 2_048;

/// The capacity that clients share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
#[group(id = "capacity")]
pub struct Limits {
    /// Bytes that wait for readers: snapshots, pages of events and REST answers. A text that readers
    /// share counts once.
    #[arg(long, env = "CAMPAIGN_SYNC_MAX_BYTES_IN_FLIGHT", default_value_t = DEFAULT.max_bytes_in_flight)]
    pub max_bytes_in_flight: u64,
    /// The same for the readers of one user. A single snapshot may be larger.
    #[arg(long, env = "CAMPAIGN_SYNC_MAX_BYTES_IN_FLIGHT_PER_USER", default_value_t = DEFAULT.max_bytes_in_flight_per_user)]
    pub max_bytes_in_flight_per_user: u64,
    /// REST requests that read the database at one time, and as many for the snapshots and digests of
    /// sockets.
    #[arg(long, env = "CAMPAIGN_SYNC_MAX_READS", default_value_t = DEFAULT.max_reads)]
    pub max_reads: usize,
    /// The same for one user.
    #[arg(long, env = "CAMPAIGN_SYNC_MAX_READS_PER_USER", default_value_t = DEFAULT.max_reads_per_user)]
    pub max_reads_per_user: usize,
    /// Connections without a WebSocket. One more closes the connection that has waited longest for a request.
    #[arg(long, env = "CAMPAIGN_SYNC_MAX_HTTP_CONNECTIONS", default_value_t = DEFAULT.max_http_connections)]
    pub max_http_connections: usize,
}

/// The default limits.
const DEFAULT: Limits = Limits {
    max_bytes_in_flight: 256 * 1024 * 1024,
    max_bytes_in_flight_per_user: 64 * 1024 * 1024,
    max_reads: 8,
    max_reads_per_user: 4,
    max_http_connections: 1_024,
};

impl Default for Limits {
    fn default() -> Self {
        DEFAULT
    }
}

impl Limits {
    /// Each limit with its flag and its allowed range.
    pub fn ranges(&self) -> [(&'static str, u64, (u64, u64)); 5] {
        let megabyte = 1024 * 1024;
        [
            ("max-bytes-in-flight", self.max_bytes_in_flight, (megabyte, 1 << 50)),
            (
                "max-bytes-in-flight-per-user",
                self.max_bytes_in_flight_per_user,
                (megabyte, 1 << 50),
            ),
            ("max-reads", self.max_reads as u64, (1, 64)),
            ("max-reads-per-user", self.max_reads_per_user as u64, (1, 64)),
            ("max-http-connections", self.max_http_connections as u64, (1, 100_000)),
        ]
    }
}

/// Bytes that wait for readers. The present number is a metric.
#[derive(Debug)]
pub struct Budget {
    most: u64,
    used: Gauge,
}

/// Whether so many bytes fit beside the others. A large text must get its turn, so it may be beyond the
/// limit while the others take at most half of it.
const fn fits(others: u64, bytes: u64, most: u64) -> bool {
    others.saturating_add(bytes) <= most || others <= most / 2
}

/// Bytes of a [`Budget`], until it is dropped.
#[derive(Debug)]
pub struct Charge {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.used.dec_by(self.bytes as i64);
    }
}

impl Budget {
    /// A budget of so many bytes, measured by this gauge.
    pub const fn new(most: u64, used: Gauge) -> Self {
        Self { most, used }
    }

    /// Counts bytes that exist already, also beyond the budget.
    pub fn charge(self: &Arc<Self>, bytes: u64) -> Charge {
        self.used.inc_by(bytes as i64);
        Charge { budget: self.clone(), bytes }
    }

    /// Counts bytes if they fit. A text that is larger than the whole budget fits while half of it is free.
    pub fn try_charge(self: &Arc<Self>, bytes: u64) -> Option<Charge> {
        let charge = self.charge(bytes);
        fits(self.used().saturating_sub(bytes), bytes, self.most).then_some(charge)
    }

    /// The present number of bytes.
    pub fn used(&self) -> u64 {
        self.used.get().max(0) as u64
    }

    /// Whether more bytes are counted than fit.
    pub fn is_over(&self) -> bool {
        self.used() > self.most
    }
}

impl Charge {
    /// Corrects the number of bytes.
    pub fn adjust(&mut self, bytes: u64) {
        self.budget.used.inc_by(bytes as i64 - self.bytes as i64);
        self.bytes = bytes;
    }
}

/// Bytes that are counted for as long as anything refers to them, also the buffers of a connection.
#[derive(Debug)]
struct Counted<C> {
    bytes: Bytes,
    _charge: C,
}

impl<C> AsRef<[u8]> for Counted<C> {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The same bytes. The charge is dropped with the last reference to them.
pub fn counted<C: Send + 'static>(bytes: Bytes, charge: C) -> Bytes {
    Bytes::from_owner(Counted { bytes, _charge: charge })
}

/// The part of the capacity that one user takes, over all sessions.
#[derive(Debug)]
pub struct Quota {
    most_bytes: u64,
    in_flight: Mutex<InFlight>,
    requests: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    socket_reads: Arc<Semaphore>,
    heads: Mutex<Bucket>,
}

#[derive(Debug, Default)]
struct InFlight {
    bytes: u64,
    /// The shared texts among them, by address, with the number of readers. Each counts once.
    shared: Vec<(usize, usize)>,
}

/// Bytes of a [`Quota`], until it is dropped.
#[derive(Debug)]
pub struct QuotaCharge {
    quota: Arc<Quota>,
    bytes: u64,
    /// The address of a shared text.
    shared: Option<usize>,
}

impl Drop for QuotaCharge {
    fn drop(&mut self) {
        let mut in_flight = lock(&self.quota.in_flight);
        if let Some(address) = self.shared
            && let Some(at) = in_flight.shared.iter().position(|(of, _)| *of == address)
        {
            in_flight.shared[at].1 -= 1;
            if in_flight.shared[at].1 > 0 {
                return;
            }
            in_flight.shared.swap_remove(at);
        }
        in_flight.bytes -= self.bytes;
    }
}

impl Quota {
    /// The quota of a user.
    pub fn new(limits: &Limits) -> Self {
        let turns = limits.max_reads_per_user;
        Self {
            most_bytes: limits.max_bytes_in_flight_per_user,
            in_flight: Mutex::default(),
            requests: Arc::new(Semaphore::new(turns)),
            waiting: Arc::new(Semaphore::new(turns * (1 + WAITING_PER_TURN))),
            socket_reads: Arc::new(Semaphore::new(turns)),
            heads: Mutex::default(),
        }
    }

    /// Counts bytes that wait for this user, if they fit.
    pub fn try_charge(self: &Arc<Self>, bytes: u64) -> Option<QuotaCharge> {
        let mut in_flight = lock(&self.in_flight);
        if !fits(in_flight.bytes, bytes, self.most_bytes) {
            return None;
        }
        in_flight.bytes += bytes;
        Some(QuotaCharge { quota: self.clone(), bytes, shared: None })
    }

    /// Counts a shared text once for all readers of this user, if it fits.
    pub fn try_share<T>(self: &Arc<Self>, text: &Arc<T>, bytes: u64) -> Option<QuotaCharge> {
        let address = Arc::as_ptr(text).addr();
        let mut in_flight = lock(&self.in_flight);
        if let Some((_, readers)) = in_flight.shared.iter_mut().find(|(of, _)| *of == address) {
            *readers += 1;
        } else if fits(in_flight.bytes, bytes, self.most_bytes) {
            in_flight.shared.push((address, 1));
            in_flight.bytes += bytes;
        } else {
            return None;
        }
        Some(QuotaCharge { quota: self.clone(), bytes, shared: Some(address) })
    }

    /// The turn of a read for a socket, if the user has one left.
    pub fn try_read(&self) -> Option<OwnedSemaphorePermit> {
        self.socket_reads.clone().try_acquire_owned().ok()
    }

    /// Takes so many heads of a `pong`.
    ///
    /// # Errors
    /// The milliseconds to wait.
    pub fn heads(&self, now_ms: u64, heads: usize) -> Result<(), u64> {
        lock(&self.heads).take_many(now_ms, USER_HEADS_PER_SECOND, 4, heads as f64)
    }

    /// The turn of a REST request.
    ///
    /// # Errors
    /// [`LogError::QuotaExceeded`] if too many requests of the user wait, or if it takes too long.
    pub async fn request(&self) -> Result<OwnedSemaphorePermit> {
        let _place = self.waiting.try_acquire().map_err(|_| LogError::QuotaExceeded)?;
        turn(&self.requests).await.ok_or(LogError::QuotaExceeded)
    }
}

/// Waits for a turn; `None` if it takes too long.
pub async fn turn(turns: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    timeout(TURN_TIMEOUT, turns.clone().acquire_owned()).await.ok()?.ok()
}

/// The most bytes of a client's text in a line of the log.
const LOGGED_BYTES_MAX: usize = 256;

/// A client's text for the log: its beginning. The writer of the log escapes control characters.
pub fn logged(text: &str) -> &str {
    &text[..text.floor_char_boundary(LOGGED_BYTES_MAX)]
}
