//! One subscription: one cursor over one campaign's log.
//!
//! ```text
//! Idle ──seek──▶ Ahead ──▶ At(n) ◀──last part── Snapshot
//!   └──────────────────────▲ └──seek, history gone──▲
//! ```
//! A cursor produces everything that the socket carries of a campaign, in order. So a replay, a snapshot and
//! live events cannot overtake each other.

use std::collections::VecDeque;
use std::sync::Arc;

use campaign_sync::protocol::CampaignId;
use serde_json::json;

use super::answer::Answer;
use super::context::PollContext;
use super::limits::{Bucket, Postponed};
use super::message::{Prefer, Recover, StateQuery};
use super::{Frame, FrameText, Step, reply};
use crate::campaign::BUSY_RETRY_MS;
use crate::capacity::logged;
use crate::clock::Moment;
use crate::hub::{Next, ReadLimits};
use crate::log::{Head, LogError, Result};
use crate::snapshots::{Download, REPLAY_BYTES_MIN, Snapshot, SnapshotPurpose, Snapshots};

/// The longest wait for a position beyond the head.
const HEAD_TIMEOUT_MS: u64 = 2_000;

/// The close code for a client whose position is before the beginning of the history.
const LAGGING: u16 = 4409;

/// The state of a cursor.
#[derive(Debug)]
enum CursorState {
    /// The client has not requested recovery yet. Nothing is sent.
    Idle,
    /// The client has a number that this log has not reached.
    WaitingForHead { recover: Recover, until_ms: u64 },
    /// Everything up to this number has been written to the socket.
    PollContext(u64),
    /// A snapshot is being written. `next` is its next part.
    Snapshot { snapshot: Download, next: u64, request: Option<String> },
}

/// One subscription.
#[derive(Debug)]
pub(super) struct Cursor {
    pub(super) campaign: CampaignId,
    state: CursorState,
    /// Whether the last poll found nothing more to write.
    caught_up: bool,
    queries: VecDeque<StateQuery>,
    answer: Option<Answer>,
    /// A query, or the end of the wait for the head, that the server is too busy for.
    postponed: Postponed,
    /// Limits the requests of this subscription.
    pub(super) requests: Bucket,
}

impl Cursor {
    pub(super) fn new(campaign: CampaignId) -> Self {
        let (queries, requests) = (VecDeque::new(), Bucket::default());
        Self {
            campaign,
            state: CursorState::Idle,
            caught_up: false,
            queries,
            answer: None,
            postponed: Postponed::default(),
            requests,
        }
    }

    /// The last number written to the socket; `None` if the cursor has no position.
    pub(super) const fn written(&self) -> Option<u64> {
        match self.state {
            CursorState::PollContext(number) => Some(number),
            CursorState::Idle
            | CursorState::WaitingForHead { .. }
            | CursorState::Snapshot { .. } => None,
        }
    }

    /// When to poll again without any event, on the monotonic clock.
    pub(super) fn deadline_ms(&self) -> Option<u64> {
        match (self.postponed.due_ms(), &self.state) {
            (Some(due_ms), _) => Some(due_ms),
            (None, CursorState::WaitingForHead { until_ms, .. }) => Some(*until_ms),
            (
                None,
                CursorState::Idle | CursorState::PollContext(_) | CursorState::Snapshot { .. },
            ) => None,
        }
    }

    /// Queues a query of the state. It is answered at its position in the stream.
    pub(super) fn queue_query(&mut self, query: StateQuery) {
        self.queries.push_back(query);
    }

    /// The number of queued queries.
    pub(super) fn waiting(&self) -> usize {
        self.queries.len()
    }

    /// Tries what waits again at the next poll.
    pub(super) fn stop_waiting(&mut self) {
        self.postponed = Postponed::default();
    }

    /// Moves the cursor, as a recovery request asks. Ends everything that was being sent. Blocks.
    ///
    /// # Errors
    /// [`LogError::Storage`]; [`LogError::Busy`] and [`LogError::QuotaExceeded`] if a snapshot must wait.
    pub(super) fn seek(&mut self, at: PollContext<'_>, recover: Recover) -> Result<Option<String>> {
        self.requeue_query();
        self.caught_up = false;
        let (now, hub) = (at.now, &at.context.hub);
        let Some(head) = hub.head(&self.campaign)? else {
            self.state = CursorState::Idle;
            hub.metrics.recovery(recover.reason.as_deref(), "unknown_campaign");
            let request = recover.request.as_deref();
            return Ok(Some(reply::unknown_campaign(now, &self.campaign, request)));
        };
        if let Some(resumed) = self.resume(at, &recover)? {
            return Ok(Some(resumed));
        }
        let same_log = recover.epoch.as_deref().is_none_or(|epoch| epoch == hub.epoch());
        if same_log && recover.last > head.number {
            let until_ms = match self.state {
                CursorState::WaitingForHead { until_ms, .. } => until_ms,
                _ => now.monotonic_ms + HEAD_TIMEOUT_MS,
            };
            if now.monotonic_ms < until_ms {
                self.state = CursorState::WaitingForHead { recover, until_ms };
                return Ok(None);
            }
        }
        let last = recover.last;
        let (least, reason) = match (same_log, recover.prefer) {
            (false, _) => (0, "epoch_changed"),
            (true, _) if last > head.number => (0, "position_ahead"),
            (true, Prefer::Snapshot) => (last, "preferred"),
            (true, _) if last + 1 < head.oldest => (last, "truncated"),
            (true, Prefer::Either) if self.is_long(at, last, &head)? => (last, "replay_too_large"),
            (true, Prefer::Either | Prefer::Replay) => {
                self.state = CursorState::PollContext(last);
                let outcome = if last == head.number { "current" } else { "replay" };
                let (from, to) = (last + 1, head.number);
                return Ok(Some(self.recovery(at, &recover, outcome, None, (from, to))));
            }
        };
        self.seek_snapshot(at, &recover, least, reason).map(Some)
    }

