//! Messages of the server about one campaign: recovery, snapshots, digests, heads, errors.
//!
//! These steps use those of `events`.

use super::Replica;
use crate::protocol::client::Reason;
use crate::protocol::json::RawStr;
use crate::protocol::server::{
    CampaignDigest, EventRecovery, Head, RecoveryOutcome, ServerMessage,
};
use crate::protocol::snapshot::SnapshotPart;
use crate::protocol::violation::Violation;
use crate::protocol::{Code, Epoch, Position, SequenceNumber};
use crate::store::{ExpectedDigest, Staging, StagingFault};
use crate::sync::config::PLACE_RETRY_MS;
use crate::sync::context::Context;
use crate::sync::encryption::Undecryptable;
use crate::sync::outcome::Verdict;
use crate::sync::subscription::repair::{BucketsOutcome, DigestOutcome};
use crate::sync::time::{Now, Timestamp};

impl Replica {
    /// Handles a control message about this campaign.
    pub(in crate::sync) fn on_message(
        &mut self,
        cx: &mut Context,
        message: &ServerMessage<'_>,
    ) -> Verdict {
        match message {
            ServerMessage::SubscriptionConfirmed { .. } => {
                if core::mem::take(&mut self.lacks_place) {
                    self.begin_following(cx);
                    cx.mark_changed(&self.id);
                }
                Verdict::Control
            }
            ServerMessage::SubscriptionEnded { reason, .. } => {
                match reason.value().as_ref() {
                    "unsubscribed" => return Verdict::Ignored,
                    "forbidden" | "revoked" => self.fail(cx, Code::Forbidden),
                    reason => self.end(cx, reason),
                }
                Verdict::Control
            }
            ServerMessage::EventRecovery(answer) => self.on_recovery(cx, answer),
            ServerMessage::CampaignDigest(digest) => self.on_digest(cx, digest),
            ServerMessage::SnapshotPart(part) => self.on_snapshot_part(cx, part),
            ServerMessage::Error { code, request_id, retry_after_ms, .. } => {
                self.on_error(cx, *code, *request_id, *retry_after_ms);
                Verdict::Control
            }
            ServerMessage::ConnectionAck { .. }
            | ServerMessage::Pong { .. }
            | ServerMessage::Catalogue { .. }
            | ServerMessage::SessionExpired
            | ServerMessage::ServerDraining { .. } => Verdict::Ignored,
        }
    }

    /// Handles `event_recovery`: the server has set the cursor.
    fn on_recovery(&mut self, cx: &mut Context, answer: &EventRecovery<'_>) -> Verdict {
        if !self.recovery.awaits_answer(answer.request_id) {
            return Verdict::Ignored;
        }
        self.freshness.clear_checkpoints();
        let epoch = match (&answer.outcome, &answer.epoch) {
            (RecoveryOutcome::UnknownCampaign, _) | (_, None) => {
                self.fail(cx, Code::UnknownCampaign);
                return Verdict::Control;
            }
            (_, Some(epoch)) => epoch,
        };
        if self.sequencer.superseded().contains(epoch) {
            // The server still has the old log. The client waits until it has the new one.
            self.retry_with_backoff(cx);
            return Verdict::Control;
        }
        match answer.outcome {
            RecoveryOutcome::Replay | RecoveryOutcome::Current => {
                self.on_replay(cx, epoch, answer.from, answer.to);
            }
            RecoveryOutcome::Snapshot | RecoveryOutcome::UnknownCampaign => {
                if !self.download.is_at(epoch, answer.to) {
                    self.discard_download(cx);
                }
                self.recovery.begin_snapshot(cx, epoch.clone(), answer.to);
            }
        }
        Verdict::Control
    }

    /// Handles `replay` or `current`. The client accepts the answer only if it continues the local
    /// position without a hole.
    fn on_replay(
        &mut self,
        cx: &mut Context,
        epoch: &Epoch,
        from: SequenceNumber,
        to: SequenceNumber,
    ) {
        if self.store.position().is_none() && from == SequenceNumber::ZERO.next() {
            self.begin_log(cx, epoch.clone());
        }
        let joins = self.store.position().is_some_and(|position| {
            position.epoch == *epoch && from <= position.sequence_number.next()
        });
        if !joins || self.recovery.needs_snapshot() {
            self.recovery.require_snapshot(cx.now.at);
            self.send_due_request(cx);
            return;
        }
        self.discard_download(cx);
        if to < self.applied() {
            // The server has fewer events than the client. Its answer proves nothing, and it will catch
            // up.
            self.freshness.set_lagging(true);
        }
        self.recovery.begin_replay(cx, from, to);
        self.after_progress(cx);
    }

