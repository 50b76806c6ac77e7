//! Every limit and delay of the machine, named with its unit, with its default.

/// Pings that may be unanswered at once; more would only say the same.
pub const PINGS_OUTSTANDING_MAX: usize = 8;

/// How the machine behaves. The defaults are the contract of `docs/PROTOCOL.md`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The driver can provide tokens.
    pub has_token: bool,
    /// The driver can fetch snapshots outside the socket.
    pub has_fetch_snapshot: bool,
    /// Emit structured log records.
    pub log: bool,
    /// Time between pings. Every ping that is answered proves how young the state is.
    pub heartbeat_ms: u64,
    /// A socket that has been silent this long is dead.
    pub dead_link_ms: u64,
    /// A socket must answer within this time after a wake.
    pub probe_ms: u64,
    /// The wall running ahead of the monotonic clock by this much is a wake, and so is a timer that
    /// fires this late.
    pub wake_jump_ms: u64,
    /// State this old is not `live`.
    pub live_age_ms: u64,
    /// A connection attempt may take this long.
    pub open_timeout_ms: u64,
    /// A server that has not acknowledged after this time is tried again on another socket.
    pub negotiation_ms: u64,
    /// Base of the connection backoff.
    pub backoff_base_ms: u64,
    /// Cap of the connection backoff.
    pub backoff_max_ms: u64,
    /// A server that asks for more patience than this is given this much.
    pub retry_after_max_ms: u64,
    /// A connection that lasted this long was a success: backoff starts over.
    pub stable_link_ms: u64,
    /// Refused sessions in a row, each with a fresh token, before giving up.
    pub auth_attempts_max: u32,
    /// A recovery without progress for this long is asked for again.
    pub recovery_deadline_ms: u64,
    /// Requests in a row without progress, within [`Config::retry_window_ms`].
    pub retries_max: usize,
    /// The window of [`Config::retries_max`].
    pub retry_window_ms: u64,
    /// Requests of any kind within [`Config::burst_window_ms`].
    pub burst_max: usize,
    /// The window of [`Config::burst_max`].
    pub burst_window_ms: u64,
    /// The same next event corrupt, or missing from replays, this often: ask for a snapshot.
    pub same_event_failures_max: u32,
    /// Hashes of applied events kept for recognising duplicates.
    pub dedupe_window: usize,
    /// Events held beyond a gap.
    pub held_events_max: usize,
    /// Bytes of events held beyond a gap.
    pub held_bytes_max: usize,
    /// Former epochs whose late events are recognised.
    pub retired_epochs_max: usize,
    /// A campaign that nobody holds any more is kept this long.
    pub linger_ms: u64,
    /// Failed connection attempts after which snapshots are polled.
    pub polling_after_attempts: u32,
    /// Time between polls; jittered by half.
    pub polling_ms: u64,
    /// A fetch by the application may take this long.
    pub fetch_timeout_ms: u64,
    /// Time between obeyed refreshes of one campaign.
    pub refresh_ms: u64,
    /// Applied events between two log records of the sequence's progress.
    pub log_every_events: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            has_token: false,
            has_fetch_snapshot: false,
            log: false,
            heartbeat_ms: 5_000,
            dead_link_ms: 10_000,
            probe_ms: 2_000,
            wake_jump_ms: 2_000,
            live_age_ms: 10_000,
            open_timeout_ms: 10_000,
            negotiation_ms: 3_000,
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
            retired_epochs_max: 8,
            linger_ms: 5_000,
            polling_after_attempts: 3,
            polling_ms: 30_000,
            fetch_timeout_ms: 30_000,
            refresh_ms: 1_000,
            log_every_events: 1_000,
        }
    }
}
