//! Repair of rows that differ. The digest identifies the differing buckets, and the client downloads
//! only these again.
//!
//! Only this module changes the state. It queues its requests for the server and returns their outcome.

use crate::protocol::json::RawStr;
use crate::protocol::server::CampaignDigest;
use crate::protocol::snapshot::SnapshotPart;
use crate::protocol::{CampaignId, Epoch, Position, SequenceNumber, client};
use crate::store::staging::differing_buckets;
use crate::store::{DomainTable, Staging, StagingFault};
use crate::sync::context::{Context, RequestId};
use crate::sync::time::Timestamp;

/// The known difference between the local rows and the server's.
#[derive(Clone, Debug, Default)]
enum State {
    /// Rows agree, as far as is known.
    #[default]
    Agreed,
    /// Rows differ. A repair begins when it can.
    Mismatched,
    /// The server's bucket digests were requested.
    AwaitingDigest { request_id: RequestId, deadline: Timestamp },
    /// The differing buckets were requested; `staging` holds the parts that have arrived.
    AwaitingBuckets {
        request_id: RequestId,
        buckets: Vec<u8>,
        staging: Option<Box<Staging>>,
        deadline: Timestamp,
    },
    /// A repair at this position did not help. The client tries no other repair until the position
    /// moves or both sides agree again.
    Exhausted { epoch: Epoch, at: SequenceNumber, mismatch: bool },
}

/// The repair of one campaign.
#[derive(Clone, Debug, Default)]
pub(super) struct Repair(State);

/// The result of a digest from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DigestOutcome {
    /// The digest does not answer the current request.
    Ignored,
    /// The digest is of another position than the local one.
    OtherPosition,
    /// All buckets are equal.
    Agrees,
    /// The buckets that differ were requested.
    Requested,
}

/// The result of one part of the differing buckets.
#[derive(Debug)]
pub(super) enum BucketsOutcome {
    /// The part does not answer the current request.
    Ignored,
    /// The part has already arrived.
    Repeated,
    /// The part does not fit. The next comparison finds the difference again.
    Invalid,
    /// More parts follow.
    Incomplete,
    /// The requested buckets are complete.
    Complete { staging: Box<Staging>, buckets: Vec<u8> },
}

impl Repair {
    /// Whether rows are known to differ.
    pub(super) const fn is_mismatched(&self) -> bool {
        match &self.0 {
            State::Agreed => false,
            State::Mismatched | State::AwaitingDigest { .. } | State::AwaitingBuckets { .. } => {
                true
            }
            State::Exhausted { mismatch, .. } => *mismatch,
        }
    }

    /// When the request in flight is given up.
    pub(super) const fn deadline(&self) -> Timestamp {
        match &self.0 {
            State::AwaitingDigest { deadline, .. } | State::AwaitingBuckets { deadline, .. } => {
                *deadline
            }
            State::Agreed | State::Mismatched | State::Exhausted { .. } => Timestamp::NEVER,
        }
    }

    /// Whether a request is in flight.
    pub(super) const fn is_in_flight(&self) -> bool {
        matches!(self.0, State::AwaitingDigest { .. } | State::AwaitingBuckets { .. })
    }

    /// Whether the request with this id is in flight.
    pub(super) fn awaits(&self, id: RawStr<'_>) -> bool {
        match &self.0 {
            State::AwaitingDigest { request_id, .. }
            | State::AwaitingBuckets { request_id, .. } => request_id.is(id),
            State::Agreed | State::Mismatched | State::Exhausted { .. } => false,
        }
    }

    /// Whether snapshot parts for this request are the requested buckets.
    pub(super) fn awaits_buckets(&self, request: Option<RawStr<'_>>) -> bool {
        matches!(&self.0, State::AwaitingBuckets { request_id, .. } if request.is_some_and(|id| request_id.is(id)))
    }

    /// Records that a comparison found a difference.
    pub(super) fn note_mismatch(&mut self) {
        match &mut self.0 {
            State::Agreed => self.0 = State::Mismatched,
            State::Exhausted { mismatch, .. } => *mismatch = true,
            State::Mismatched | State::AwaitingDigest { .. } | State::AwaitingBuckets { .. } => {}
        }
    }

    /// Records that both sides hold the same rows. Returns whether rows were known to differ.
    pub(super) fn note_agreement(&mut self) -> bool {
        let differed = self.is_mismatched();
        self.0 = State::Agreed;
        differed
    }

