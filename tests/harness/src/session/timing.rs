//! The timers of a connection: greeting, ping, heartbeat, expiry, retry.

use crate::clock::Moment;
use crate::log::LogError;

use super::catalogue::CatalogueCursor;
use super::cursor::Cursor;
use super::{Session, Step, reply};

/// The timeout for `connection_init`.
const GREETING_MS: u64 = 10_000;

impl Session {
    /// When to call [`Session::poll`] again without any event, on the monotonic clock.
    pub fn timeout_ms(&self) -> u64 {
        let own = if let Some(identity) = &self.identity {
            let expires_ms = identity.expires_ms().unwrap_or(u64::MAX);
            (self.sent_ms + self.context.heartbeat_ms)
                .min(self.ping_due_ms())
                .min(self.gone_ms())
                .min(expires_ms)
        } else {
            self.opened_ms + GREETING_MS
        };
        let retry = self.retry_ms.or_else(|| self.postponed.due_ms()).unwrap_or(u64::MAX);
        let catalogue = self.catalogue.as_ref().and_then(CatalogueCursor::deadline_ms);
        let retry = retry.min(catalogue.unwrap_or(u64::MAX));
        self.cursors.iter().filter_map(Cursor::deadline_ms).fold(own.min(retry), u64::min)
    }

    /// Ends a connection whose user session is over. Waiting requests get no answer.
    pub(super) fn expire(&mut self, now: Moment) {
        if self.has_ended(now) && !self.expired {
            self.expired = true;
            self.retry_ms = None;
            self.release();
            self.requests.clear();
            self.end(reply::session_expired(now), 4401, "session expired");
        }
    }

    /// Ends all subscriptions, and frees what they hold.
    pub fn release(&mut self) {
        while let Some(cursor) = self.cursors.pop() {
            self.on_unsubscribed(&cursor.campaign);
        }
        self.unsubscribe_catalogue(self.sent_ms);
    }

    pub(super) fn when_idle(&mut self, now: Moment) -> Step {
        let now_ms = now.monotonic_ms;
        if self.identity.is_none() {
            let late = now_ms >= self.opened_ms + GREETING_MS;
            return if late { Step::Close(4408, "no connection_init") } else { Step::Idle };
        }
        // A busy session is not read, so its silence proves nothing.
        if now_ms >= self.gone_ms() && !self.is_busy() {
            return Step::Close(4408, "nothing heard");
        }
        if now_ms >= self.ping_due_ms() {
            self.pinged_ms = now_ms;
            return Step::Ping;
        }
        if now_ms >= self.sent_ms + self.context.heartbeat_ms {
            return Step::Frame(self.pong(now, None));
        }
        Step::Idle
    }

    /// Handles a failed read of the log. No frame was sent and no cursor moved, so the same step is retried
    /// later. After too many failures the connection closes.
    pub(super) fn after_failure(&mut self, now: Moment, error: &LogError) -> Step {
        let delivery = self.context.delivery;
        tracing::warn!(
            event = "session_failed", connection = self.id, attempt = self.failures, %error
        );
        if self.failures >= delivery.max_retry_attempts {
            return Step::Close(1011, "internal");
        }
        self.metrics().retries.get_or_create(&[("what", "read")]).inc();
        let delay = delivery.backoff_ms(self.failures, &self.id);
        self.failures += 1;
        self.retry_ms = Some(now.monotonic_ms + delay);
        Step::Idle
    }

    /// When to ping a silent client.
    pub(super) fn ping_due_ms(&self) -> u64 {
        self.last_received_ms.max(self.pinged_ms) + self.context.delivery.idle_timeout_ms / 3
    }

    /// When a silent client counts as gone.
    pub(super) fn gone_ms(&self) -> u64 {
        self.last_received_ms + self.context.delivery.idle_timeout_ms
    }
}
