//! Repair of rows that differ: the digest finds the buckets, and only these come again.

use super::Timestamp;
use super::context::Context;
use super::log::{Facts, Level};
use super::notice::Notice;
use super::outcome::Verdict;
use super::subscription::Subscription;
use super::swap::stage;
use crate::protocol::client::Reason;
use crate::protocol::server::CampaignDigest;
use crate::protocol::snapshot::SnapshotPart;
use crate::protocol::{Code, Epoch, Position, SequenceNumber, client};
use crate::store::staging::differing_buckets;
use crate::store::{Claim, Discrepancy, Staging, StagingFault};

/// How far a repair has come.
#[derive(Clone, Debug, Default)]
pub enum Repair {
    /// Rows agree, as far as anybody has said.
    #[default]
    Idle,
    /// The server's bucket digests were asked for.
    AwaitingDigest {
        /// Names the answer.
        request_id: String,
        /// When it is given up, to be found again by the next comparison.
        deadline: Timestamp,
    },
    /// The differing buckets were asked for.
    AwaitingBuckets {
        /// Names the parts.
        request_id: String,
        /// Which.
        buckets: Vec<u8>,
        /// What has arrived.
        staging: Option<Box<Staging>>,
        /// When it is given up.
        deadline: Timestamp,
    },
    /// A repair at this position did not help; another is not tried before it moves, or both sides
    /// agree again.
    GaveUp {
        /// The log.
        epoch: Epoch,
        /// The number.
        at: SequenceNumber,
    },
}

impl Repair {
    /// When it is given up.
    pub const fn deadline(&self) -> Option<Timestamp> {
        match self {
            Self::AwaitingDigest { deadline, .. } | Self::AwaitingBuckets { deadline, .. } => {
                Some(*deadline)
            }
            Self::Idle | Self::GaveUp { .. } => None,
        }
    }

    /// Whether a repair at exactly this position did not help.
    pub fn gave_up_at(&self, position: &Position) -> bool {
        matches!(self, Self::GaveUp { epoch, at }
            if *epoch == position.epoch && *at == position.sequence_number)
    }

    /// Whether one is under way.
    pub const fn in_flight(&self) -> bool {
        self.deadline().is_some()
    }
}

impl Subscription {
    /// Compares what the server claims of its rows at exactly our position with ours.
    pub(super) fn compare(&mut self, cx: &mut Context, claim: Claim) {
        let Some(discrepancy) = claim.compare(self.store.table()) else {
            cx.metrics.consistency_checks_passed += 1;
            if claim.digest.is_some() {
                self.repair = Repair::Idle;
                self.agree(cx);
            }
            return;
        };
        cx.metrics.consistency_checks_failed += 1;
        self.announce_discrepancy(cx, discrepancy);
        self.begin_repair(cx);
    }

    /// Asks which buckets differ, unless a repair is under way or was in vain here. While something
    /// is missing it waits: what is missing may be the difference.
    pub(super) fn begin_repair(&mut self, cx: &mut Context) {
        let Some(position) = self.store.position() else { return };
        let gave_up_here = self.repair.gave_up_at(position);
        let busy = self.repair.in_flight() || !self.recovery.is_settled();
        if !self.disagrees || cx.socket.is_none() || busy || gave_up_here {
            return;
        }
        let request_id = cx.request_id();
        cx.send(client::request_campaign_digest(&self.id, &request_id));
        let deadline = cx.now.at + cx.config.recovery_deadline_ms;
        self.repair = Repair::AwaitingDigest { request_id, deadline };
    }

    pub(super) fn announce_discrepancy(&mut self, cx: &mut Context, discrepancy: Discrepancy) {
        self.disagrees = true;
        if discrepancy.is_large() {
            self.store.raise(Code::LargeDiscrepancy);
            cx.mark_changed(&self.id);
        }
        self.announce_comparison(cx, false, discrepancy);
        let level = if discrepancy.warns() { Level::Warn } else { Level::Info };
        cx.log(
            level,
            "discrepancy",
            Facts {
                campaign_id: Some(&self.id),
                sequence_number: Some(self.applied().get()),
                value: Some(discrepancy.difference()),
                ..Facts::default()
            },
        );
    }

