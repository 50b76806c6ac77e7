//! Freshness: when the state was last proven to be the server's newest, and the observations that may
//! still prove it.

use crate::protocol::SequenceNumber;
use crate::sync::config::{LIVE_AGE_MS, PINGS_OUTSTANDING_MAX};
use crate::sync::context::Context;
use crate::sync::status::Status;
use crate::sync::time::{Now, Timestamp};

/// Records how recently the state was proven current.
#[derive(Clone, Debug, Default)]
pub struct Freshness {
    proof: Proof,
    /// When the state was last proven current, by the wall clock. It outlives the proof.
    proven_at: Option<i64>,
    /// The state was fetched outside the socket, because no socket could be opened.
    loaded_from_rest: bool,
    checkpoints: Vec<PingCheckpoint>,
}

/// The part that is reset when the state is replaced or another socket opens.
#[derive(Clone, Debug, Default)]
struct Proof {
    proven: Option<Now>,
    pending: Option<(Now, SequenceNumber)>,
    /// When the state was replaced by one that is not proven yet.
    replaced: Option<Now>,
    /// The server itself does not have the newest events yet.
    lagging: bool,
}

/// The number that the socket had to carry next when a ping was sent. A correct server has written all
/// numbers before it.
#[derive(Clone, Copy, Debug)]
struct PingCheckpoint {
    sent: Now,
    next: SequenceNumber,
}

impl Freshness {
    /// Records that the log's head was `head` at some moment after `sent`. A server that has fewer
    /// events than the client proves nothing.
    pub(super) fn observe_head(
        &mut self,
        sent: Now,
        head: SequenceNumber,
        applied: SequenceNumber,
    ) {
        if applied == head {
            self.prove(sent);
        } else if applied < head {
            self.proof.pending = Some((sent, head));
        }
    }

    /// Records that all events up to `applied` have been applied.
    pub(super) fn on_applied(&mut self, applied: SequenceNumber) {
        if let Some((sent, head)) = self.proof.pending
            && applied >= head
        {
            self.proof.pending = None;
            self.proof.lagging = false;
            self.prove(sent);
        }
    }

    /// Records that the state was the newest at some moment after `sent`.
    // Not inline, because the module proves the state in six places.
    #[inline(never)]
    pub(in crate::sync) fn prove(&mut self, sent: Now) {
        if self.proof.proven.is_none_or(|proven| proven.at <= sent.at) {
            self.proof.proven = Some(sent);
            self.proven_at = Some(sent.wall_ms);
        }
    }

    /// When the state was last proven current, in milliseconds since 1970.
    pub(in crate::sync) const fn proven_at(&self) -> Option<i64> {
        self.proven_at
    }

    /// The state was replaced: earlier proofs do not apply to the new one, and a proof of it is
    /// pending.
    pub(super) fn clear(&mut self, now: Now) {
        self.proof = Proof { replaced: Some(now), ..Proof::default() };
    }

    /// Another socket is open. It may lead to another server, so earlier proofs do not count.
    pub(in crate::sync) fn on_open(&mut self, now: Now) {
        self.clear_checkpoints();
        self.clear(now);
        self.loaded_from_rest = false;
    }

    /// Records that the state comes from a fetch outside the socket.
    pub(super) const fn note_rest_snapshot(&mut self) {
        self.loaded_from_rest = true;
    }

    /// Whether the state was fetched outside the socket.
    pub(super) const fn is_from_rest(&self) -> bool {
        self.loaded_from_rest
    }

    /// Whether the server lacks events that exist.
    pub(super) const fn is_lagging(&self) -> bool {
        self.proof.lagging
    }

    /// Records whether the server lacks events that exist.
    pub(super) const fn set_lagging(&mut self, lagging: bool) {
        self.proof.lagging = lagging;
    }

    /// Whether the state was replaced, or another socket opened, at or after `began`.
    pub(super) fn is_replaced_since(&self, began: Timestamp) -> bool {
        self.proof.replaced.is_some_and(|replaced| replaced.at >= began)
    }

    /// The status of a state of which nothing is known to be missing.
    pub(in crate::sync) fn status(&self, now: Now) -> Status {
        if self.is_fresh(now) {
            Status::Live
        } else if self.is_pending(now) {
            Status::Recovering
        } else {
            Status::Unproven
        }
    }

    /// Whether a proof may still arrive in time.
    fn is_pending(&self, now: Now) -> bool {
        self.proof.proven.is_none()
            && self.proof.replaced.is_some_and(|since| now.age_of(since) < LIVE_AGE_MS)
    }

    /// Whether the state is proven current within [`LIVE_AGE_MS`].
    fn is_fresh(&self, now: Now) -> bool {
        self.proof.proven.is_some_and(|proven| now.age_of(proven) < LIVE_AGE_MS)
    }

    /// When `status` is no longer true, because the proof expires, or the wait for the first proof.
    pub(in crate::sync) fn expiry(&self, cx: &Context, status: Status) -> Timestamp {
        match self.proof.proven.or(self.proof.replaced).map(|it| it.at + LIVE_AGE_MS) {
            Some(at) if at > cx.now.at && matches!(status, Status::Live | Status::Recovering) => at,
            Some(_) | None => Timestamp::NEVER,
        }
    }

    /// Records a ping that is sent while the socket must carry `next`.
    pub(super) fn record_ping(&mut self, sent: Now, next: SequenceNumber) {
        self.checkpoints.push(PingCheckpoint { sent, next });
        if self.checkpoints.len() > PINGS_OUTSTANDING_MAX {
            self.checkpoints.remove(0);
        }
    }

    /// The number that the socket had to carry next when that ping was sent; `None` if the cursor was
    /// set since.
    pub(super) fn expected_at_ping(&self, sent: Now) -> Option<SequenceNumber> {
        self.checkpoints.iter().find(|checkpoint| checkpoint.sent == sent).map(|it| it.next)
    }

    /// Removes all checkpoints. The cursor was set, so they do not apply to the numbers that the server
    /// writes now.
    pub(super) fn clear_checkpoints(&mut self) {
        self.checkpoints.clear();
    }
}
