//! Answers of the server about one campaign: recovery, heads, errors.

use super::context::Context;
use super::log::{Facts, Level};
use super::notice::Notice;
use super::outcome::Verdict;
use super::recovery::{Recovery, Stream, Want};
use super::subscription::{Fate, Subscription};
use super::{Now, repair::Repair};
use crate::protocol::client::Reason;
use crate::protocol::server::{EventRecovery, Head, RecoveryOutcome};
use crate::protocol::{Code, Epoch, SequenceNumber};
use crate::store::Claim;

impl Subscription {
    /// `event_recovery`: the cursor has been set.
    pub(super) fn on_recovery(&mut self, cx: &mut Context, answer: &EventRecovery<'_>) -> Verdict {
        let Recovery::Asked { want, request_id, asked, .. } = &self.recovery else {
            return Verdict::Ignored;
        };
        if answer.request_id.as_deref().is_some_and(|id| id != request_id) {
            return Verdict::Ignored;
        }
        let (want, asked, request_id) = (*want, *asked, request_id.clone());
        self.forget_marks();
        let epoch = match (&answer.outcome, &answer.epoch) {
            (RecoveryOutcome::UnknownCampaign, _) | (_, None) => {
                self.fail(cx, Code::UnknownCampaign);
                return Verdict::Control;
            }
            (_, Some(epoch)) => epoch.clone(),
        };
        if self.retired.contains(&epoch) {
            // A server that still has the old log: wait until it has the new one.
            self.ask_again_later(cx);
            return Verdict::Control;
        }
        match answer.outcome {
            RecoveryOutcome::Replay | RecoveryOutcome::Current => {
                self.on_replay(cx, want, asked, epoch, (answer.from, answer.to));
            }
            RecoveryOutcome::Snapshot | RecoveryOutcome::UnknownCampaign => {
                self.on_snapshot_announced(cx, want, asked, request_id, epoch, answer.to);
            }
        }
        Verdict::Control
    }

    /// `replay` or `current`: accepted only if it joins our position without a hole.
    fn on_replay(
        &mut self,
        cx: &mut Context,
        want: Want,
        asked: Now,
        epoch: Epoch,
        (from, to): (SequenceNumber, SequenceNumber),
    ) {
        if self.store.position().is_none() && from == SequenceNumber::ZERO.next() {
            self.store.begin_at(epoch.clone());
            self.proof.clear(cx.now);
            cx.mark_changed(&self.id);
        }
        let joins = self.store.position().is_some_and(|position| {
            position.epoch == epoch
                && (from <= position.sequence_number.next() || planted!(PartialReplay))
        });
        if !joins || want.snapshot {
            // Never a partial replay, and never a replay where only a snapshot helps.
            let want = Want { snapshot: true, attempts: want.attempts + 1, ..want };
            self.recovery = Recovery::Due { want, at: cx.now.at };
            self.pump(cx);
            return;
        }
        self.staging = None;
        if to < self.applied() {
            // The server has less than we do: its answer proves nothing, and it will catch up.
            self.proof.lagging = true;
        }
        self.stream = Stream::new(from, to);
        let deadline = cx.now.at + cx.config.recovery_deadline_ms;
        self.recovery = Recovery::Replaying { want, to, events: 0, asked, deadline };
        self.after_progress(cx);
    }

    /// Completes a replay once its last event has been applied. What is held beyond it the server did
    /// not have when it answered: what lies before that comes next on this socket, by itself.
    pub(super) fn settle_replay(&mut self, cx: &mut Context) {
        let Recovery::Replaying { want, to, events, asked, .. } = &self.recovery else { return };
        if self.applied() < *to || !self.held.is_empty() {
            return;
        }
        let outcome = if *events == 0 { "current" } else { "replay" };
        let (want, events, asked) = (*want, *events, *asked);
        self.recovery = Recovery::Settled;
        if !self.proof.lagging {
            self.proof.note_current(asked);
        }
        self.announce_recovered(cx, want, outcome, events);
        self.begin_repair(cx);
    }

    pub(super) fn announce_recovered(
        &mut self,
        cx: &mut Context,
        want: Want,
        outcome: &'static str,
        events: u64,
    ) {
        let duration_ms = cx.now.at.since(want.since);
        cx.metrics.recoveries += 1;
        cx.metrics.recovery_ms.record(duration_ms);
        cx.mark_changed(&self.id);
        let (campaign_id, reason) = (self.id.clone(), want.reason.as_str());
        cx.notify(Notice::Recovered { campaign_id, reason, outcome, duration_ms, events });
        cx.log(
            Level::Info,
            "recovered",
            Facts {
                campaign_id: Some(&self.id),
                sequence_number: Some(self.applied().get()),
                detail: Some(outcome),
                value: Some(duration_ms),
                ..Facts::default()
            },
        );
    }