    /// Whether a snapshot is smaller than the events after this number.
    fn is_long(&self, at: PollContext<'_>, last: u64, head: &Head) -> Result<bool> {
        let snapshot = Snapshots::estimated_bytes(head.domains_count).max(REPLAY_BYTES_MIN);
        let log = at.context.hub.log();
        Ok(last < head.number && log.bytes_after(&self.campaign, last)? > snapshot)
    }

    /// Begins a snapshot at number `least` or later.
    fn seek_snapshot(
        &mut self,
        at: PollContext<'_>,
        recover: &Recover,
        least: u64,
        reason: &'static str,
    ) -> Result<String> {
        let PollContext { now, context, quota } = at;
        let (purpose, least) = (SnapshotPurpose::Stream, (least, now.monotonic_ms));
        let snapshots = &context.snapshots;
        let taken = snapshots.take(&context.hub, &self.campaign, purpose, least, Some(quota));
        let snapshot = match taken {
            Err(LogError::UnknownCampaign) => {
                self.state = CursorState::Idle;
                return Ok(reply::ended(now, &self.campaign, "deleted"));
            }
            taken => taken?,
        };
        let download = Download::begin(snapshot, Some(quota))?;
        Ok(self.begin(at, recover, reason, download, 1))
    }

    fn resume(&mut self, at: PollContext<'_>, recover: &Recover) -> Result<Option<String>> {
        let Some((held, next)) = self.resumable(at, recover) else { return Ok(None) };
        let download = Download::begin(held, Some(at.quota))?;
        Ok(Some(self.begin(at, recover, "resumed", download, next)))
    }

    /// The snapshot of an interrupted download, and its next part.
    fn resumable(&self, at: PollContext<'_>, recover: &Recover) -> Option<(Arc<Snapshot>, u64)> {
        let PollContext { now, context, .. } = at;
        let resume = recover.resume.as_ref().filter(|it| it.epoch == context.hub.epoch())?;
        let held = context.snapshots.held(&self.campaign, resume.at, now.monotonic_ms)?;
        let next = resume.after_part.checked_add(1).filter(|next| *next <= held.parts())?;
        let oldest = context.hub.known_head(&self.campaign)?.oldest;
        (recover.last <= resume.at && resume.at + 1 >= oldest).then_some((held, next))
    }

    /// Begins to write a snapshot at part `next`.
    fn begin(
        &mut self,
        at: PollContext<'_>,
        recover: &Recover,
        reason: &'static str,
        snapshot: Download,
        next: u64,
    ) -> String {
        let numbers = (snapshot.head.number + 1, snapshot.head.number);
        self.state = CursorState::Snapshot { snapshot, next, request: recover.request.clone() };
        self.recovery(at, recover, "snapshot", Some(reason), numbers)
    }

    /// Composes the `event_recovery` message. Counts and logs the recovery, with its position, because it
    /// concerns integrity.
    fn recovery(
        &self,
        PollContext { now, context, .. }: PollContext<'_>,
        recover: &Recover,
        outcome: &'static str,
        reason: Option<&'static str>,
        (from, to): (u64, u64),
    ) -> String {
        let (hub, campaign) = (&context.hub, self.campaign.as_str());
        let counted = reason.unwrap_or(outcome);
        hub.metrics.recovery(recover.reason.as_deref(), counted);
        tracing::info!(
            event = "recovery",
            campaignId = campaign,
            reason = recover.reason.as_deref().map_or("none", logged),
            outcome = counted,
            lastSequenceNumber = recover.last,
            toSequenceNumber = to,
            eventId = hub.known_head(&self.campaign).map(|head| head.event_id),
        );
        let mut data = json!({
            "campaignId": campaign,
            "epoch": hub.epoch(),
            "outcome": outcome,
            "fromSequenceNumber": from,
            "toSequenceNumber": to,
        });
        reply::optional(&mut data, "requestId", recover.request.as_deref());
        reply::optional(&mut data, "reason", reason);
        reply::message(now, "event_recovery", &data.to_string())
    }

