//! Limits and delays of the machine: constants, and those that a driver or a test may change. Each name
//! carries its unit.

/// Maximum number of unanswered pings that the client remembers. More would add no information.
pub const PINGS_OUTSTANDING_MAX: usize = 8;

/// A socket that receives nothing for this long is dead.
pub const DEAD_LINK_MS: u64 = 10_000;
/// A socket must answer within this time after a wake.
pub const PROBE_MS: u64 = 2_000;
/// The page counts as woken if the wall clock runs ahead of the monotonic clock by more than this,
/// or if a timer fires later than this.
pub const WAKE_JUMP_MS: u64 = 2_000;
/// State whose last proof of freshness is this old is not `live`.
pub const LIVE_AGE_MS: u64 = 10_000;
/// Time limit for opening a socket.
pub const OPEN_TIMEOUT_MS: u64 = 10_000;
/// Time limit for the answer of the token provider, and for the renewal of a session.
pub const TOKEN_TIMEOUT_MS: u64 = 15_000;
/// Time limit for the first acknowledgement of the server. After it the client tries another socket,
/// on which it waits twice as long, and then four times.
pub const NEGOTIATION_MS: u64 = 3_000;
/// Number of sockets in a row that name another protocol, after which the client gives up.
pub const OTHER_PROTOCOLS_MAX: u32 = 3;
/// Cap of the connection backoff.
pub const BACKOFF_MAX_MS: u64 = 20_000;
/// A connection that lasts this long is a success and resets the backoff.
pub const STABLE_LINK_MS: u64 = 5_000;
/// A recovery without progress for this long is requested again.
pub const RECOVERY_DEADLINE_MS: u64 = 10_000;
/// Maximum number of requests in a row without progress, within [`RETRY_WINDOW_MS`].
pub const RETRIES_MAX: usize = 10;
/// The window of [`RETRIES_MAX`].
pub const RETRY_WINDOW_MS: u64 = 60_000;
/// Maximum number of requests of any kind, within [`BURST_WINDOW_MS`].
pub const BURST_MAX: usize = 5;
/// The window of [`BURST_MAX`].
pub const BURST_WINDOW_MS: u64 = 500;
/// Number of failed deliveries of the same next event (corrupt, or missing from replays) after
/// which the client requests a snapshot.
pub const SAME_EVENT_FAILURES_MAX: u32 = 3;
/// Number of superseded epochs whose late events are recognised.
pub const SUPERSEDED_EPOCHS_MAX: usize = 8;
/// Time after which a campaign for which the server has no place is subscribed again, if no place
/// became free earlier.
pub const PLACE_RETRY_MS: u64 = 30_000;
/// Number of failed connection attempts after which snapshots are polled.
pub const POLLING_AFTER_ATTEMPTS: u32 = 3;
/// Time between polls, jittered by half in either direction.
pub const POLLING_MS: u64 = 30_000;
/// Time limit for a fetch by the application.
pub const FETCH_TIMEOUT_MS: u64 = 30_000;
/// Minimum time between refreshes of one campaign. Requests in between are ignored.
pub const REFRESH_MS: u64 = 1_000;

/// Configuration of the machine. The defaults are the values of docs/PROTOCOL.md.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Whether the driver can provide tokens.
    pub has_token: bool,
    /// Whether the driver can renew a session that the server refused.
    pub has_renewal: bool,
    /// Whether the driver can fetch snapshots outside the socket.
    pub has_fetch_snapshot: bool,
    /// Whether the machine emits structured log records.
    pub log: bool,
    /// Time between pings. Every answered ping proves how fresh the state is.
    pub heartbeat_ms: u64,
    /// Minimum time between two connection attempts that the application requests.
    pub attempt_gap_ms: u64,
    /// Base of the connection backoff.
    pub backoff_base_ms: u64,
    /// Upper bound of the pause that a server can request. Longer pauses are cut to this.
    pub retry_after_max_ms: u64,
    /// Number of refused sessions in a row, each with a fresh token or renewed, after which the client
    /// gives up.
    pub auth_attempts_max: u32,
    /// Number of hashes of applied events that are kept to recognise duplicates.
    pub dedupe_window: usize,
    /// Maximum number of events held beyond a gap.
    pub held_events_max: usize,
    /// Maximum size in bytes of the events held beyond a gap.
    pub held_bytes_max: usize,
    /// Time for which a campaign is kept after its last release.
    pub linger_ms: u64,
    /// Number of applied events between two log records of the sequence's progress.
    pub log_every_events: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            has_token: false,
            has_renewal: false,
            has_fetch_snapshot: false,
            log: false,
            heartbeat_ms: 5_000,
            attempt_gap_ms: 500,
            backoff_base_ms: 500,
            retry_after_max_ms: 300_000,
            auth_attempts_max: 3,
            dedupe_window: 1_024,
            held_events_max: 1_024,
            held_bytes_max: 1024 * 1024,
            linger_ms: 5_000,
            log_every_events: 1_000,
        }
    }
}