    /// Handles one `campaign.snapshot` part, of a full snapshot or of a repair.
    fn on_snapshot_part(&mut self, cx: &mut Context, part: &SnapshotPart<'_>) -> Verdict {
        if self.repair.awaits_buckets(part.request_id) {
            return self.on_bucket_part(cx, part);
        }
        if !self.recovery.expects(part) {
            return Verdict::Ignored;
        }
        let added = self.download.add(part);
        cx.mark_changed(&self.id);
        match added {
            Ok(()) => {
                self.recovery.on_part(cx);
                self.finish_snapshot(cx);
                Verdict::Control
            }
            Err(StagingFault::Repeated) => Verdict::Duplicate,
            Err(StagingFault::Gap) => {
                self.retry_now(cx);
                Verdict::Control
            }
            Err(StagingFault::Invalid(code)) => self.refuse_snapshot(cx, code),
        }
    }

    fn finish_snapshot(&mut self, cx: &mut Context) {
        let Some(staging) = self.download.take_complete() else { return };
        if !staging.is_sound() {
            self.refuse_snapshot(cx, Code::InvalidSnapshot);
            return;
        }
        if self.would_go_back(&staging) {
            // The server lags: its snapshot is older than the local state.
            self.retry_with_backoff(cx);
            return;
        }
        // The recovery becomes idle only afterwards, so that the notices of the installation count as
        // learnt in a recovery.
        self.install(cx, *staging);
        let Some(need) = self.recovery.finish_snapshot() else { return };
        self.announce_recovered(cx, need.origin(), "snapshot", 0);
        self.after_progress(cx);
        if self.recovery.is_idle() && !self.sequencer.holds_nothing() {
            self.request_recovery(cx, Reason::Gap, false);
        }
    }

    fn on_bucket_part(&mut self, cx: &mut Context, part: &SnapshotPart<'_>) -> Verdict {
        match self.repair.on_part(cx, part) {
            BucketsOutcome::Ignored => Verdict::Ignored,
            BucketsOutcome::Repeated => Verdict::Duplicate,
            BucketsOutcome::Invalid => Verdict::Refused(Code::InvalidSnapshot),
            BucketsOutcome::Incomplete => Verdict::Control,
            BucketsOutcome::Complete { staging, buckets } => {
                self.finish_repair(cx, *staging, &buckets);
                Verdict::Control
            }
        }
    }

    /// Handles `campaign.digest`: requests the buckets that differ.
    fn on_digest(&mut self, cx: &mut Context, digest: &CampaignDigest<'_>) -> Verdict {
        let Self { repair, id, store, .. } = self;
        match repair.on_digest(cx, digest, (id, store.position()), store.table()) {
            DigestOutcome::Ignored => return Verdict::Ignored,
            DigestOutcome::OtherPosition | DigestOutcome::Requested => {}
            DigestOutcome::Agrees => self.clear_mismatch(cx),
        }
        Verdict::Control
    }

    /// Handles a snapshot part whose content does not open.
    pub(in crate::sync) fn on_undecryptable_part(
        &mut self,
        cx: &mut Context,
        request_id: Option<RawStr<'_>>,
        why: &Undecryptable,
    ) -> Verdict {
        let of_repair = self.repair.awaits_buckets(request_id);
        if !of_repair && !self.recovery.receives_snapshot_of(request_id) {
            return Verdict::Ignored;
        }
        let code = why.code();
        if let Some(missing) = why.missing_key() {
            return self.block_on_missing_key(cx, code, missing);
        }
        self.store.raise(code);
        if !of_repair {
            return self.refuse_snapshot(cx, code);
        }
        // The next comparison finds the difference again.
        self.repair.abandon();
        self.announce_rejected(cx, code, Some(self.applied().next()), Violation::default());
        Verdict::Refused(code)
    }

