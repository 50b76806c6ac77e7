//! Repair of rows that differ. The digest identifies the differing buckets, and the client downloads
//! only these again.
//!
//! Only this module changes the state. It queues its requests for the server and returns their outcome.

use crate::protocol::json::RawStr;
use crate::protocol::server::CampaignDigest;
use crate::protocol::snapshot::SnapshotPart;
use crate::protocol::{CampaignId, Position, client};
use crate::store::staging::differing_buckets;
use crate::store::{DomainTable, Staging, StagingFault};
use crate::sync::context::{Context, RequestId};
use crate::sync::subscription::snapshot::SnapshotDownload;
use crate::sync::time::Timestamp;

/// The known difference between the local rows and the server's.
#[derive(Clone, Debug, Default)]
enum State {
    /// Rows agree, as far as is known.
    #[default]
    Agreed,
    /// Rows differ. A repair begins when it can.
    Mismatched,
    /// Rows differ, and a request was sent. It is given up at `deadline`.
    InFlight { request_id: RequestId, deadline: Timestamp, request: Request },
}

/// A request to the server.
#[derive(Clone, Debug)]
enum Request {
    /// For the bucket digests.
    Digest,
    /// For the differing buckets.
    Buckets { buckets: Vec<u8>, download: SnapshotDownload },
}

/// The repair of one campaign.
#[derive(Clone, Debug, Default)]
pub(super) struct Repair {
    state: State,
    /// The position at which a repair did not help. The client tries no other repair there, until both
    /// sides agree again.
    exhausted: Option<Position>,
}

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
        !matches!(self.state, State::Agreed)
    }

    /// When the request in flight is given up.
    pub(super) const fn deadline(&self) -> Timestamp {
        match self.state {
            State::InFlight { deadline, .. } => deadline,
            State::Agreed | State::Mismatched => Timestamp::NEVER,
        }
    }

    /// Whether a request is in flight.
    pub(super) const fn is_in_flight(&self) -> bool {
        matches!(self.state, State::InFlight { .. })
    }

    /// Whether the request with this id is in flight.
    pub(super) fn awaits(&self, id: RawStr<'_>) -> bool {
        matches!(self.state, State::InFlight { request_id, .. } if request_id.is(id))
    }

    /// Whether snapshot parts for this request are the requested buckets.
    pub(super) fn awaits_buckets(&self, request: Option<RawStr<'_>>) -> bool {
        matches!(self.state, State::InFlight { request: Request::Buckets { .. }, .. })
            && request.is_some_and(|id| self.awaits(id))
    }

    /// Records that a comparison found a difference.
    pub(super) fn note_mismatch(&mut self) {
        if !self.is_mismatched() {
            self.state = State::Mismatched;
        }
    }

    /// Records that both sides hold the same rows. Returns whether rows were known to differ.
    pub(super) fn note_agreement(&mut self) -> bool {
        core::mem::take(self).is_mismatched()
    }

    /// Records that a snapshot at `position` was installed, so both sides agree. If a repair did not
    /// help at that position, the client tries no other repair there. Returns whether rows were known
    /// to differ.
    pub(super) fn on_installed(&mut self, position: Option<&Position>) -> bool {
        let exhausted = self.exhausted.take().filter(|it| is_at(position, it));
        let differed = self.note_agreement();
        self.exhausted = exhausted;
        differed
    }

    /// Drops the request in flight, because it will not be answered or its answer does not help.
    pub(super) fn abandon(&mut self) {
        if self.is_in_flight() {
            self.state = State::Mismatched;
        }
    }

    /// Stops the repair, because the campaign is no longer followed. Only a known difference is kept.
    pub(super) fn stop(&mut self) {
        self.abandon();
        self.exhausted = None;
    }

    /// Requests the server's bucket digests, unless rows agree, a repair is in flight, or a repair did
    /// not help at `position`.
    pub(super) fn begin(&mut self, cx: &mut Context, id: &CampaignId, position: &Position) {
        let is_exhausted = self.exhausted.as_ref().is_some_and(|it| is_at(Some(position), it));
        if is_exhausted || !matches!(self.state, State::Mismatched) {
            return;
        }
        self.exhausted = None;
        let request_id = cx.request_id();
        cx.send(client::request_campaign_digest(id, &request_id.text()));
        self.await_answer(cx, request_id, Request::Digest);
    }

    fn await_answer(&mut self, cx: &Context, request_id: RequestId, request: Request) {
        self.state = State::InFlight { request_id, deadline: cx.request_deadline(), request };
    }

    /// Handles `campaign.digest`: requests the buckets that differ.
    pub(super) fn on_digest(
        &mut self,
        cx: &mut Context,
        digest: &CampaignDigest<'_>,
        (id, position): (&CampaignId, Option<&Position>),
        table: &DomainTable,
    ) -> DigestOutcome {
        let State::InFlight { request_id, request: Request::Digest, .. } = self.state else {
            return DigestOutcome::Ignored;
        };
        if !digest.request_id.is_some_and(|id| request_id.is(id)) {
            return DigestOutcome::Ignored;
        }
        self.state = State::Mismatched;
        let is_here = |it: &Position| it.is_at(&digest.epoch, digest.sequence_number);
        if !position.is_some_and(is_here) {
            return DigestOutcome::OtherPosition;
        }
        let buckets = differing_buckets(table.buckets(), &digest.buckets);
        if buckets.is_empty() {
            return DigestOutcome::Agrees;
        }
        let request_id = cx.request_id();
        cx.send(client::request_bucket_snapshot(id, &request_id.text(), &buckets));
        let request = Request::Buckets { buckets, download: SnapshotDownload::default() };
        self.await_answer(cx, request_id, request);
        DigestOutcome::Requested
    }

    /// Stages one part of the differing buckets.
    pub(super) fn on_part(&mut self, cx: &Context, part: &SnapshotPart<'_>) -> BucketsOutcome {
        let State::InFlight { deadline, request: Request::Buckets { buckets, download }, .. } =
            &mut self.state
        else {
            return BucketsOutcome::Ignored;
        };
        match download.add(part) {
            Ok(()) => *deadline = cx.request_deadline(),
            Err(StagingFault::Repeated) => return BucketsOutcome::Repeated,
            Err(StagingFault::Gap | StagingFault::Invalid(_)) => {
                self.state = State::Mismatched;
                return BucketsOutcome::Invalid;
            }
        }
        let Some(staging) = download.take_complete() else { return BucketsOutcome::Incomplete };
        let buckets = core::mem::take(buckets);
        self.state = State::Mismatched;
        BucketsOutcome::Complete { staging, buckets }
    }

    /// Records that the buckets did not help at `position`.
    pub(super) fn exhaust(&mut self, position: Position) {
        self.state = State::Mismatched;
        self.exhausted = Some(position);
    }
}

fn is_at(position: Option<&Position>, other: &Position) -> bool {
    position.is_some_and(|it| it.is_at(&other.epoch, other.sequence_number))
}
