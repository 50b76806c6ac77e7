//! The state of one campaign, and the operations that change it.

use super::DomainTable;
use super::change::{LastTransition, PhaseChange};
use super::consistency::large_discrepancy;
use super::staging::{Staging, is_in};
use crate::protocol::campaign::CampaignRecord;
use crate::protocol::domain::{Patch, RowPatch};
use crate::protocol::{Code, Epoch, Position, SequenceNumber};

/// All data that the client has about one campaign.
#[derive(Clone, Debug, Default)]
pub struct CampaignStore {
    /// The record; `None` until the first event or snapshot.
    pub(super) record: Option<CampaignRecord>,
    /// The rows that counts and digests cover.
    pub(super) table: DomainTable,
    /// Rows that a snapshot lacked and whose removal is not confirmed. Counts and digests exclude
    /// them.
    pub(super) unconfirmed: DomainTable,
    /// The position of the last applied event; `None` until a position is established.
    pub(super) position: Option<Position>,
    /// The last accepted transition.
    pub(super) last_transition: Option<LastTransition>,
    /// A refused transition, a large discrepancy or another error, until it is cleared.
    pub(super) error: Option<Code>,
}

/// The effect of installing a snapshot or repairing buckets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SnapshotApplied {
    /// The change of phase or status, if one of them differs from before.
    pub phase: Option<PhaseChange>,
    /// Rows kept as unconfirmed, because too many rows would have disappeared at once.
    pub unconfirmed: u64,
    /// Rows in the snapshot.
    pub rows: u64,
}

impl CampaignStore {
    /// The campaign record.
    pub const fn record(&self) -> Option<&CampaignRecord> {
        self.record.as_ref()
    }

    /// The rows that counts and digests cover.
    pub const fn table(&self) -> &DomainTable {
        &self.table
    }

    /// The unconfirmed rows.
    pub const fn unconfirmed(&self) -> &DomainTable {
        &self.unconfirmed
    }

    /// The position of the last applied event.
    pub const fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// The last accepted transition.
    pub const fn last_transition(&self) -> Option<&LastTransition> {
        self.last_transition.as_ref()
    }

    /// The current error, if there is one.
    pub const fn error(&self) -> Option<Code> {
        self.error
    }

    /// Sets the error. It stays until it is cleared.
    pub const fn raise(&mut self, code: Code) {
        self.error = Some(code);
    }

    /// Clears the error, because counts and digests agree.
    pub const fn clear_error(&mut self) {
        self.error = None;
    }

    /// Sets the position before the first event of a log.
    pub fn begin_at(&mut self, epoch: Epoch) {
        let (sequence_number, event_id) = (SequenceNumber::ZERO, String::new());
        self.position = Some(Position { epoch, sequence_number, event_id });
    }

    /// Moves the position to the next event, which has been applied.
    pub fn advance(&mut self, sequence_number: SequenceNumber, event_id: &str) {
        if let Some(position) = &mut self.position {
            position.sequence_number = sequence_number;
            position.event_id.clear();
            position.event_id.push_str(event_id);
        }
    }

    /// Replaces the whole state with a complete, verified snapshot, in one step.
    pub fn install(&mut self, staging: Staging) -> SnapshotApplied {
        let applied = self.keep_missing(&staging, None).0;
        let former = core::mem::replace(&mut self.table, staging.table);
        self.table.inherit_versions(&former);
        self.position = Some(staging.position);
        self.error = None;
        self.finish(applied, staging.record)
    }

    /// Replaces the rows of some buckets with a verified download of only these buckets, in one
    /// step.
    pub fn repair(&mut self, staging: Staging, buckets: &[u8]) -> Result<SnapshotApplied, Code> {
        let (applied, missing) = self.keep_missing(&staging, Some(buckets));
        for id in &missing {
            self.table.remove(id);
        }
        for row in 0..staging.table.len() {
            self.table.upsert(&complete_row(&staging.table, row))?;
        }
        Ok(self.finish(applied, staging.record))
    }

    /// Finds the rows that a snapshot lacks. If they are more than the limit of a large discrepancy, it keeps
    /// them as unconfirmed: a truncated answer must not make a table disappear.
    fn keep_missing(
        &mut self,
        staging: &Staging,
        buckets: Option<&[u8]>,
    ) -> (SnapshotApplied, Vec<String>) {
        let missing = self.missing_in(&staging.table, buckets);
        let mut applied =
            SnapshotApplied { rows: staging.table.len() as u64, ..SnapshotApplied::default() };
        if missing.len() as u64 > large_discrepancy(self.table.len() as u64) {
            applied.unconfirmed = missing.len() as u64;
            for id in &missing {
                self.keep_unconfirmed(id);
            }
        }
        (applied, missing)
    }

    /// Takes over the record of a snapshot whose rows are in the table.
    fn finish(
        &mut self,
        mut applied: SnapshotApplied,
        record: Option<CampaignRecord>,
    ) -> SnapshotApplied {
        self.drop_confirmed();
        if let Some(record) = record {
            let before = self.record.as_ref().map(PhaseChange::of);
            applied.phase = PhaseChange::between(before, &record);
            self.record = Some(record);
        }
        applied
    }

    /// Drops everything, because the session may no longer see it. Returns whether there was anything.
    pub fn clear(&mut self) -> bool {
        let former = core::mem::take(self);
        self.table.inherit_versions(&former.table);
        self.unconfirmed.inherit_versions(&former.unconfirmed);
        former.position.is_some() || former.record.is_some()
    }

    /// Drops the unconfirmed rows; returns how many there were.
    pub fn discard_unconfirmed(&mut self) -> usize {
        let former = core::mem::take(&mut self.unconfirmed);
        self.unconfirmed.inherit_versions(&former);
        former.len()
    }

    /// The ids of local rows that `other` lacks. `buckets` limits the search to some buckets.
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
        // A copy of a valid row cannot break a rule that the row itself obeys.
        let _always_fits = self.unconfirmed.upsert(&complete_row(&self.table, row));
    }

    /// Removes the unconfirmed rows that the table contains again.
    fn drop_confirmed(&mut self) {
        // Iterates from the end, because a removal moves the last row into the place of the removed
        // row.
        for row in (0..self.unconfirmed.len()).rev() {
            if self.table.find(self.unconfirmed.id(row)).is_some() {
                let id = self.unconfirmed.id(row).to_owned();
                self.unconfirmed.remove(&id);
            }
        }
    }
}

/// Returns a row as a patch that sets or clears every column.
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