    /// The next frame of this subscription.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub(super) fn poll(&mut self, at: PollContext<'_>, may_block: bool) -> Result<Step> {
        match &mut self.state {
            CursorState::Idle => self.due_answer(at, u64::MAX, may_block),
            CursorState::WaitingForHead { recover, until_ms } => {
                let known = at.context.hub.known_head(&self.campaign).map_or(0, |head| head.number);
                let now_ms = at.now.monotonic_ms;
                let is_early = known < recover.last && now_ms < *until_ms;
                if is_early || self.postponed.is_waiting(now_ms) {
                    return Ok(Step::Idle);
                }
                if !may_block {
                    return Ok(Step::Blocking);
                }
                let recover = recover.clone();
                let reply = match self.seek(at, recover.clone()) {
                    Err(error) => {
                        let step = self.postpone(at.now, error, recover.request.as_deref())?;
                        if matches!(step, Step::Frame(_)) {
                            self.state = CursorState::Idle;
                        }
                        return Ok(step);
                    }
                    Ok(reply) => reply,
                };
                self.postponed = Postponed::default();
                Ok(reply.map_or(Step::Idle, |text| Step::Frame(Frame::control(text))))
            }
            CursorState::Snapshot { snapshot, next, request } => {
                let data = snapshot.part(&self.campaign, request.as_deref(), *next);
                *next += 1;
                let (number, done) = (snapshot.head.number, *next > snapshot.parts());
                if done {
                    self.state = CursorState::PollContext(number);
                }
                let data = data.unwrap_or_default();
                let text = reply::message_around(at.now, "campaign.snapshot", data);
                Ok(Step::Frame(Frame::control(text)))
            }
            CursorState::PollContext(number) => {
                let number = *number;
                match self.due_answer(at, number, may_block)? {
                    Step::Idle => self.advance(at, number, may_block),
                    step => Ok(step),
                }
            }
        }
    }

    /// The next frame of an answer that is due at this number. All frames of an answer precede any later
    /// event.
    fn due_answer(&mut self, at: PollContext<'_>, number: u64, may_block: bool) -> Result<Step> {
        if self.answer.is_none() {
            let Some(query) = self.queries.front() else { return Ok(Step::Idle) };
            if self.postponed.is_waiting(at.now.monotonic_ms) {
                return Ok(Step::Idle);
            }
            if !may_block {
                return Ok(Step::Blocking);
            }
            let request = query.request.clone();
            match Answer::prepare(at, query.clone()) {
                Ok(answer) => self.answer = Some(answer),
                Err(error) => {
                    let step = self.postpone(at.now, error, request.as_deref())?;
                    if matches!(step, Step::Frame(_)) {
                        self.queries.pop_front();
                    }
                    return Ok(step);
                }
            }
            self.postponed = Postponed::default();
            self.queries.pop_front();
        }
        let Some(answer) = self.answer.as_mut().filter(|answer| answer.at <= number) else {
            return Ok(Step::Idle);
        };
        let (text, is_last) = answer.next(at.now, at.context.hub.epoch());
        if is_last {
            self.answer = None;
        }
        Ok(Step::Frame(Frame::control(text)))
    }

    /// Waits if the server is busy. Refuses the request if it has waited too long, or if too much waits for
    /// the user.
    fn postpone(&mut self, now: Moment, error: LogError, request: Option<&str>) -> Result<Step> {
        match error {
            LogError::Busy if self.postponed.wait(now.monotonic_ms) => Ok(Step::Idle),
            LogError::Busy | LogError::QuotaExceeded => {
                self.postponed = Postponed::default();
                let text = reply::rate_limited(now, &self.campaign, request, BUSY_RETRY_MS);
                Ok(Step::Frame(Frame::control(text)))
            }
            LogError::Conflict { .. }
            | LogError::UnknownCampaign
            | LogError::Rejected(_)
            | LogError::Storage(_) => Err(error),
        }
    }

    /// Queues an interrupted answer again, because the cursor moves. It is answered at the new position.
    fn requeue_query(&mut self) {
        if let Some(answer) = self.answer.take() {
            self.queries.push_front(answer.query);
        }
    }

    fn advance(&mut self, at: PollContext<'_>, number: u64, may_block: bool) -> Result<Step> {
        let context = at.context;
        let until = self.answer.as_ref().map_or(u64::MAX, |answer| answer.at);
        if number >= until {
            return Ok(Step::Idle);
        }
        let want = ReadLimits { single: !context.joins_events(), until };
        match context.hub.next(&self.campaign, number, want, may_block)? {
            Next::AtHead => {
                self.caught_up = true;
                Ok(Step::Idle)
            }
            Next::EventBatch(page) => {
                let committed = page.committed.filter(|_| self.caught_up);
                (self.state, self.caught_up) = (CursorState::PollContext(page.last), false);
                let text = FrameText::shared(page.text);
                Ok(Step::Frame(Frame { text, control: false, committed }))
            }
            Next::InLog => Ok(Step::Blocking),
            // The next event of this slow reader was truncated in the meantime. The client reconnects, and
            // the answer to its recovery request states that.
            Next::Gone => {
                tracing::warn!(
                    event = "lagging",
                    campaignId = %self.campaign,
                    sequenceNumber = number,
                    eventId = context.hub.known_head(&self.campaign).map(|head| head.event_id),
                );
                Ok(Step::Close(LAGGING, "lagging"))
            }
        }
    }
}