    /// Records that a snapshot at `position` was installed, so both sides agree. If a repair did not
    /// help at that position, the client tries no other repair there. Returns whether rows were known
    /// to differ.
    pub(super) fn on_installed(&mut self, position: Option<&Position>) -> bool {
        let differed = self.is_mismatched();
        match &mut self.0 {
            State::Exhausted { epoch, at, mismatch } if is_at(position, epoch, *at) => {
                *mismatch = false;
            }
            State::Agreed
            | State::Mismatched
            | State::AwaitingDigest { .. }
            | State::AwaitingBuckets { .. }
            | State::Exhausted { .. } => self.0 = State::Agreed,
        }
        differed
    }

    /// Drops the request in flight, because it will not be answered or its answer does not help.
    pub(super) fn abandon(&mut self) {
        if self.is_in_flight() {
            self.0 = State::Mismatched;
        }
    }

    /// Stops the repair, because the campaign is no longer followed. Only a known difference is kept.
    pub(super) fn stop(&mut self) {
        self.0 = if self.is_mismatched() { State::Mismatched } else { State::Agreed };
    }

    /// Requests the server's bucket digests, unless rows agree, a repair is in flight, or a repair did
    /// not help at `position`.
    pub(super) fn begin(&mut self, cx: &mut Context, id: &CampaignId, position: &Position) {
        match &self.0 {
            State::Mismatched => {}
            State::Exhausted { epoch, at, mismatch: true }
                if !is_at(Some(position), epoch, *at) => {}
            State::Agreed
            | State::AwaitingDigest { .. }
            | State::AwaitingBuckets { .. }
            | State::Exhausted { .. } => return,
        }
        let request_id = cx.request_id();
        cx.send(client::request_campaign_digest(id, &request_id.text()));
        self.0 = State::AwaitingDigest { request_id, deadline: cx.request_deadline() };
    }

    /// Handles `campaign.digest`: requests the buckets that differ.
    pub(super) fn on_digest(
        &mut self,
        cx: &mut Context,
        digest: &CampaignDigest<'_>,
        (id, position): (&CampaignId, Option<&Position>),
        table: &DomainTable,
    ) -> DigestOutcome {
        let State::AwaitingDigest { request_id, .. } = &self.0 else {
            return DigestOutcome::Ignored;
        };
        if !digest.request_id.is_some_and(|id| request_id.is(id)) {
            return DigestOutcome::Ignored;
        }
        self.0 = State::Mismatched;
        if !is_at(position, &digest.epoch, digest.sequence_number) {
            return DigestOutcome::OtherPosition;
        }
        let buckets = differing_buckets(table.buckets(), &digest.buckets);
        if buckets.is_empty() {
            return DigestOutcome::Agrees;
        }
        let request_id = cx.request_id();
        cx.send(client::request_bucket_snapshot(id, &request_id.text(), &buckets));
        let deadline = cx.request_deadline();
        self.0 = State::AwaitingBuckets { request_id, buckets, staging: None, deadline };
        DigestOutcome::Requested
    }

    /// Stages one part of the differing buckets.
    pub(super) fn on_part(&mut self, cx: &Context, part: &SnapshotPart<'_>) -> BucketsOutcome {
        let State::AwaitingBuckets { staging, deadline, .. } = &mut self.0 else {
            return BucketsOutcome::Ignored;
        };
        match Staging::stage(staging, part) {
            Ok(()) => *deadline = cx.request_deadline(),
            Err(StagingFault::Repeated) => return BucketsOutcome::Repeated,
            Err(StagingFault::Gap | StagingFault::Invalid(_)) => {
                self.0 = State::Mismatched;
                return BucketsOutcome::Invalid;
            }
        }
        if !staging.as_ref().is_some_and(|staging| staging.is_complete()) {
            return BucketsOutcome::Incomplete;
        }
        match core::mem::replace(&mut self.0, State::Mismatched) {
            State::AwaitingBuckets { staging: Some(staging), buckets, .. } => {
                BucketsOutcome::Complete { staging, buckets }
            }
            State::Agreed
            | State::Mismatched
            | State::AwaitingDigest { .. }
            | State::AwaitingBuckets { .. }
            | State::Exhausted { .. } => BucketsOutcome::Ignored,
        }
    }

    /// Records that the buckets did not help at `position`.
    pub(super) fn exhaust(&mut self, position: Position) {
        let Position { epoch, sequence_number: at, .. } = position;
        self.0 = State::Exhausted { epoch, at, mismatch: true };
    }
}

fn is_at(position: Option<&Position>, epoch: &Epoch, at: SequenceNumber) -> bool {
    position.is_some_and(|position| position.epoch == *epoch && position.sequence_number == at)
}