    fn announce_comparison(&self, cx: &mut Context, ok: bool, discrepancy: Discrepancy) {
        cx.notify(Notice::Consistency {
            campaign_id: self.id.clone(),
            ok,
            server_count: discrepancy.server_count,
            local_count: discrepancy.local_count,
            difference: discrepancy.difference(),
            warn: discrepancy.warns(),
            large: discrepancy.is_large(),
        });
    }

    /// `campaign.digest`: which buckets differ?
    pub(super) fn on_digest(&mut self, cx: &mut Context, digest: &CampaignDigest<'_>) -> Verdict {
        let Repair::AwaitingDigest { request_id, .. } = &self.repair else {
            return Verdict::Ignored;
        };
        if digest.request_id.as_deref() != Some(request_id) {
            return Verdict::Ignored;
        }
        self.repair = Repair::Idle;
        if !self.stands_at(&digest.epoch, digest.sequence_number) {
            return Verdict::Control;
        }
        let buckets = differing_buckets(self.store.table().buckets(), &digest.buckets);
        if buckets.is_empty() {
            self.agree(cx);
            return Verdict::Control;
        }
        let request_id = cx.request_id();
        cx.send(client::request_bucket_snapshot(&self.id, &request_id, &buckets));
        let deadline = cx.now.at + cx.config.recovery_deadline_ms;
        self.repair = Repair::AwaitingBuckets { request_id, buckets, staging: None, deadline };
        Verdict::Control
    }

    /// One part of the differing buckets.
    pub(super) fn on_bucket_part(&mut self, cx: &mut Context, part: &SnapshotPart<'_>) -> Verdict {
        let Repair::AwaitingBuckets { staging, deadline, .. } = &mut self.repair else {
            return Verdict::Ignored;
        };
        match stage(staging, part) {
            Ok(()) => *deadline = cx.now.at + cx.config.recovery_deadline_ms,
            Err(StagingFault::Repeated) => return Verdict::Duplicate,
            Err(StagingFault::Gap | StagingFault::Invalid(_)) => {
                // The next comparison finds the difference again.
                self.repair = Repair::Idle;
                return Verdict::Refused(Code::InvalidSnapshot);
            }
        }
        if staging.as_ref().is_some_and(|staging| staging.is_complete())
            && let Repair::AwaitingBuckets { staging: Some(staging), buckets, .. } =
                core::mem::take(&mut self.repair)
        {
            self.finish_repair(cx, *staging, &buckets);
        }
        Verdict::Control
    }

    fn finish_repair(&mut self, cx: &mut Context, staging: Staging, buckets: &[u8]) {
        let (epoch, at) = (staging.position.epoch.clone(), staging.position.sequence_number);
        if !self.stands_at(&epoch, at) {
            return;
        }
        if !staging.completes(self.store.table(), buckets) && !planted!(RepairUnchecked) {
            return self.give_up(cx, epoch, at);
        }
        let rows = staging.table.len() as u64;
        match self.store.repair(staging, buckets) {
            Ok(swapped) => {
                cx.metrics.repairs += 1;
                self.invalidate(cx, "divergence");
                self.announce_swapped(cx, &swapped);
                self.agree(cx);
                let (campaign_id, buckets) = (self.id.clone(), buckets.len() as u64);
                cx.notify(Notice::Repaired { campaign_id, buckets, rows });
            }
            Err(_) => self.give_up(cx, epoch, at),
        }
    }

    /// The buckets did not help at this position. A whole snapshot proves itself; if the server's
    /// claims contradict that one too, nothing more is tried here.
    fn give_up(&mut self, cx: &mut Context, epoch: Epoch, at: SequenceNumber) {
        self.repair = Repair::GaveUp { epoch, at };
        self.want(cx, Reason::Divergence, true);
    }

    /// Both sides hold the same rows. Listeners hear of it when they had heard otherwise.
    pub(super) fn agree(&mut self, cx: &mut Context) {
        if self.store.error().is_some() {
            self.store.clear_error();
            cx.mark_changed(&self.id);
        }
        if core::mem::take(&mut self.disagrees) {
            let count = self.store.table().len() as u64;
            let agreed = Discrepancy { server_count: count, local_count: count };
            self.announce_comparison(cx, true, agreed);
        }
    }

    fn stands_at(&self, epoch: &Epoch, number: SequenceNumber) -> bool {
        self.store
            .position()
            .is_some_and(|position| position.epoch == *epoch && position.sequence_number == number)
    }
}
