//! One subscription: one cursor over one campaign's log.
//!
//! ```text
//! Idle ──seek──▶ Ahead ──▶ At(n) ◀──last part── Snapshot
//!   └──────────────────────▲ └──seek, history gone──▲
//! ```
//! Everything that the socket carries of a campaign comes from here, in order, so a replay, a
//! snapshot and live events cannot overtake each other.

use std::collections::VecDeque;
use std::sync::Arc;

use campaign_sync::protocol::CampaignId;

use super::answer::{Answer, Ask};
use super::limits::Bucket;
use super::message::{Prefer, Recover};
use super::{Context, Frame, Step, reply};
use crate::clock::Moment;
use crate::hub::{Next, Want};
use crate::log::{Head, LogError};
use crate::snapshots::{REPLAY_BYTES_MIN, Snapshot, Snapshots};

/// How long a position beyond the head is given to come true.
const AHEAD_MS: u64 = 2_000;

/// Close code of a reader that has fallen behind what is kept.
const LAGGING: u16 = 4409;

/// Where a cursor is.
#[derive(Debug)]
enum Place {
    /// No recovery has been asked for yet: nothing is sent.
    Idle,
    /// The client knows a number that this log does not have yet.
    Ahead { wanted: Recover, until_ms: u64 },
    /// Everything up to this number has been written to the socket.
    At(u64),
    /// A snapshot is being written; `next` is its next part.
    Snapshot { snapshot: Arc<Snapshot>, next: u64, request: Option<String> },
}

/// One subscription.
#[derive(Debug)]
pub(super) struct Cursor {
    pub(super) campaign: CampaignId,
    place: Place,
    asks: VecDeque<Ask>,
    answer: Option<Answer>,
    seeks: Bucket,
}

impl Cursor {
    pub(super) const fn new(campaign: CampaignId, seeks: Bucket) -> Self {
        Self { campaign, place: Place::Idle, asks: VecDeque::new(), answer: None, seeks }
    }

    /// Whether the campaign may be asked to recover now; otherwise, after how many milliseconds.
    pub(super) fn may_seek(&mut self, now: Moment, context: &Context) -> Result<(), u64> {
        let rate = context.delivery.recoveries_per_second;
        self.seeks.take(now.monotonic_ms, rate, 4 * rate)
    }

    /// The last number written to the socket; none while there is no such number.
    pub(super) const fn written(&self) -> Option<u64> {
        match self.place {
            Place::At(number) => Some(number),
            Place::Idle | Place::Ahead { .. } | Place::Snapshot { .. } => None,
        }
    }

    /// When to look again although nothing happened.
    pub(super) const fn deadline_ms(&self) -> Option<u64> {
        match self.place {
            Place::Ahead { until_ms, .. } => Some(until_ms),
            Place::Idle | Place::At(_) | Place::Snapshot { .. } => None,
        }
    }

    /// Takes a question about the state, to be answered in its place in the stream.
    pub(super) fn ask(&mut self, ask: Ask) {
        self.asks.push_back(ask);
    }

