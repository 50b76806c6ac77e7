//! Timeouts and rate limits of a connection.

use campaign_sync::protocol::digest::id_hash;
use clap::Args;

/// The longest delay of a retry.
const BACKOFF_MAX_MS: u64 = 20_000;

/// Delivery, and the limits of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub struct Delivery {
    /// Attempts to send or read again before the connection is closed.
    #[arg(long, env = "CAMPAIGN_SYNC_MAX_RETRY_ATTEMPTS", default_value_t = DEFAULT.max_retry_attempts)]
    pub max_retry_attempts: u32,
    /// Delay before the first of these attempts, in milliseconds; it doubles each time, with a random spread
    /// of half in both directions.
    #[arg(long, env = "CAMPAIGN_SYNC_RETRY_BACKOFF_MS", default_value_t = DEFAULT.retry_backoff_ms)]
    pub retry_backoff_ms: u64,
    /// Silence of a client after which its connection is closed, in milliseconds.
    #[arg(long, env = "CAMPAIGN_SYNC_IDLE_TIMEOUT_MS", default_value_t = DEFAULT.idle_timeout_ms)]
    pub idle_timeout_ms: u64,
    /// Recovery requests and queries of the state per second, campaign and connection, after a burst of four
    /// seconds' worth.
    #[arg(long, env = "CAMPAIGN_SYNC_RECOVERIES_PER_SECOND", default_value_t = DEFAULT.recoveries_per_second)]
    pub recoveries_per_second: u32,
    /// The same per session, over all its campaigns and connections, after a burst of ten seconds' worth; per
    /// connection if nobody logs in.
    #[arg(long, env = "CAMPAIGN_SYNC_SESSION_RECOVERIES_PER_SECOND", default_value_t = DEFAULT.session_recoveries_per_second)]
    pub session_recoveries_per_second: u32,
    /// Messages per second and connection, after a burst of ten seconds' worth.
    #[arg(long, env = "CAMPAIGN_SYNC_MESSAGES_PER_SECOND", default_value_t = DEFAULT.messages_per_second)]
    pub messages_per_second: u32,
    /// Connections of one session at a time.
    #[arg(long, env = "CAMPAIGN_SYNC_MAX_CONNECTIONS_PER_SESSION", default_value_t = DEFAULT.max_connections_per_session)]
    pub max_connections_per_session: usize,
    /// Subscriptions per connection.
    #[arg(long, env = "CAMPAIGN_SYNC_MAX_SUBSCRIPTIONS", default_value_t = DEFAULT.max_subscriptions)]
    pub max_subscriptions: usize,
}

/// The default limits.
const DEFAULT: Delivery = Delivery {
    max_retry_attempts: 7,
    retry_backoff_ms: 500,
    idle_timeout_ms: 30_000,
    recoveries_per_second: 10,
    session_recoveries_per_second: 100,
    messages_per_second: 200,
    max_connections_per_session: 64,
    max_subscriptions: 256,
};

impl Default for Delivery {
    fn default() -> Self {
        DEFAULT
    }
}

impl Delivery {
    /// The delay before attempt `attempt`, from 0, in milliseconds. It doubles each time and varies from half
    /// to one and a half of that, differently for every `who`.
    pub fn backoff_ms(&self, attempt: u32, who: &str) -> u64 {
        let doubled = self.retry_backoff_ms.saturating_mul(1 << attempt.min(20));
        let whole = doubled.min(BACKOFF_MAX_MS);
        whole / 2 + id_hash(&format!("{who} {attempt}")) % whole.max(1)
    }
}

/// The time after which a step that the server is too busy for is tried again, in milliseconds.
const BUSY_RETRY_MS: u64 = 200;

/// The longest wait of such a step. Then it is refused.
const BUSY_TIMEOUT_MS: u64 = 5_000;

/// A step that waits while the server is busy.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Postponed {
    since_ms: Option<u64>,
    until_ms: u64,
}

impl Postponed {
    /// Waits until then.
    pub(super) fn wait_until(&mut self, now_ms: u64, until_ms: u64) {
        self.since_ms.get_or_insert(now_ms);
        self.until_ms = until_ms;
    }

    /// Waits a little. Returns false if the step has waited too long.
    pub(super) fn wait(&mut self, now_ms: u64) -> bool {
        let since_ms = *self.since_ms.get_or_insert(now_ms);
        self.until_ms = now_ms + BUSY_RETRY_MS;
        now_ms < since_ms + BUSY_TIMEOUT_MS
    }

    /// When to try again, if the step waits.
    pub(super) fn due_ms(&self) -> Option<u64> {
        self.since_ms.map(|_| self.until_ms)
    }

    /// Whether the step must wait longer.
    pub(super) fn is_waiting(&self, now_ms: u64) -> bool {
        self.due_ms().is_some_and(|due_ms| now_ms < due_ms)
    }
}

/// A token bucket.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    tokens: f64,
    filled_ms: u64,
}

impl Default for Bucket {
    /// A full bucket. [`Bucket::take`] applies its capacity.
    fn default() -> Self {
        Self { tokens: f64::INFINITY, filled_ms: 0 }
    }
}

impl Bucket {
    /// Takes one token. Tokens are added at the given rate, and the bucket holds `kept` seconds' worth of
    /// them.
    ///
    /// # Errors
    /// The milliseconds until the next token.
    pub fn take(&mut self, now_ms: u64, per_second: impl Into<f64>, kept: u32) -> Result<(), u64> {
        self.take_many(now_ms, per_second, kept, 1.0)
    }

    /// Takes that many tokens, or all of a full bucket if it holds fewer.
    ///
    /// # Errors
    /// The milliseconds until there are enough tokens.
    pub fn take_many(
        &mut self,
        now_ms: u64,
        per_second: impl Into<f64>,
        kept: u32,
        tokens: f64,
    ) -> Result<(), u64> {
        let per_second = per_second.into();
        let (rate, most) = (per_second / 1_000.0, per_second * f64::from(kept));
        let passed = now_ms.saturating_sub(self.filled_ms) as f64;
        self.tokens = (self.tokens + passed * rate).min(most);
        self.filled_ms = now_ms.max(self.filled_ms);
        let tokens = tokens.min(most);
        if self.tokens < tokens {
            return Err(((tokens - self.tokens) / rate).ceil() as u64);
        }
        self.tokens -= tokens;
        Ok(())
    }
}
