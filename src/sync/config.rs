//! Limits and delays of the machine, with their defaults. Each name carries its unit.

/// Maximum number of unanswered pings that the client remembers. More would add no information.
pub const PINGS_OUTSTANDING_MAX: usize = 8;

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
    /// A socket that receives nothing for this long is dead.
    pub dead_link_ms: u64,
    /// A socket must answer within this time after a wake.
    pub probe_ms: u64,
    /// The page counts as woken if the wall clock runs ahead of the monotonic clock by more than this,
    /// or if a timer fires later than this.
    pub wake_jump_ms: u64,
    /// State whose last proof of freshness is this old is not `live`.
    pub live_age_ms: u64,
    /// Time limit for opening a socket.
    pub open_timeout_ms: u64,
    /// Time limit for the answer of the token provider, and for the renewal of a session.
    pub token_timeout_ms: u64,
    /// Minimum time between two connection attempts that the application requests.
    pub attempt_gap_ms: u64,
    /// Time limit for the first acknowledgement of the server. After it the client tries another socket,
    /// on which it waits twice as long, and then four times.
    pub negotiation_ms: u64,
    /// Number of sockets in a row that name another protocol, after which the client gives up.
    pub other_protocols_max: u32,
    /// Base of the connection backoff.
    pub backoff_base_ms: u64,
    /// Cap of the connection backoff.
    pub backoff_max_ms: u64,
    /// Upper bound of the pause that a server can request. Longer pauses are cut to this.
    pub retry_after_max_ms: u64,
    /// A connection that lasts this long is a success and resets the backoff.
    pub stable_link_ms: u64,
    /// Number of refused sessions in a row, each with a fresh token or renewed, after which the client
    /// gives up.
    pub auth_attempts_max: u32,
    /// A recovery without progress for this long is requested again.
    pub recovery_deadline_ms: u64,
    /// Maximum number of requests in a row without progress, within [`Config::retry_window_ms`].
    pub retries_max: usize,
    /// The window of [`Config::retries_max`].
    pub retry_window_ms: u64,
    /// Maximum number of requests of any kind, within [`Config::burst_window_ms`].
    pub burst_max: usize,
    /// The window of [`Config::burst_max`].
    pub burst_window_ms: u64,
    /// Number of failed deliveries of the same next event (corrupt, or missing from replays) after
    /// which the client requests a snapshot.
    pub same_event_failures_max: u32,
    /// Number of hashes of applied events that are kept to recognise duplicates.
    pub dedupe_window: usize,
    /// Maximum number of events held beyond a gap.
    pub held_events_max: usize,
    /// Maximum size in bytes of the events held beyond a gap.
    pub held_bytes_max: usize,
    /// Number of superseded epochs whose late events are recognised.
    pub superseded_epochs_max: usize,
    /// Time after which a campaign for which the server has no place is subscribed again, if no place
    /// became free earlier.
    pub place_retry_ms: u64,
    /// Time for which a campaign is kept after its last release.
    pub linger_ms: u64,
    /// Number of failed connection attempts after which snapshots are polled.
    pub polling_after_attempts: u32,
    /// Time between polls, jittered by half in either direction.
    pub polling_ms: u64,
    /// Time limit for a fetch by the application.
    pub fetch_timeout_ms: u64,
    /// Minimum time between refreshes of one campaign. Requests in between are ignored.
    pub refresh_ms: u64,
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
            dead_link_ms: 10_000,
            probe_ms: 2_000,
            wake_jump_ms: 2_000,
            live_age_ms: 10_000,
            open_timeout_ms: 10_000,
            token_timeout_ms: 15_000,
            attempt_gap_ms: 500,
            negotiation_ms: 3_000,
            other_protocols_max: 3,
            backoff_base_ms: 500,
            backoff_max_ms: 20_000,
            retry_after_max_ms: 300_000,
            stable_link_ms: 5_000,
            auth_attempts_max: 3,
            recovery_deadline_ms: 10_000,
            retries_max: 10,
            retry_window_ms: 60_000,
            burst_max: 5,
            burst_window_ms: 500,
            same_event_failures_max: 3,
            dedupe_window: 1_024,
            held_events_max: 1_024,
            held_bytes_max: 1024 * 1024,
            superseded_epochs_max: 8,
            place_retry_ms: 30_000,
            linger_ms: 5_000,
            polling_after_attempts: 3,
            polling_ms: 30_000,
            fetch_timeout_ms: 30_000,
            refresh_ms: 1_000,
            log_every_events: 1_000,
        }
    }
}
