//! A snapshot that is arriving. It is built beside the store, verified, and only then installed.

use super::DomainTable;
use crate::protocol::campaign::CampaignRecord;
use crate::protocol::client::SnapshotResume;
use crate::protocol::digest::{Bucket, bucket_of, id_hash};
use crate::protocol::snapshot::{RestSnapshot, SnapshotPart};
use crate::protocol::{Code, Digest, Position};

/// A snapshot whose first parts have arrived.
#[derive(Clone, Debug)]
pub struct Staging {
    /// The position of the snapshot.
    pub position: Position,
    /// The campaign record.
    pub record: Option<CampaignRecord>,
    /// The rows that have arrived.
    pub table: DomainTable,
    parts: u64,
    received: u64,
    count: u64,
    digest: Digest,
}

/// The reason why a part does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StagingFault {
    /// The part has already arrived; nothing changes.
    Repeated,
    /// An earlier part is missing, or the part belongs to another snapshot.
    Gap,
    /// The part contradicts itself or the parts before it.
    Invalid(Code),
}

impl Staging {
    /// Starts a snapshot with part 1.
    ///
    /// # Errors
    /// [`StagingFault::Gap`] for any other part; [`StagingFault::Invalid`].
    pub fn begin(part: &SnapshotPart<'_>) -> Result<Self, StagingFault> {
        if part.part != 1 {
            return Err(StagingFault::Gap);
        }
        let mut staging = Self {
            position: Position {
                epoch: part.epoch.clone(),
                sequence_number: part.sequence_number,
                event_id: part.event_id.clone(),
            },
            record: part.campaign.clone(),
            table: DomainTable::default(),
            parts: part.parts,
            received: 0,
            count: part.domains_count,
            digest: part.domains_digest,
        };
        staging.add(part)?;
        Ok(staging)
    }

    /// The number of parts that have arrived, the number of all parts, and the number of rows so far.
    pub fn progress(&self) -> [u64; 3] {
        [self.received, self.parts, self.table.len() as u64]
    }

    /// Builds a snapshot that arrived in one piece, outside the socket.
    ///
    /// # Errors
    /// [`Code::InvalidSnapshot`] if the rows do not match the snapshot's count and digest;
    /// [`Code::InvalidContent`].
    pub fn complete(snapshot: &RestSnapshot<'_>) -> Result<Self, Code> {
        let mut table = DomainTable::default();
        for row in &snapshot.rows {
            table.upsert(row)?;
        }
        let staging = Self {
            position: snapshot.position.clone(),
            record: Some(snapshot.campaign.clone()),
            parts: 1,
            received: 1,
            count: snapshot.domains_count.unwrap_or(table.len() as u64),
            digest: snapshot.domains_digest.unwrap_or_else(|| table.digest()),
            table,
        };
        if staging.is_sound() { Ok(staging) } else { Err(Code::InvalidSnapshot) }
    }

    /// Adds a part to the snapshot in `slot`, or starts a new snapshot with it. A server that could
    /// not resume the last download may divide the same state differently.
    ///
    /// # Errors
    /// As [`Staging::begin`] and [`Staging::add`].
    pub fn stage(
        slot: &mut Option<Box<Self>>,
        part: &SnapshotPart<'_>,
    ) -> Result<(), StagingFault> {
        if let Some(staged) = slot
            && (part.part > 1 || staged.is_of(part))
        {
            return staged.add(part);
        }
        *slot = Some(Box::new(Self::begin(part)?));
        Ok(())
    }

    /// Adds the next part.
    ///
    /// # Errors
    /// [`StagingFault`]. After [`StagingFault::Invalid`] the snapshot is unusable.
    pub fn add(&mut self, part: &SnapshotPart<'_>) -> Result<(), StagingFault> {
        if !self.is_of(part) || part.part > self.received + 1 {
            return Err(StagingFault::Gap);
        }
        if part.part <= self.received {
            return Err(StagingFault::Repeated);
        }
        if part.domains_count != self.count || part.domains_digest != self.digest {
            return Err(StagingFault::Invalid(Code::InvalidSnapshot));
        }
        if (self.table.len() + part.domains.len()) as u64 > self.count {
            return Err(StagingFault::Invalid(Code::InvalidSnapshot));
        }
        for row in &part.domains {
            match self.table.upsert(row) {
                Ok(true) => {}
                Ok(false) => return Err(StagingFault::Invalid(Code::InvalidSnapshot)),
                Err(code) => return Err(StagingFault::Invalid(code)),
            }
        }
        self.received += 1;
        Ok(())
    }

    /// Whether `part` belongs to the same snapshot, divided into the same number of parts.
    pub fn is_of(&self, part: &SnapshotPart<'_>) -> bool {
        part.epoch == self.position.epoch
            && part.sequence_number == self.position.sequence_number
            && part.parts == self.parts
    }

    /// Whether all parts have arrived.
    pub const fn is_complete(&self) -> bool {
        self.received == self.parts
    }

    /// Whether a complete snapshot has a record and matches its count and digest.
    pub fn is_sound(&self) -> bool {
        self.record.is_some()
            && self.table.len() as u64 == self.count
            && self.table.digest() == self.digest
    }

    /// Whether a complete download of some `buckets`, in place of these buckets of `table`, gives
    /// the count and digest of the server's whole table.
    pub fn completes(&self, table: &DomainTable, buckets: &[u8]) -> bool {
        if (0..self.table.len()).any(|row| !is_in(buckets, self.table.id(row))) {
            return false;
        }
        let mut count = table.len() as u64;
        let mut digest = table.digest();
        for &number in buckets {
            let ours = table.buckets()[usize::from(number)];
            let theirs = self.table.buckets()[usize::from(number)];
            count = count + theirs.count - ours.count;
            digest.remove(ours.sum.0);
            digest.add(theirs.sum.0);
        }
        count == self.count && digest == self.digest
    }

    /// The request to the server to continue after the last part that arrived.
    pub fn resume(&self) -> SnapshotResume {
        SnapshotResume {
            epoch: self.position.epoch.clone(),
            at: self.position.sequence_number,
            after_part: self.received,
        }
    }
}

/// Whether the row with this id is in one of these buckets.
pub(super) fn is_in(buckets: &[u8], domain_id: &str) -> bool {
    let number = bucket_of(id_hash(domain_id));
    buckets.iter().any(|&bucket| usize::from(bucket) == number)
}

/// The buckets that differ between two digests.
pub fn differing_buckets(ours: &[Bucket], theirs: &[Bucket]) -> Vec<u8> {
    let mut differing = Vec::new();
    for (number, pair) in ours.iter().zip(theirs).enumerate() {
        if pair.0 != pair.1 {
            differing.push(number as u8);
        }
    }
    differing
}
