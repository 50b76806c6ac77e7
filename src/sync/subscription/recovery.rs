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
use crate::sync::backoff::full_jitter_ms;
use crate::sync::context::{Context, RequestId};
use crate::sync::log::{Level, LogFields};
use crate::sync::notice::Notice;
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

/// The state of a recovery.
#[derive(Clone, Debug, Default)]
enum State {
    /// Nothing is known to be missing.
    #[default]
    Idle,
    /// The request is due at `at`, once a socket is open.
    Scheduled { need: RecoveryNeed, at: Timestamp },
    /// The request was sent at `asked`, and the answer has not arrived. The answer proves the state at
    /// a moment after `asked`. The request is repeated at `deadline`.
    AwaitingAnswer { need: RecoveryNeed, request_id: RequestId, asked: Now, deadline: Timestamp },
    /// The missed events up to `to` are arriving. `events` of them were applied since the answer.
    Replaying {
        need: RecoveryNeed,
        to: SequenceNumber,
        events: u64,
        asked: Now,
        deadline: Timestamp,
    },
    /// The parts of the snapshot at `at` are arriving.
    ReceivingSnapshot {
        need: RecoveryNeed,
        request_id: RequestId,
        epoch: Epoch,
        at: SequenceNumber,
        deadline: Timestamp,
    },
}

impl RecoveryNeed {
    /// The reason, and the time since which data is missing.
    pub(super) const fn origin(self) -> (&'static str, Timestamp) {
        (self.reason.as_str(), self.since)
    }
}