    /// Handles a head of a `pong`: the last number written to this socket, and the head of the log.
    /// `sent` is the time at which the answered ping was sent.
    pub(in crate::sync) fn on_head(
        &mut self,
        cx: &mut Context,
        sent: Option<Now>,
        head: &Head<'_>,
    ) {
        if self.recovery.is_replaying() {
            return self.on_head_of_replay(cx, sent, head);
        }
        let Some(position) = self.store.position().filter(|_| self.recovery.is_idle()) else {
            return;
        };
        let applied = position.sequence_number;
        if head.epoch != position.epoch {
            if self.sequencer.superseded().contains(&head.epoch) {
                self.freshness.set_lagging(true);
            } else {
                self.diverge(cx, "epoch", head.last_sequence_number);
            }
            return;
        }
        if head.last_sequence_number > applied {
            self.request_recovery(cx, Reason::Tail, false);
        } else if let Some(expected) = sent.and_then(|sent| self.freshness.expected_at_ping(sent))
            && head.last_sequence_number.next() < expected
        {
            self.diverge(cx, "head", head.last_sequence_number);
            return;
        }
        // The server is behind with sending, or has fewer events than the client.
        self.freshness.set_lagging(head.log_head != head.last_sequence_number.max(applied));
        if let Some(sent) = sent {
            self.freshness.observe_head(sent, head.log_head, applied);
        }
        if head.last_sequence_number == applied
            && let Some(count) = head.domains_count
        {
            self.compare(cx, ExpectedDigest { count, digest: head.domains_digest });
        }
    }

    fn on_head_of_replay(&mut self, cx: &mut Context, sent: Option<Now>, head: &Head<'_>) {
        if self.recovery.is_gap(head.last_sequence_number.next()) {
            self.retry_now(cx);
        } else if let Some(position) = self.store.position()
            && let Some(sent) = sent.filter(|_| position.epoch == head.epoch)
        {
            // With this head, a long replay ends with a newer proof than that of its request.
            self.freshness.observe_head(sent, head.log_head, position.sequence_number);
        }
    }

    /// Handles a `pong` without a head of this campaign: regardless of earlier answers, the server no
    /// longer has a cursor for it.
    pub(in crate::sync) fn on_no_head(&mut self, cx: &mut Context, sent: Now) {
        let followed = self.is_active() && self.recovery.is_idle();
        if followed && self.freshness.expected_at_ping(sent).is_some() {
            self.subscribe(cx);
            self.request_recovery(cx, Reason::Tail, false);
        }
    }

    /// Handles an `error` about this campaign.
    fn on_error(
        &mut self,
        cx: &mut Context,
        code: Option<Code>,
        request_id: Option<RawStr<'_>>,
        retry_after_ms: Option<u64>,
    ) {
        if request_id.is_some_and(|id| self.repair.awaits(id)) {
            self.repair.abandon();
            return;
        }
        if let Some(code @ (Code::UnknownCampaign | Code::Forbidden | Code::Unauthorized)) = code {
            return self.fail(cx, code);
        }
        if code == Some(Code::TooMany) && request_id.is_none() {
            // There is no such subscription, so its recovery waits.
            self.lacks_place = true;
            self.waiters.fail(cx, Code::TooMany);
            self.recovery.request(cx.now.at, Reason::Reconnect, false);
            self.recovery.postpone(cx, PLACE_RETRY_MS);
            cx.mark_changed(&self.id);
            return;
        }
        if !self.recovery.awaits_answer(request_id) {
            return;
        }
        if code == Some(Code::InvalidMessage) {
            // The request was valid, so the server lacks the subscription.
            self.subscribe(cx);
        }
        match retry_after_ms {
            Some(retry_after_ms) => self.recovery.postpone(cx, retry_after_ms),
            None => self.retry_with_backoff(cx),
        }
    }

    /// Handles a snapshot that was fetched outside the socket since `began`.
    pub(in crate::sync) fn on_rest_snapshot(
        &mut self,
        cx: &mut Context,
        began: Timestamp,
        staging: Staging,
    ) {
        // The answer may be older than the state that the socket brought since `began`. Of two epochs
        // only the server knows which one is newer, so a late answer of another epoch is ignored.
        let is_other = |here: &Position| here.epoch != staging.position.epoch;
        let is_late =
            self.store.position().is_some_and(is_other) && self.freshness.is_replaced_since(began);
        if is_late || self.would_go_back(&staging) {
            return;
        }
        self.freshness.note_rest_snapshot();
        self.install(cx, staging);
        self.resolve_waiters(cx);
    }
}
