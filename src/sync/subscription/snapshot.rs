//! A snapshot while it arrives: staged part by part beside the store, until it is complete.

use crate::protocol::snapshot::SnapshotPart;
use crate::protocol::{Epoch, SequenceNumber};
use crate::store::{Staging, StagingFault};

/// The download of a snapshot, if there is one. It outlives the socket, so that an interrupted download
/// can be resumed.
#[derive(Clone, Debug, Default)]
pub(super) struct SnapshotDownload(Option<Box<Staging>>);

impl SnapshotDownload {
    /// The parts that have arrived. The server resumes after them.
    pub(super) fn staging(&self) -> Option<&Staging> {
        self.0.as_deref()
    }

    /// Handles the announcement of the snapshot at that position. Drops the parts of any other
    /// snapshot.
    pub(super) fn announce(&mut self, epoch: &Epoch, at: SequenceNumber) {
        let position = self.0.as_ref().map(|staging| &staging.position);
        if !position.is_some_and(|it| it.epoch == *epoch && it.sequence_number == at) {
            self.discard();
        }
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

    /// Drops the parts that have arrived.
    pub(super) fn discard(&mut self) {
        self.0 = None;
    }
}
