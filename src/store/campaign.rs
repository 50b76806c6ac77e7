//! One campaign's details, and the operations that change them.

use super::DomainTable;
use super::change::{LastTransition, PhaseChange};
use super::consistency::large_discrepancy;
use super::staging::{Staging, is_in};
use crate::protocol::campaign::CampaignRecord;
use crate::protocol::domain::{Patch, RowPatch};
use crate::protocol::{Code, Epoch, Position, SequenceNumber};

/// Everything known about one campaign.
#[derive(Clone, Debug, Default)]
pub struct CampaignStore {
    /// The record; none until the first event or snapshot.
    pub(super) record: Option<CampaignRecord>,
    /// The rows that counts and digests speak of.
    pub(super) table: DomainTable,
    /// Rows that a snapshot lacked and nobody has confirmed gone; outside counts and digests.
    pub(super) unconfirmed: DomainTable,
    /// The last applied event; none until something proved one.
    pub(super) position: Option<Position>,
    /// The last accepted transition.
    pub(super) last_transition: Option<LastTransition>,
    /// A refused transition or a large discrepancy, until cleared.
    pub(super) error: Option<Code>,
}

/// What swapping in a snapshot, or repairing buckets, did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SnapshotApplied {
    /// The phase, if it differs from before.
    pub phase: Option<PhaseChange>,
    /// Rows kept aside because too many would have gone at once.
    pub unconfirmed: u64,
    /// Rows that the snapshot brought.
    pub rows: u64,
}

impl CampaignStore {
    /// The record.
    pub const fn record(&self) -> Option<&CampaignRecord> {
        self.record.as_ref()
    }

    /// The rows.
    pub const fn table(&self) -> &DomainTable {
        &self.table
    }

    /// The rows kept aside.
    pub const fn unconfirmed(&self) -> &DomainTable {
        &self.unconfirmed
    }

    /// The last applied event.
    pub const fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// The last accepted transition.
    pub const fn last_transition(&self) -> Option<&LastTransition> {
        self.last_transition.as_ref()
    }

    /// What is wrong, if something is.
    pub const fn error(&self) -> Option<Code> {
        self.error
    }

    /// Shows an error until it is cleared.
    pub const fn raise(&mut self, code: Code) {
        self.error = Some(code);
    }

    /// Clears the error: counts and digests agree.
    pub const fn clear_error(&mut self) {
        self.error = None;
    }

    /// Stands before the first event of a log.
    pub fn begin_at(&mut self, epoch: Epoch) {
        let (sequence_number, event_id) = (SequenceNumber::ZERO, String::new());
        self.position = Some(Position { epoch, sequence_number, event_id });
    }

    /// Moves on by one event, which has been applied.
    pub fn advance(&mut self, sequence_number: SequenceNumber, event_id: &str) {
        if let Some(position) = &mut self.position {
            position.sequence_number = sequence_number;
            position.event_id.clear();
            position.event_id.push_str(event_id);
        }
    }

    /// Replaces everything by a complete, verified snapshot, in one step.
    ///
    /// A snapshot that lacks more rows than a large discrepancy keeps them aside: a truncated
    /// answer must not make a table vanish.
    pub fn install(&mut self, staging: Staging) -> SnapshotApplied {
        let missing = self.missing_in(&staging.table, None);
        let keep = missing.len() as u64 > large_discrepancy(self.table.len() as u64);
        let mut applied =
            SnapshotApplied { rows: staging.table.len() as u64, ..SnapshotApplied::default() };
        for id in &missing {
            if keep {
                self.keep_unconfirmed(id);
            }
        }
        applied.unconfirmed = if keep { missing.len() as u64 } else { 0 };
        let former = core::mem::replace(&mut self.table, staging.table);
        self.table.inherit_versions(&former);
        self.drop_confirmed();
        if let Some(record) = staging.record {
            applied.phase = PhaseChange::between(self.record.as_ref(), &record);
            self.record = Some(record);
        }
        self.position = Some(staging.position);
        self.error = None;
        applied
    }

    /// Replaces the rows of some buckets by a verified download of just these, in one step.
    pub fn repair(&mut self, staging: Staging, buckets: &[u8]) -> Result<SnapshotApplied, Code> {
        let missing = self.missing_in(&staging.table, Some(buckets));
        let keep = missing.len() as u64 > large_discrepancy(self.table.len() as u64);
        let mut applied =
            SnapshotApplied { rows: staging.table.len() as u64, ..SnapshotApplied::default() };
        for id in &missing {
            if keep {
                self.keep_unconfirmed(id);
                applied.unconfirmed += 1;
            }
            self.table.remove(id);
        }
        for row in 0..staging.table.len() {
            self.table.upsert(&complete_row(&staging.table, row))?;
        }
        self.drop_confirmed();
        if let Some(record) = staging.record {
            applied.phase = PhaseChange::between(self.record.as_ref(), &record);
            self.record = Some(record);
        }
        Ok(applied)
    }

    /// Drops the rows kept aside; tells how many there were.
    pub fn discard_unconfirmed(&mut self) -> usize {
        let former = core::mem::take(&mut self.unconfirmed);
        self.unconfirmed.inherit_versions(&former);
        former.len()
    }

    /// Ids of our rows, perhaps only of some buckets, that `other` lacks.
    fn missing_in(&self, other: &DomainTable, buckets: Option<&[u8]>) -> Vec<String> {
        let mut missing = Vec::new();
        for row in 0..self.table.len() {
            let id = self.table.id(row);
            if buckets.is_none_or(|buckets| is_in(buckets, id)) && other.find(id).is_none() {
                missing.push(id.to_owned());
            }
        }
        missing
    }

    fn keep_unconfirmed(&mut self, domain_id: &str) {
        let Some(row) = self.table.find(domain_id) else { return };
        // A copy of a valid row cannot break a rule that the row itself kept.
        let _always_fits = self.unconfirmed.upsert(&complete_row(&self.table, row));
    }

    /// Rows that the table has again are confirmed.
    fn drop_confirmed(&mut self) {
        // From the end: removing a row puts the last one in its place.
        for row in (0..self.unconfirmed.len()).rev() {
            if self.table.find(self.unconfirmed.id(row)).is_some() {
                let id = self.unconfirmed.id(row).to_owned();
                self.unconfirmed.remove(&id);
            }
        }
    }
}

/// A row as a patch that sets or clears every column.
pub(super) fn complete_row(table: &DomainTable, row: usize) -> RowPatch<'_> {
    fn column<T>(value: Option<T>) -> Patch<T> {
        value.map_or(Patch::Null, Patch::Value)
    }
    let fields = table.fields(row);
    RowPatch {
        domain_id: fields.domain_id.into(),
        domain: column(fields.domain.map(Into::into)),
        offset: column(fields.offset),
        dns_status: column(fields.dns_status.map(Into::into)),
        http_status: column(fields.http_status.map(Into::into)),
        http_status_code: column(fields.http_status_code.and_then(|it| i32::try_from(it).ok())),
        lead_status: column(fields.lead_status.map(Into::into)),
        lead_score: column(fields.lead_score),
    }
}
