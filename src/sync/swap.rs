//! Snapshots: announced, staged part by part, verified, swapped in whole.

use super::context::Context;
use super::log::{Facts, Level};
use super::notice::Notice;
use super::outcome::Verdict;
use super::recovery::{Recovery, Stream, Want};
use super::repair::Repair;
use super::subscription::Subscription;
use super::{Now, subscription::Strikes};
use crate::protocol::snapshot::SnapshotPart;
use crate::protocol::{Code, Epoch, SequenceNumber};
use crate::store::campaign::Swapped;
use crate::store::{Staging, StagingFault};

impl Subscription {
    /// `event_recovery` with outcome `snapshot`: its parts follow.
    pub(super) fn on_snapshot_announced(
        &mut self,
        cx: &mut Context,
        want: Want,
        asked: Now,
        request_id: String,
        epoch: Epoch,
        at: SequenceNumber,
    ) {
        let same = |staging: &Staging| {
            staging.position.epoch == epoch && staging.position.sequence_number == at
        };
        if !self.staging.as_deref().is_some_and(same) {
            self.staging = None;
        }
        self.stream = Stream::new(at.next(), at);
        let deadline = cx.now.at + cx.config.recovery_deadline_ms;
        self.recovery = Recovery::Receiving { want, request_id, epoch, at, asked, deadline };
    }

    /// One `campaign.snapshot` part, of a full snapshot or of a repair.
    pub(super) fn on_snapshot_part(
        &mut self,
        cx: &mut Context,
        part: &SnapshotPart<'_>,
    ) -> Verdict {
        if let Repair::AwaitingBuckets { request_id, .. } = &self.repair
            && part.request_id.as_deref() == Some(request_id)
        {
            return self.on_bucket_part(cx, part);
        }
        let Recovery::Receiving { request_id, epoch, at, .. } = &self.recovery else {
            return Verdict::Ignored;
        };
        let ours = part.request_id.as_deref().is_none_or(|id| id == request_id)
            && part.epoch == *epoch
            && part.sequence_number == *at;
        if !ours {
            return Verdict::Ignored;
        }
        match stage(&mut self.staging, part) {
            Ok(()) => {
                self.recovery.extend(cx.now.at + cx.config.recovery_deadline_ms);
                self.rate.note_progress();
                self.finish_snapshot(cx);
                Verdict::Control
            }
            Err(StagingFault::Repeated) => Verdict::Duplicate,
            Err(StagingFault::Gap) => {
                // What has arrived is gone on with, unless the rest turns out not to fit to it.
                self.staging = self.staging.take().filter(|staged| staged.is_of(part));
                self.ask_again(cx, 0);
                Verdict::Control
            }
            Err(StagingFault::Invalid(code)) => self.refuse_snapshot(cx, code),
        }
    }

    fn finish_snapshot(&mut self, cx: &mut Context) {
        if !self.staging.as_ref().is_some_and(|staging| staging.is_complete()) {
            return;
        }
        let Some(staging) = self.staging.take() else { return };
        if !staging.is_sound() && !planted!(SnapshotUnchecked) {
            self.refuse_snapshot(cx, Code::InvalidSnapshot);
            return;
        }
        if self.would_go_back(&staging) && !planted!(SnapshotGoesBack) {
            // A lagging replica: its snapshot is older than what we show.
            self.ask_again_later(cx);
            return;
        }
        let Some(want) = self.recovery.want().copied() else { return };
        // Settled only afterwards: what listeners hear of the swap was learnt in a recovery.
        self.install(cx, *staging);
        self.recovery = Recovery::Settled;
        self.announce_recovered(cx, want, "snapshot", 0);
        self.after_progress(cx);
        if self.recovery.is_settled() && !self.held.is_empty() {
            self.want(cx, crate::protocol::client::Reason::Gap, false);
        }
    }

    /// The position never goes back within an epoch, nor to an epoch that was left.
    pub(super) fn would_go_back(&self, staging: &Staging) -> bool {
        self.retired.contains(&staging.position.epoch)
            || self.store.position().is_some_and(|position| {
                position.epoch == staging.position.epoch
                    && position.sequence_number > staging.position.sequence_number
            })
    }

    /// Swaps a verified snapshot in, and tells caches, then listeners.
    pub(super) fn install(&mut self, cx: &mut Context, staging: Staging) {
        let left = self.store.position().map(|position| position.epoch.clone());
        let new_log = left.filter(|epoch| *epoch != staging.position.epoch);
        let reason = if new_log.is_some() { "epoch" } else { "snapshot" };
        if let Some(epoch) = new_log {
            self.retire(cx, epoch);
        }
        let here = self.repair.gave_up_at(&staging.position);
        let swapped = self.store.swap(staging);
        self.window.clear();
        if !here {
            self.repair = Repair::Idle;
        }
        self.strikes = Strikes::default();
        self.proof.clear(cx.now);
        if planted!(SnapshotProves) {
            self.proof.note_current(cx.now);
        }
        cx.ping_wanted = true;
        cx.metrics.snapshots += 1;
        self.invalidate(cx, reason);
        self.announce_swapped(cx, &swapped);
        self.agree(cx);
    }

    pub(super) fn announce_swapped(&mut self, cx: &mut Context, swapped: &Swapped) {
        cx.mark_changed(&self.id);
        if let Some(phase) = swapped.phase {
            self.announce_phase(cx, phase, "snapshot", "");
        }
        if swapped.unconfirmed > 0 {
            let (campaign_id, rows) = (self.id.clone(), swapped.unconfirmed);
            cx.notify(Notice::Unconfirmed { campaign_id, rows });
        }
        cx.log(
            Level::Info,
            "snapshot",
            Facts {
                campaign_id: Some(&self.id),
                sequence_number: Some(self.applied().get()),
                value: Some(swapped.rows),
                ..Facts::default()
            },
        );
    }

    fn retire(&mut self, cx: &Context, epoch: Epoch) {
        self.retired.push(epoch);
        while self.retired.len() > cx.config.retired_epochs_max {
            self.retired.remove(0);
        }
    }

    /// A snapshot that does not add up is not shown; another is asked for.
    pub(super) fn refuse_snapshot(&mut self, cx: &mut Context, code: Code) -> Verdict {
        self.staging = None;
        self.note_rejected(cx, code, None);
        self.ask_again_later(cx);
        Verdict::Refused(code)
    }
}

/// Adds a part to what is staged, or begins with it: a server that could not go on where the last
/// download was cut may cut the same state differently.
pub(super) fn stage(
    staging: &mut Option<Box<Staging>>,
    part: &SnapshotPart<'_>,
) -> Result<(), StagingFault> {
    if let Some(staged) = staging
        && (part.part > 1 || staged.is_of(part))
    {
        return staged.add(part);
    }
    *staging = Some(Box::new(Staging::begin(part)?));
    Ok(())
}
