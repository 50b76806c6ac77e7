//! Recovery: one request in flight per campaign, sent again until it is answered in full.
//!
//! ```text
//! Idle ──something missing──▶ Scheduled ──socket open, rate allows──▶ AwaitingAnswer
//!  ▲                             ▲                                     │ event_recovery
//!  │                             │ deadline, loss, socket closed       ▼
//!  └──────position ≥ to──────────┴────────────────── Replaying │ ReceivingSnapshot
//! ```
//!
//! Only this module changes the state. It queues its requests for the server and returns everything
//! else.

use super::cursor::SocketCursor;
use super::failures::DeliveryFailures;
use super::rate::RequestRate;
use crate::protocol::client::{self, Reason, RecoveryRequest};
use crate::protocol::json::RawStr;
use crate::protocol::snapshot::SnapshotPart;
use crate::protocol::{CampaignId, Epoch, Position, SequenceNumber};
use crate::store::Staging;
use crate::sync::context::{Context, RequestId};
use crate::sync::time::{Now, Timestamp};

/// A need for recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecoveryNeed {
    reason: Reason,
    /// Whether only a snapshot helps.
    snapshot: bool,
    /// When the client detected that data is missing.
    since: Timestamp,
    /// The number of requests so far that led to nothing.
    attempts: u32,
}

/// A recovery: what is missing, how far its recovery has come, and when that is due.
#[derive(Clone, Debug)]
struct Ongoing {
    need: RecoveryNeed,
    stage: Stage,
    /// When the request is due, or due again because of missing progress.
    due: Timestamp,
}

/// The stage of a recovery.
#[derive(Clone, Debug)]
enum Stage {
    /// The request is sent when it is due, once a socket is open.
    Scheduled,
    /// The request was sent at `asked`, and the answer has not arrived. The answer proves the state at
    /// a moment after `asked`.
    AwaitingAnswer { request_id: RequestId, asked: Now },
    /// The missed events up to `to` are arriving. `events` of them were applied since the answer.
    Replaying { to: SequenceNumber, events: u64, asked: Now },
    /// The parts of the snapshot at `at` are arriving.
    ReceivingSnapshot { request_id: RequestId, epoch: Epoch, at: SequenceNumber },
}

impl Ongoing {
    const fn new(reason: Reason, snapshot: bool, now: Timestamp) -> Self {
        let need = RecoveryNeed { reason, snapshot, since: now, attempts: 0 };
        Self { need, stage: Stage::Scheduled, due: now }
    }

    const fn is_scheduled(&self) -> bool {
        matches!(self.stage, Stage::Scheduled)
    }

    /// Schedules the request again.
    fn reschedule(&mut self, due: Timestamp) {
        self.stage = Stage::Scheduled;
        self.due = due;
    }

    /// Schedules the request again, because it led to nothing.
    fn retry(&mut self, due: Timestamp) {
        self.need.attempts += 1;
        self.reschedule(due);
    }
}

impl RecoveryNeed {
    /// The reason, and the time since which data is missing.
    pub(super) fn origin(self) -> (&'static str, Timestamp) {
        (self.reason.as_str(), self.since)
    }
}

/// The recovery of one campaign: the request, the cursor of the socket, the rate limit and the failed
/// deliveries.
#[derive(Clone, Debug, Default)]
pub struct Recovery {
    /// `None` while nothing is known to be missing.
    ongoing: Option<Ongoing>,
    cursor: SocketCursor,
    rate: RequestRate,
    failures: DeliveryFailures,
}

/// A replay that is complete.
#[derive(Clone, Copy, Debug)]
pub(super) struct FinishedReplay {
    pub(super) need: RecoveryNeed,
    pub(super) events: u64,
    /// When the replay was requested.
    pub(super) asked: Now,
}

/// The state of the campaign that a request contains.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestTarget<'a> {
    pub(super) campaign_id: &'a CampaignId,
    pub(super) position: Option<&'a Position>,
    /// The download that the server may resume.
    pub(super) staging: Option<&'a Staging>,
}