    /// A `pong` tells how far this socket, and the log, have come.
    pub(super) fn on_head(&mut self, cx: &mut Context, sent: Option<Now>, head: &Head<'_>) {
        match &self.recovery {
            Recovery::Settled => {}
            Recovery::Replaying { .. } => {
                if self.stream.skips_to(head.last_sequence_number.next()) {
                    self.ask_again(cx, 0);
                } else if let Some(position) = self.store.position()
                    && let Some(sent) = sent.filter(|_| position.epoch == head.epoch)
                {
                    // A long replay ends with a younger proof than the request that began it.
                    self.proof.note_head(sent, head.log_head, position.sequence_number);
                }
                return;
            }
            Recovery::Due { .. } | Recovery::Asked { .. } | Recovery::Receiving { .. } => return,
        }
        let Some(position) = self.store.position() else { return };
        let applied = position.sequence_number;
        if head.epoch != position.epoch {
            if self.retired.contains(&head.epoch) {
                self.proof.lagging = true;
            } else {
                self.on_divergence(cx, "epoch", head.last_sequence_number);
            }
            return;
        }
        if head.last_sequence_number > applied && !planted!(TailUnnoticed) {
            self.want(cx, Reason::Tail, false);
        } else if let Some(owed) = sent.and_then(|sent| self.owed_at_ping(sent))
            && head.last_sequence_number.next() < owed
        {
            self.on_divergence(cx, "head", head.last_sequence_number);
            return;
        }
        // It is behind with sending, or has less than we do.
        self.proof.lagging = head.log_head != head.last_sequence_number.max(applied);
        if let Some(sent) = sent {
            self.proof.note_head(sent, head.log_head, applied);
        }
        if head.last_sequence_number == applied
            && let Some(count) = head.domains_count
        {
            self.compare(cx, Claim { count, digest: head.domains_digest });
        }
    }

    /// A ping was answered without a word of this campaign: whatever the server answered before, it
    /// has no cursor for us any more.
    pub(super) fn on_no_head(&mut self, cx: &mut Context, sent: Now) {
        let followed = self.fate == Fate::Open && self.recovery.is_settled();
        if followed && self.owed_at_ping(sent).is_some() {
            self.subscribe(cx);
            self.want(cx, Reason::Tail, false);
        }
    }

    /// Whether the request of that name is one of this campaign that has not been answered.
    pub(super) fn has_asked(&self, id: &str) -> bool {
        let recovery =
            matches!(&self.recovery, Recovery::Asked { request_id, .. } if request_id == id);
        recovery || self.repair_request() == Some(id)
    }

    fn repair_request(&self) -> Option<&str> {
        match &self.repair {
            Repair::AwaitingDigest { request_id, .. }
            | Repair::AwaitingBuckets { request_id, .. } => Some(request_id),
            _ => None,
        }
    }

    /// `error` about this campaign.
    pub(super) fn on_error(
        &mut self,
        cx: &mut Context,
        code: Option<Code>,
        request_id: Option<&str>,
        retry_after_ms: Option<u64>,
    ) {
        let ours = |id: &str| request_id.is_none_or(|request_id| request_id == id);
        if request_id.is_some() && request_id == self.repair_request() {
            self.repair = Repair::Idle;
            return;
        }
        match code {
            Some(Code::UnknownCampaign | Code::Forbidden | Code::Unauthorized) => {
                self.fail(cx, code.unwrap_or(Code::Forbidden));
            }
            _ => {
                let Recovery::Asked { request_id, want, .. } = &self.recovery else { return };
                let want = *want;
                if !ours(request_id) {
                    return;
                }
                if code == Some(Code::InvalidMessage) {
                    // The request was in order, so what the server lacks is the subscription.
                    self.subscribe(cx);
                }
                match retry_after_ms {
                    Some(patience) => {
                        let want = Want { attempts: want.attempts + 1, ..want };
                        self.recovery = Recovery::Due { want, at: cx.after_patience(patience) };
                    }
                    None => self.ask_again_later(cx),
                }
            }
        }
    }

    /// The campaign is gone, or the server will not speak of it any more.
    pub(super) fn end(&mut self, cx: &mut Context, reason: &str) {
        self.fate = Fate::Ended;
        self.stop(cx, Code::UnknownCampaign);
        let (campaign_id, reason) = (self.id.clone(), reason.to_owned());
        cx.notify(Notice::Ended { campaign_id, reason });
    }

    /// The campaign cannot be followed on this connection.
    pub(super) fn fail(&mut self, cx: &mut Context, code: Code) {
        self.fate = Fate::Failed(code);
        self.stop(cx, code);
        cx.log(
            Level::Error,
            "failed",
            Facts { campaign_id: Some(&self.id), detail: Some(code.as_str()), ..Facts::default() },
        );
    }

    fn stop(&mut self, cx: &mut Context, code: Code) {
        // Should this go on some day, what was wanted is wanted still.
        self.put_back(cx);
        self.repair = Repair::Idle;
        self.staging = None;
        self.held.clear();
        self.waiters.fail(cx, code);
        cx.mark_changed(&self.id);
    }
}
