//! Freshness: when the state was last known to be the server's newest, and what may still prove it.

use crate::protocol::SequenceNumber;
use crate::sync::config::{Config, PINGS_OUTSTANDING_MAX};
use crate::sync::time::{Now, Timestamp};

/// What is proven of the state's age.
#[derive(Clone, Debug, Default)]
pub(super) struct Freshness {
    proof: Proof,
    /// The state was fetched outside the socket, because none could be had.
    loaded_from_rest: bool,
    checkpoints: Vec<PingCheckpoint>,
}

/// What holds until the state is replaced or another socket opens.
#[derive(Clone, Debug, Default)]
struct Proof {
    proven: Option<Now>,
    pending: Option<(Now, SequenceNumber)>,
    /// When the state was replaced by one that nothing has proven yet.
    replaced: Option<Now>,
    /// The server itself does not have the newest events yet.
    lagging: bool,
}

/// What the socket had to carry next when a ping was sent: an honest server has written all before it.
#[derive(Clone, Copy, Debug)]
struct PingCheckpoint {
    sent: Now,
    next: SequenceNumber,
}

impl Freshness {
    /// The log's head was `head` at some moment after `sent`. A server that has less than we do
    /// proves nothing.
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

    /// Everything up to `applied` has been applied.
    pub(super) fn on_applied(&mut self, applied: SequenceNumber) {
        if let Some((sent, head)) = self.proof.pending
            && applied >= head
        {
            self.proof.pending = None;
            self.proof.lagging = false;
            self.prove(sent);
        }
    }

    /// The state was the newest at some moment after `sent`.
    pub(super) fn prove(&mut self, sent: Now) {
        if self.proof.proven.is_none_or(|proven| proven.at <= sent.at) {
            self.proof.proven = Some(sent);
        }
    }

    /// The state was replaced: nothing is proven of the new one, but a proof is pending.
    pub(super) fn clear(&mut self, now: Now) {
        self.proof = Proof { replaced: Some(now), ..Proof::default() };
    }

    /// Another socket is open. It may lead to another server, so the proofs of the former one do not
    /// count.
    pub(super) fn on_open(&mut self, now: Now) {
        self.clear_checkpoints();
        self.clear(now);
        self.loaded_from_rest = false;
    }

    /// The state comes from a fetch outside the socket.
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

    /// Notes whether the server lacks events that exist.
    pub(super) const fn set_lagging(&mut self, lagging: bool) {
        self.proof.lagging = lagging;
    }

    /// Whether the state was replaced, or another socket opened, at `began` or since.
    pub(super) fn is_replaced_since(&self, began: Timestamp) -> bool {
        self.proof.replaced.is_some_and(|replaced| replaced.at >= began)
    }

    /// Whether a proof may still come in time.
    pub(super) fn is_pending(&self, config: &Config, now: Now) -> bool {
        self.proof.proven.is_none()
            && self.proof.replaced.is_some_and(|since| now.age_of(since) < config.live_age_ms)
    }

    /// Whether the state is proven current within the promised age.
    pub(super) fn is_fresh(&self, config: &Config, now: Now) -> bool {
        self.proof.proven.is_some_and(|proven| now.age_of(proven) < config.live_age_ms)
    }

    /// When the proof expires.
    pub(super) fn expiry(&self, config: &Config) -> Option<Timestamp> {
        self.proof.proven.or(self.proof.replaced).map(|proven| proven.at + config.live_age_ms)
    }

    /// A ping is sent while the socket must carry `next`.
    pub(super) fn record_ping(&mut self, sent: Now, next: SequenceNumber) {
        self.checkpoints.push(PingCheckpoint { sent, next });
        if self.checkpoints.len() > PINGS_OUTSTANDING_MAX {
            self.checkpoints.remove(0);
        }
    }

    /// What the socket had to carry next when that ping was sent, unless the cursor was set since.
    pub(super) fn expected_at_ping(&self, sent: Now) -> Option<SequenceNumber> {
        self.checkpoints.iter().find(|checkpoint| checkpoint.sent == sent).map(|it| it.next)
    }

    /// The cursor was set: earlier checkpoints say nothing about what the server has written since.
    pub(super) fn clear_checkpoints(&mut self) {
        self.checkpoints.clear();
    }
}