    /// Seeks, as a recovery request asks. Whatever was being written ends here. Blocks.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub(super) fn seek(
        &mut self,
        now: Moment,
        context: &Context,
        wanted: Recover,
    ) -> Result<Option<String>, LogError> {
        self.ask_again();
        let Some(head) = context.hub.head(&self.campaign)? else {
            self.place = Place::Idle;
            context.hub.metrics.recovery(wanted.reason.as_deref(), "unknown_campaign");
            return Ok(Some(reply::unknown_campaign(
                now,
                &self.campaign,
                wanted.request.as_deref(),
            )));
        };
        let same_log = wanted.epoch.as_deref().is_none_or(|epoch| epoch == context.hub.epoch());
        if let Some(resumed) = self.resume(now, context, &wanted) {
            return Ok(Some(resumed));
        }
        if same_log && wanted.last > head.number {
            let until_ms = match self.place {
                Place::Ahead { until_ms, .. } => until_ms,
                _ => now.monotonic_ms + AHEAD_MS,
            };
            if now.monotonic_ms < until_ms {
                self.place = Place::Ahead { wanted, until_ms };
                return Ok(None);
            }
            return self.seek_snapshot(now, context, &wanted, 0, "position_ahead").map(Some);
        }
        if !same_log {
            return self.seek_snapshot(now, context, &wanted, 0, "epoch_changed").map(Some);
        }
        if wanted.prefer == Prefer::Snapshot {
            let last = wanted.last;
            return self.seek_snapshot(now, context, &wanted, last, "preferred").map(Some);
        }
        self.seek_in_history(now, context, &wanted, &head).map(Some)
    }

    fn seek_in_history(
        &mut self,
        now: Moment,
        context: &Context,
        wanted: &Recover,
        head: &Head,
    ) -> Result<String, LogError> {
        let last = wanted.last;
        if last + 1 < head.oldest {
            return self.seek_snapshot(now, context, wanted, last, "truncated");
        }
        if last < head.number && wanted.prefer != Prefer::Replay {
            let bytes = context.hub.log().bytes_after(&self.campaign, last)?;
            let snapshot = Snapshots::estimated_bytes(head.domains_count);
            if bytes > snapshot.max(REPLAY_BYTES_MIN) {
                return self.seek_snapshot(now, context, wanted, last, "replay_too_large");
            }
        }
        self.place = Place::At(last);
        let outcome = if last == head.number { "current" } else { "replay" };
        self.told(context, wanted, outcome, head.number);
        let request = wanted.request.as_deref();
        Ok(self.recovery(now, context, request, (outcome, None), (last + 1, head.number)))
    }

    /// Begins a snapshot of number `least` or later.
    fn seek_snapshot(
        &mut self,
        now: Moment,
        context: &Context,
        wanted: &Recover,
        least: u64,
        reason: &'static str,
    ) -> Result<String, LogError> {
        let taken = context.snapshots.take(&context.hub, &self.campaign, least, now.monotonic_ms);
        let taken = match taken {
            Err(LogError::UnknownCampaign) => {
                self.place = Place::Idle;
                return Ok(reply::ended(now, &self.campaign, "deleted"));
            }
            taken => taken?,
        };
        let at = taken.at;
        self.told(context, wanted, reason, at);
        self.place = Place::Snapshot { snapshot: taken, next: 1, request: wanted.request.clone() };
        let request = wanted.request.as_deref();
        Ok(self.recovery(now, context, request, ("snapshot", Some(reason)), (at + 1, at)))
    }

    fn resume(&mut self, now: Moment, context: &Context, wanted: &Recover) -> Option<String> {
        let resume = wanted.resume.as_ref().filter(|it| it.epoch == context.hub.epoch())?;
        let held = context.snapshots.held(&self.campaign, resume.at, now.monotonic_ms)?;
        let next = resume.after_part.checked_add(1).filter(|next| *next <= held.parts())?;
        let oldest = context.hub.known_head(&self.campaign)?.oldest;
        if wanted.last > resume.at || resume.at + 1 < oldest {
            return None;
        }
        self.told(context, wanted, "resumed", resume.at);
        self.place = Place::Snapshot { snapshot: held, next, request: wanted.request.clone() };
        let request = wanted.request.as_deref();
        let (outcome, numbers) = (("snapshot", Some("resumed")), (resume.at + 1, resume.at));
        Some(self.recovery(now, context, request, outcome, numbers))
    }

    /// A recovery is an event of integrity: it is counted, and logged with its position.
    fn told(&self, context: &Context, wanted: &Recover, outcome: &'static str, to: u64) {
        context.hub.metrics.recovery(wanted.reason.as_deref(), outcome);
        tracing::info!(
            event = "recovery",
            campaignId = self.campaign.as_str(),
            reason = wanted.reason.as_deref().unwrap_or("none"),
            outcome,
            lastSequenceNumber = wanted.last,
            toSequenceNumber = to,
            eventId = context.hub.known_head(&self.campaign).map(|head| head.event_id),
        );
    }

    fn recovery(
        &self,
        now: Moment,
        context: &Context,
        request: Option<&str>,
        (outcome, reason): (&'static str, Option<&'static str>),
        (from, to): (u64, u64),
    ) -> String {
        let (campaign, epoch) = (&self.campaign, context.hub.epoch());
        let recovery = reply::Recovery { campaign, request, epoch, outcome, reason, from, to };
        reply::recovery(now, &recovery)
    }

    /// The next frame of this subscription.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub(super) fn poll(
        &mut self,
        now: Moment,
        context: &Context,
        may_block: bool,
    ) -> Result<Step, LogError> {
        match &mut self.place {
            Place::Idle => self.due_answer(now, context, u64::MAX, may_block),
            Place::Ahead { wanted, until_ms } => {
                let known = context.hub.known_head(&self.campaign).map_or(0, |head| head.number);
                if known < wanted.last && now.monotonic_ms < *until_ms {
                    return Ok(Step::Idle);
                }
                if !may_block {
                    return Ok(Step::Blocking);
                }
                let wanted = wanted.clone();
                let said = self.seek(now, context, wanted)?;
                Ok(said.map_or(Step::Idle, |text| Step::Frame(Frame::control(text))))
            }
            Place::Snapshot { snapshot, next, request } => {
                let data = snapshot.part(&self.campaign, request.as_deref(), *next);
                *next += 1;
                let (at, done) = (snapshot.at, *next > snapshot.parts());
                if done {
                    self.place = Place::At(at);
                }
                let text = reply::message(now, "campaign.snapshot", &data.unwrap_or_default());
                Ok(Step::Frame(Frame::control(text)))
            }
            Place::At(number) => {
                let number = *number;
                match self.due_answer(now, context, number, may_block)? {
                    Step::Idle => self.advance(context, number, may_block),
                    step => Ok(step),
                }
            }
        }
    }

    /// An answer that is due at this number: all of its frames come before any later event.
    fn due_answer(
        &mut self,
        now: Moment,
        context: &Context,
        number: u64,
        may_block: bool,
    ) -> Result<Step, LogError> {
        if self.answer.is_none() {
            if self.asks.is_empty() {
                return Ok(Step::Idle);
            }
            if !may_block {
                return Ok(Step::Blocking);
            }
            let Some(ask) = self.asks.front().cloned() else { return Ok(Step::Idle) };
            self.answer = Some(Answer::prepare(now, context, &self.campaign, ask)?);
            self.asks.pop_front();
        }
        let Some(answer) = self.answer.as_mut().filter(|answer| answer.at <= number) else {
            return Ok(Step::Idle);
        };
        let text = answer.frames.pop_front();
        if answer.frames.is_empty() {
            self.answer = None;
        }
        Ok(text.map_or(Step::Idle, |text| Step::Frame(Frame::control(text))))
    }

    /// The stream goes on elsewhere: what was being answered is answered anew, from there.
    fn ask_again(&mut self) {
        if let Some(answer) = self.answer.take() {
            self.asks.push_front(answer.ask);
        }
    }

    fn advance(
        &mut self,
        context: &Context,
        number: u64,
        may_block: bool,
    ) -> Result<Step, LogError> {
        let until = self.answer.as_ref().map_or(u64::MAX, |answer| answer.at);
        if number >= until {
            return Ok(Step::Idle);
        }
        let want = Want { single: !context.joins_events(), until };
        match context.hub.next(&self.campaign, number, want, may_block)? {
            Next::AtHead => Ok(Step::Idle),
            Next::Page(page) => {
                self.place = Place::At(page.last);
                Ok(Step::Frame(Frame { text: page.text, control: false }))
            }
            Next::InLog => Ok(Step::Blocking),
            // What this slow reader needed next has been truncated away meanwhile: it comes back
            // and is told so in the answer to its own request.
            Next::Gone => {
                tracing::warn!(event = "lagging", campaignId = %self.campaign, sequenceNumber = number);
                Ok(Step::Close(LAGGING, "lagging"))
            }
        }
    }
}