/// The recovery of one campaign: the request, the cursor of the socket, the rate limit and the failed
/// deliveries.
#[derive(Clone, Debug, Default)]
pub struct Recovery {
    state: State,
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
        matches!(self.state, State::Idle)
    }

    /// Whether the missed events are arriving.
    pub(super) const fn is_replaying(&self) -> bool {
        matches!(self.state, State::Replaying { .. })
    }

    /// The name of the state, for diagnostics and tests.
    pub const fn state_name(&self) -> &'static str {
        match self.state {
            State::Idle => "idle",
            State::Scheduled { .. } => "scheduled",
            State::AwaitingAnswer { .. } => "awaiting_answer",
            State::Replaying { .. } => "replaying",
            State::ReceivingSnapshot { .. } => "receiving_snapshot",
        }
    }

    /// The time of the next action.
    pub(super) const fn deadline(&self) -> Timestamp {
        match &self.state {
            State::Idle => Timestamp::NEVER,
            State::Scheduled { at, .. } => *at,
            State::AwaitingAnswer { deadline, .. }
            | State::Replaying { deadline, .. }
            | State::ReceivingSnapshot { deadline, .. } => *deadline,
        }
    }

    /// Whether the request with this id awaits its answer. A document without a request id answers any
    /// request.
    pub(super) fn awaits_answer(&self, answered: Option<RawStr<'_>>) -> bool {
        matches!(&self.state, State::AwaitingAnswer { request_id, .. }
            if answered.is_none_or(|id| request_id.is(id)))
    }

    /// Whether snapshot parts of that request are expected.
    pub(super) fn receives_snapshot_of(&self, request: Option<RawStr<'_>>) -> bool {
        matches!(&self.state, State::ReceivingSnapshot { request_id, .. }
            if request.is_none_or(|id| request_id.is(id)))
    }

    /// Whether this part belongs to the snapshot that is arriving.
    pub(super) fn expects(&self, part: &SnapshotPart<'_>) -> bool {
        self.receives_snapshot_of(part.request_id)
            && matches!(&self.state, State::ReceivingSnapshot { epoch, at, .. }
                if part.epoch == *epoch && part.sequence_number == *at)
    }

    /// Whether a snapshot of that epoch is arriving.
    pub(super) fn receives_epoch(&self, wanted: &str) -> bool {
        matches!(&self.state, State::ReceivingSnapshot { epoch, .. } if epoch.is(wanted))
    }

    /// Handles a new socket: schedules a request for the events since the position, or for data that
    /// was already needed.
    pub(super) fn on_open(&mut self, now: Timestamp, has_position: bool) {
        self.cursor = SocketCursor::default();
        let reason = if has_position { Reason::Reconnect } else { Reason::Connect };
        let (snapshot, since, attempts) = match self.need() {
            Some(need) => (need.snapshot, need.since, need.attempts),
            None => (false, now, 0),
        };
        self.schedule(RecoveryNeed { reason, snapshot, since, attempts }, now);
    }

    /// Schedules the request in flight again, because it will not complete: the socket closed, or it
    /// cannot complete for another reason.
    pub(super) fn requeue_in_flight(&mut self, now: Timestamp) {
        let in_flight = match &self.state {
            State::Idle | State::Scheduled { .. } => None,
            State::AwaitingAnswer { need, .. }
            | State::Replaying { need, .. }
            | State::ReceivingSnapshot { need, .. } => Some(*need),
        };
        if let Some(need) = in_flight {
            self.schedule(need, now);
        }
    }

    /// Requests missing data, unless that is already done.
    pub(super) fn request(&mut self, now: Timestamp, reason: Reason, snapshot: bool) {
        match &mut self.state {
            State::Idle => {
                self.schedule(RecoveryNeed { reason, snapshot, since: now, attempts: 0 }, now);
            }
            State::Scheduled { need, .. } => need.snapshot |= snapshot,
            State::AwaitingAnswer { need, .. }
            | State::Replaying { need, .. }
            | State::ReceivingSnapshot { need, .. } => {
                if snapshot && !need.snapshot {
                    let need = RecoveryNeed { reason, snapshot, ..*need };
                    self.schedule(need, now);
                }
            }
        }
    }

    /// Repeats the request in flight at once, because it cannot complete. `next` is the event that did
    /// not arrive intact; after some failures only a snapshot helps.
    pub(super) fn retry_now(&mut self, cx: &mut Context, next: SequenceNumber) {
        let Some(need) = self.need() else { return };
        let snapshot = need.snapshot || self.failures.record(&cx.config, next);
        cx.metrics.retries += 1;
        let need = RecoveryNeed { attempts: need.attempts + 1, snapshot, ..need };
        self.schedule(need, cx.now.at);
    }

    /// Repeats the request in flight after a delay. This does not count as a failed delivery, because
    /// nothing shows that the event was sent and damaged.
    pub(super) fn retry_with_backoff(&mut self, cx: &mut Context) {
        let Some(need) = self.need() else { return };
        let (base, max) = (cx.config.backoff_base_ms, cx.config.backoff_max_ms);
        let delay = full_jitter_ms(&mut cx.rng, base, max, need.attempts);
        cx.metrics.retries += 1;
        let need = RecoveryNeed { attempts: need.attempts + 1, ..need };
        self.schedule(need, cx.now.at + delay);
    }

    /// Repeats the request in flight after the pause that the server requested.
    pub(super) fn postpone(&mut self, cx: &mut Context, retry_after_ms: u64) {
        let Some(need) = self.need() else { return };
        let need = RecoveryNeed { attempts: need.attempts + 1, ..need };
        let at = cx.retry_at(retry_after_ms);
        self.schedule(need, at);
    }

    /// Requests the next event again, because it did not arrive as it was sent. The third failure
    /// requests a snapshot instead. Returns whether a request has become due.
    pub(super) fn retry_current(&mut self, cx: &mut Context, next: SequenceNumber) -> bool {
        match &self.state {
            State::Idle => {
                let snapshot = self.failures.record(&cx.config, next);
                self.request(cx.now.at, Reason::Hash, snapshot);
                true
            }
            // The answer to the pending request brings the event again.
            State::Scheduled { .. } | State::AwaitingAnswer { .. } => false,
            State::Replaying { .. } | State::ReceivingSnapshot { .. } => {
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
        let lost = match &self.state {
            State::Idle => {
                self.request(cx.now.at, Reason::Gap, false);
                return true;
            }
            State::Scheduled { .. } | State::AwaitingAnswer { .. } => false,
            // From the answer on, a correct socket carries every number without a hole.
            State::Replaying { .. } => self.cursor.is_gap(received),
            State::ReceivingSnapshot { at, .. } => received > *at,
        };
        if lost {
            self.retry_now(cx, next);
        }
        lost
    }

    /// Requests a snapshot, because the answer does not help. The client accepts no partial replay, and
    /// no replay where only a snapshot helps.
    pub(super) fn require_snapshot(&mut self, now: Timestamp) {
        let Some(need) = self.need() else { return };
        self.schedule(RecoveryNeed { snapshot: true, attempts: need.attempts + 1, ..need }, now);
    }

    /// Whether only a snapshot helps.
    pub(super) fn needs_snapshot(&self) -> bool {
        self.need().is_some_and(|need| need.snapshot)
    }

    /// Begins the replay of `from` to `to`.
    pub(super) fn begin_replay(&mut self, cx: &Context, from: SequenceNumber, to: SequenceNumber) {
        let State::AwaitingAnswer { need, asked, .. } = &self.state else { return };
        let (need, asked, deadline) = (*need, *asked, cx.request_deadline());
        self.cursor = SocketCursor::new(from, to);
        self.state = State::Replaying { need, to, events: 0, asked, deadline };
    }

    /// Begins to receive the snapshot at `at`, which arrives in parts.
    pub(super) fn begin_snapshot(&mut self, cx: &Context, epoch: Epoch, at: SequenceNumber) {
        let State::AwaitingAnswer { need, request_id, .. } = &self.state else { return };
        let (need, request_id, deadline) = (*need, *request_id, cx.request_deadline());
        self.cursor = SocketCursor::new(at.next(), at);
        self.state = State::ReceivingSnapshot { need, request_id, epoch, at, deadline };
    }

    /// Completes the replay if its last event has been applied.
    pub(super) fn finish_replay(&mut self, applied: SequenceNumber) -> Option<FinishedReplay> {
        let State::Replaying { need, to, events, asked, .. } = &self.state else { return None };
        if applied < *to {
            return None;
        }
        let finished = FinishedReplay { need: *need, events: *events, asked: *asked };
        self.state = State::Idle;
        Some(finished)
    }

    /// Completes the recovery, because the snapshot is installed.
    pub(super) fn finish_snapshot(&mut self) -> Option<RecoveryNeed> {
        let need = self.need();
        self.state = State::Idle;
        need
    }

    /// Records an applied event.
    pub(super) fn on_applied(&mut self, cx: &Context) {
        self.rate.note_progress();
        self.extend(cx);
        if let State::Replaying { events, .. } = &mut self.state {
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
        match &mut self.state {
            State::Idle | State::Scheduled { .. } | State::AwaitingAnswer { .. } => {}
            State::Replaying { deadline, .. } | State::ReceivingSnapshot { deadline, .. } => {
                *deadline = cx.request_deadline();
            }
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
        let scheduled = matches!(self.state, State::Idle | State::Scheduled { .. });
        if !scheduled {
            self.retry_with_backoff(cx);
        }
        true
    }

    /// Sends the request if it is due and the rate allows it.
    pub(super) fn send_due(&mut self, cx: &mut Context, target: RequestTarget<'_>) {
        let State::Scheduled { need, at } = self.state else { return };
        if at > cx.now.at {
            return;
        }
        let allowed = self.rate.allowed_at(&cx.config, cx.now.at);
        if allowed > cx.now.at {
            self.state = State::Scheduled { need, at: allowed };
            return;
        }
        self.rate.note_sent(&cx.config, cx.now.at);
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
        announce_request(cx, target, need.reason);
        let deadline = cx.request_deadline();
        self.state = State::AwaitingAnswer { need, request_id, asked: cx.now, deadline };
    }

    const fn need(&self) -> Option<RecoveryNeed> {
        match &self.state {
            State::Idle => None,
            State::Scheduled { need, .. }
            | State::AwaitingAnswer { need, .. }
            | State::Replaying { need, .. }
            | State::ReceivingSnapshot { need, .. } => Some(*need),
        }
    }

    fn schedule(&mut self, need: RecoveryNeed, at: Timestamp) {
        self.state = State::Scheduled { need, at };
    }
}

fn announce_request(cx: &mut Context, target: RequestTarget<'_>, reason: Reason) {
    let applied = target.position.map_or(0, |position| position.sequence_number.get());
    let (campaign_id, reason) = (target.campaign_id.clone(), reason.as_str());
    cx.notify(Notice::RecoveryRequested { campaign_id, reason });
    cx.log(
        Level::Info,
        "recovery_requested",
        LogFields {
            campaign_id: Some(target.campaign_id),
            sequence_number: Some(applied),
            detail: Some(reason),
            ..LogFields::default()
        },
    );
}
