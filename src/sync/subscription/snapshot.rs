//! A snapshot while it arrives: staged part by part beside the store, until it is complete.

use crate::protocol::snapshot::SnapshotPart;
use crate::protocol::{Epoch, SequenceNumber};
use crate::store::{Staging, StagingFault};

/// The download of a snapshot, or of the buckets of a repair, if there is one. That of a snapshot outlives
/// the socket, so that it can be resumed.
#[derive(Clone, Debug, Default)]
pub(super) struct SnapshotDownload(Option<Box<Staging>>);

impl SnapshotDownload {
    /// The parts that have arrived. The server resumes after them.
    pub(super) fn staging(&self) -> Option<&Staging> {
        self.0.as_deref()
    }

    /// Whether the parts that have arrived are of the snapshot at that position.
    pub(super) fn is_at(&self, epoch: &Epoch, at: SequenceNumber) -> bool {
        self.0.as_ref().is_some_and(|staging| staging.position.is_at(epoch, at))
    }

    /// Stages a part.
    ///
    /// # Errors
    /// As [`Staging::add`]. After [`StagingFault::Gap`] the earlier parts are kept if `part` belongs to
    /// the same snapshot. After [`StagingFault::Invalid`] the caller should discard them.
    pub(super) fn add(&mut self, part: &SnapshotPart<'_>) -> Result<(), StagingFault> {
        let added = Staging::stage(&mut self.0, part);
        if added == Err(StagingFault::Gap) {
            self.0 = self.0.take().filter(|staged| staged.is_of(part));
        }
        added
    }

    /// Removes and returns the snapshot, if all parts have arrived.
    pub(super) fn take_complete(&mut self) -> Option<Box<Staging>> {
        self.0.take_if(|staging| staging.is_complete())
    }

    /// Drops the parts that have arrived. Returns whether there were any.
    pub(super) fn discard(&mut self) -> bool {
        self.0.take().is_some()
    }
}
