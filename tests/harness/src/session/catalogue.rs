//! The subscription to the catalogue: one cursor over the feed of the user.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::context::PollContext;
use super::limits::Postponed;
use super::{Frame, Step, reply};
use crate::campaign::BUSY_RETRY_MS;
use crate::capacity::QuotaCharge;
use crate::catalogue::{Feed, Parts, Position};
use crate::clock::Moment;
use crate::hub::Hub;
use crate::log::{LogError, Result};

/// The least time between a change and what was sent of its campaigns before, in milliseconds (R20.10).
const CHANGE_INTERVAL_MS: u64 = 1_000;

/// Parts of more bytes than this are kept only while somebody reads them.
const KEPT_BYTES_MAX: u64 = 256 * 1024;

/// The subscription of a connection to the catalogue.
#[derive(Debug)]
pub(super) struct CatalogueCursor {
    feed: Arc<Feed>,
    wake: Arc<Notify>,
    /// The number that was written last.
    written: u64,
    download: Option<Download>,
    /// When campaigns were sent last, in an answer or a change.
    sent_ms: Option<u64>,
    /// A change that does not fit in the quota of the user.
    postponed: Postponed,
}

/// Parts that are being written.
#[derive(Debug)]
struct Download {
    parts: Arc<Parts>,
    next: usize,
    request: Option<String>,
    is_answer: bool,
    /// The revocations before the parts were built.
    revocations: u64,
    _charge: QuotaCharge,
}

impl CatalogueCursor {
    pub(super) fn new(feed: Arc<Feed>, wake: Arc<Notify>) -> Self {
        feed.follow(&wake);
        let postponed = Postponed::default();
        Self { feed, wake, written: 0, download: None, sent_ms: None, postponed }
    }

    /// Whether anything was written whole.
    pub(super) const fn has_written(&self) -> bool {
        self.written > 0
    }

    /// Begins to write what leads from this position to the present list.
    pub(super) fn begin(
        &mut self,
        at: PollContext<'_>,
        from: Option<&Position>,
        (request, is_answer): (Option<String>, bool),
    ) -> Result<()> {
        self.download = None;
        if is_answer {
            self.feed.step_at_once(at.now);
        } else {
            self.feed.step_leaving(at.now);
        }
        let revocations = self.feed.revocations();
        let parts = self.feed.parts(from, at.context.hub.in_flight());
        let charge = at.quota.try_share(&parts, parts.bytes()).ok_or(LogError::QuotaExceeded)?;
        self.download =
            Some(Download { parts, next: 0, request, is_answer, revocations, _charge: charge });
        Ok(())
    }

    fn position(&self) -> Position {
        Position { epoch: self.feed.epoch().to_owned(), number: self.written }
    }

    /// When campaigns may be sent again.
    fn again_ms(&self) -> u64 {
        self.sent_ms.map_or(0, |at| at + CHANGE_INTERVAL_MS)
    }

    /// When the next change is due, if one is pending.
    pub(super) fn deadline_ms(&self) -> Option<u64> {
        if let Some(due_ms) = self.postponed.due_ms() {
            return Some(due_ms);
        }
        let due_ms = self.feed.due_ms(self.written, self.again_ms());
        due_ms.filter(|_| self.download.is_none())
    }

    /// Whether the next change can be written now. Gives pending changes a number if it is time.
    fn is_due(&self, now: Moment) -> bool {
        let now_ms = now.monotonic_ms;
        let is_past = |due_ms: Option<u64>| due_ms.is_some_and(|due_ms| due_ms <= now_ms);
        if !is_past(self.deadline_ms()) {
            return false;
        }
        if now_ms < self.again_ms() {
            self.feed.step_leaving(now);
        } else {
            self.feed.step(now);
        }
        let (number, due_ms) =
            (self.feed.number(), self.feed.due_ms(self.written, self.again_ms()));
        number > self.written && is_past(due_ms)
    }

    /// The next frame.
    pub(super) fn poll(&mut self, at: PollContext<'_>) -> Result<Step> {
        let now_ms = at.now.monotonic_ms;
        if self.download.is_none() {
            if !self.is_due(at.now) {
                return Ok(Step::Idle);
            }
            match self.begin(at, Some(&self.position()), (None, false)) {
                Ok(()) => self.postponed = Postponed::default(),
                Err(LogError::QuotaExceeded) => {
                    self.postponed.wait_until(now_ms, now_ms + BUSY_RETRY_MS);
                    return Ok(Step::Idle);
                }
                Err(error) => return Err(error),
            }
        }
        self.restart_after_revocation(at)?;
        let Some(download) = &mut self.download else { return Ok(Step::Idle) };
        let data = download.parts.data(download.next, download.request.as_deref());
        download.next += 1;
        if download.next == download.parts.len() {
            self.written = download.parts.number;
            if download.parts.has_campaigns() {
                self.sent_ms = Some(now_ms);
            }
            if download.parts.bytes() > KEPT_BYTES_MAX {
                self.feed.drop_texts();
            }
            self.download = None;
        }
        Ok(Step::Frame(Frame::control(reply::message_around(at.now, "catalogue", data))))
    }

    /// Begins again if a campaign was given to another user since the parts were built: its summary must not
    /// be written any more.
    fn restart_after_revocation(&mut self, at: PollContext<'_>) -> Result<()> {
        let revocations = self.feed.revocations();
        let Some(download) = self.download.take_if(|it| it.revocations != revocations) else {
            return Ok(());
        };
        let from = download.parts.base().map(|_| self.position());
        self.begin(at, from.as_ref(), (download.request, download.is_answer))
    }

    /// The end of the feed as a `pong` states it; `None` while parts remain to be written.
    pub(super) fn head(&self, now: Moment) -> Option<Value> {
        if self.download.is_some() {
            return None;
        }
        let lag_ms = self.feed.lag_ms(now.monotonic_ms, self.written);
        Some(json!({
            "epoch": self.feed.epoch(),
            "lastSequenceNumber": self.written,
            "lagMs": lag_ms,
        }))
    }

    /// Ends the subscription.
    pub(super) fn end(&self, now_ms: u64) {
        self.feed.unfollow(&self.wake, now_ms);
    }
}

/// Whether a server over this log has the profile. Summaries are not sealed.
pub(super) fn is_offered(hub: &Hub) -> bool {
    hub.log().keys().is_none()
}