impl Recovery {
    /// Whether nothing is known to be missing.
    pub const fn is_idle(&self) -> bool {
        self.ongoing.is_none()
    }

    /// Whether the missed events are arriving.
    pub(super) const fn is_replaying(&self) -> bool {
        matches!(self.stage(), Some(Stage::Replaying { .. }))
    }

    /// The name of the state, for diagnostics and tests.
    pub const fn state_name(&self) -> &'static str {
        match self.stage() {
            None => "idle",
            Some(Stage::Scheduled) => "scheduled",
            Some(Stage::AwaitingAnswer { .. }) => "awaiting_answer",
            Some(Stage::Replaying { .. }) => "replaying",
            Some(Stage::ReceivingSnapshot { .. }) => "receiving_snapshot",
        }
    }

    const fn stage(&self) -> Option<&Stage> {
        match &self.ongoing {
            Some(ongoing) => Some(&ongoing.stage),
            None => None,
        }
    }

    /// The time of the next action.
    pub(super) fn deadline(&self) -> Timestamp {
        self.ongoing.as_ref().map_or(Timestamp::NEVER, |it| it.due)
    }

    /// Whether the request with this id awaits its answer. A document without a request id answers any
    /// request.
    pub(super) fn awaits_answer(&self, answered: Option<RawStr<'_>>) -> bool {
        matches!(self.stage(), Some(Stage::AwaitingAnswer { request_id, .. })
            if answered.is_none_or(|id| request_id.is(id)))
    }

    /// Whether snapshot parts of that request are expected.
    pub(super) fn receives_snapshot_of(&self, request: Option<RawStr<'_>>) -> bool {
        matches!(self.stage(), Some(Stage::ReceivingSnapshot { request_id, .. })
            if request.is_none_or(|id| request_id.is(id)))
    }

    /// Whether this part belongs to the snapshot that is arriving.
    pub(super) fn expects(&self, part: &SnapshotPart<'_>) -> bool {
        self.receives_snapshot_of(part.request_id)
            && matches!(self.stage(), Some(Stage::ReceivingSnapshot { epoch, at, .. })
                if part.epoch == *epoch && part.sequence_number == *at)
    }

    /// Whether a snapshot of that epoch is arriving.
    pub(super) fn receives_epoch(&self, wanted: &str) -> bool {
        matches!(self.stage(), Some(Stage::ReceivingSnapshot { epoch, .. }) if epoch.is(wanted))
    }

    /// Handles a new socket: schedules a request for the events since the position, or for data that
    /// was already needed.
    pub(super) fn on_open(&mut self, now: Timestamp, has_position: bool) {
        self.cursor = SocketCursor::default();
        let reason = if has_position { Reason::Reconnect } else { Reason::Connect };
        let ongoing = self.ongoing.get_or_insert_with(|| Ongoing::new(reason, false, now));
        ongoing.need.reason = reason;
        ongoing.reschedule(now);
    }

    /// Schedules the request in flight again, because it will not complete: the socket closed, or it
    /// cannot complete for another reason.
    pub(super) fn requeue_in_flight(&mut self, now: Timestamp) {
        if let Some(ongoing) = self.ongoing.as_mut().filter(|it| !it.is_scheduled()) {
            ongoing.reschedule(now);
        }
    }

    /// Requests missing data, unless that is already done.
    pub(super) fn request(&mut self, now: Timestamp, reason: Reason, snapshot: bool) {
        let ongoing = self.ongoing.get_or_insert_with(|| Ongoing::new(reason, snapshot, now));
        if snapshot && !ongoing.need.snapshot {
            ongoing.need.snapshot = true;
            if !ongoing.is_scheduled() {
                ongoing.need.reason = reason;
                ongoing.reschedule(now);
            }
        }
    }

    /// Repeats the request in flight at once, because it cannot complete. `next` is the event that did
    /// not arrive intact; after some failures only a snapshot helps.
    pub(super) fn retry_now(&mut self, cx: &mut Context, next: SequenceNumber) {
        let Some(ongoing) = &mut self.ongoing else { return };
        if !ongoing.need.snapshot {
            ongoing.need.snapshot = self.failures.record(next);
        }
        cx.metrics.retries += 1;
        ongoing.retry(cx.now.at);
    }

    /// Repeats the request in flight after a delay. This does not count as a failed delivery, because
    /// nothing shows that the event was sent and damaged.
    pub(super) fn retry_with_backoff(&mut self, cx: &mut Context) {
        let Some(ongoing) = &mut self.ongoing else { return };
        let delay = cx.backoff_ms(ongoing.need.attempts);
        cx.metrics.retries += 1;
        ongoing.retry(cx.now.at + delay);
    }

    /// Repeats the request in flight after the pause that the server requested.
    pub(super) fn postpone(&mut self, cx: &mut Context, retry_after_ms: u64) {
        let Some(ongoing) = &mut self.ongoing else { return };
        ongoing.retry(cx.retry_at(retry_after_ms));
    }

    /// Requests the next event again, because it did not arrive as it was sent. The third failure
    /// requests a snapshot instead. Returns whether a request has become due.
    pub(super) fn retry_current(&mut self, cx: &mut Context, next: SequenceNumber) -> bool {
        match self.stage() {
            None => {
                let snapshot = self.failures.record(next);
                self.request(cx.now.at, Reason::Hash, snapshot);
                true
            }
            // The answer to the pending request brings the event again.
            Some(Stage::Scheduled | Stage::AwaitingAnswer { .. }) => false,
            Some(Stage::Replaying { .. } | Stage::ReceivingSnapshot { .. }) => {
                self.retry_now(cx, next);
                true
            }
        }
    }

    /// Handles a gap: a number before `received` did not arrive. `next` is the missing number. Returns
    /// whether a request has become due.
    pub(super) fn on_gap(
        &mut self,
        cx: &mut Context,
        received: SequenceNumber,
        next: SequenceNumber,
    ) -> bool {
        let lost = match self.stage() {
            None => {
                self.request(cx.now.at, Reason::Gap, false);
                return true;
            }
            Some(Stage::Scheduled | Stage::AwaitingAnswer { .. }) => false,
            // From the answer on, a correct socket carries every number without a hole.
            Some(Stage::Replaying { .. }) => self.cursor.is_gap(received),
            Some(Stage::ReceivingSnapshot { at, .. }) => received > *at,
        };
        if lost {
            self.retry_now(cx, next);
        }
        lost
    }

    /// Requests a snapshot, because the answer does not help. The client accepts no partial replay, and
    /// no replay where only a snapshot helps.
    pub(super) fn require_snapshot(&mut self, now: Timestamp) {
        let Some(ongoing) = &mut self.ongoing else { return };
        ongoing.need.snapshot = true;
        ongoing.retry(now);
    }

    /// Whether only a snapshot helps.
    pub(super) fn needs_snapshot(&self) -> bool {
        self.ongoing.as_ref().is_some_and(|it| it.need.snapshot)
    }

    /// Begins the replay of `from` to `to`.
    pub(super) fn begin_replay(&mut self, cx: &Context, from: SequenceNumber, to: SequenceNumber) {
        let Some(Ongoing { stage, due, .. }) = &mut self.ongoing else { return };
        let Stage::AwaitingAnswer { asked, .. } = *stage else { return };
        self.cursor = SocketCursor::new(from, to);
        *stage = Stage::Replaying { to, events: 0, asked };
        *due = cx.request_deadline();
    }

    /// Begins to receive the snapshot at `at`, which arrives in parts.
    pub(super) fn begin_snapshot(&mut self, cx: &Context, epoch: Epoch, at: SequenceNumber) {
        let Some(Ongoing { stage, due, .. }) = &mut self.ongoing else { return };
        let Stage::AwaitingAnswer { request_id, .. } = *stage else { return };
        self.cursor = SocketCursor::new(at.next(), at);
        *stage = Stage::ReceivingSnapshot { request_id, epoch, at };
        *due = cx.request_deadline();
    }

    /// Completes the replay if its last event has been applied.
    pub(super) fn finish_replay(&mut self, applied: SequenceNumber) -> Option<FinishedReplay> {
        let Some(Ongoing { need, stage, .. }) = &self.ongoing else { return None };
        let Stage::Replaying { to, events, asked } = *stage else { return None };
        if applied < to {
            return None;
        }
        let finished = FinishedReplay { need: *need, events, asked };
        self.ongoing = None;
        Some(finished)
    }

    /// Completes the recovery, because the snapshot is installed.
    pub(super) fn finish_snapshot(&mut self) -> Option<RecoveryNeed> {
        self.ongoing.take().map(|it| it.need)
    }

    /// Records an applied event.
    pub(super) fn on_applied(&mut self, cx: &Context) {
        self.rate.note_progress();
        self.extend(cx);
        if let Some(Ongoing { stage: Stage::Replaying { events, .. }, .. }) = &mut self.ongoing {
            *events += 1;
        }
    }

    /// Records a staged part of the snapshot.
    pub(super) fn on_part(&mut self, cx: &Context) {
        self.extend(cx);
        self.rate.note_progress();
    }

    /// Moves the deadline after progress. An event that arrives before the answer does not move it.
    pub(super) fn extend(&mut self, cx: &Context) {
        let Some(Ongoing { stage, due, .. }) = &mut self.ongoing else { return };
        if matches!(stage, Stage::Replaying { .. } | Stage::ReceivingSnapshot { .. }) {
            *due = cx.request_deadline();
        }
    }

    /// Forgets what is missing, and keeps the rate limit.
    pub(super) fn forget(&mut self) {
        let rate = core::mem::take(&mut self.rate);
        *self = Self { rate, ..Self::default() };
    }

    /// Resets the failure count. The state was replaced, so earlier failures do not apply to it.
    pub(super) fn clear_failures(&mut self) {
        self.failures = DeliveryFailures::default();
    }

    /// Records that the socket carried `number`. Returns whether it belongs to a replay.
    pub(super) fn observe(&mut self, number: SequenceNumber) -> bool {
        self.cursor.observe(number)
    }

    /// The number that the socket must carry next.
    pub(super) const fn next_expected(&self) -> SequenceNumber {
        self.cursor.next()
    }

    /// Whether `number` can only arrive if an earlier number was lost on this socket.
    pub(super) fn is_gap(&self, number: SequenceNumber) -> bool {
        self.cursor.is_gap(number)
    }

    /// Handles the deadline if it has passed. Returns whether a request has become due.
    pub(super) fn on_deadline(&mut self, cx: &mut Context) -> bool {
        if self.deadline() > cx.now.at {
            return false;
        }
        if self.ongoing.as_ref().is_some_and(|it| !it.is_scheduled()) {
            self.retry_with_backoff(cx);
        }
        true
    }

    /// Sends the request if it is due and the rate allows it. Returns its reason if it was sent.
    pub(super) fn send_due(
        &mut self,
        cx: &mut Context,
        target: RequestTarget<'_>,
    ) -> Option<Reason> {
        let Ongoing { need, stage, due } = self.ongoing.as_mut()?;
        if !matches!(stage, Stage::Scheduled) || *due > cx.now.at {
            return None;
        }
        *due = self.rate.allowed_at(cx.now.at);
        if *due > cx.now.at {
            return None;
        }
        self.rate.note_sent(cx.now.at);
        let request_id = cx.request_id();
        let resume = target.staging.map(Staging::resume);
        cx.send(client::request_event_recovery(&RecoveryRequest {
            campaign_id: target.campaign_id,
            position: target.position,
            request_id: &request_id.text(),
            reason: need.reason,
            prefer_snapshot: need.snapshot,
            resume: resume.as_ref(),
        }));
        cx.metrics.recovery_requests.count(need.reason);
        *stage = Stage::AwaitingAnswer { request_id, asked: cx.now };
        *due = cx.request_deadline();
        Some(need.reason)
    }
}
