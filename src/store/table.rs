//! The domain table, designed for a million rows.
//!
//! A row takes 42 bytes of fields and 6 to 13 bytes of index, in addition to its texts. The table
//! stores the hash of each row, so that a change updates the digest of the whole table at the cost
//! of one row.

use super::arena::{Arena, TEXT_BYTES_MAX};
use super::index::RowIndex;
use super::intern::StatusInterner;
use super::rows::{Row, Rows};
use crate::protocol::Code;
use crate::protocol::digest::{
    Buckets, Digest, EMPTY_BUCKETS, RowFields, RowHasher, bucket_of, id_hash,
};
use crate::protocol::domain::{Patch, RowPatch};

/// The column of DNS outcomes.
pub const DNS: usize = 0;
/// The column of HTTP outcomes.
pub const HTTP: usize = 1;
/// The column of lead outcomes.
pub const LEAD: usize = 2;

/// Counts the changes of each kind of column. A derived order compares them to detect that it is
/// stale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// Rows were added, removed, or changed name or offset.
    pub rows: u64,
    /// The outcomes of a column changed, or the lead scores, which count as part of [`LEAD`].
    pub statuses: [u64; 3],
}

/// Domain rows by id.
#[derive(Clone, Debug)]
pub struct DomainTable {
    texts: Arena,
    rows: Rows,
    index: RowIndex,
    statuses: [StatusInterner; 3],
    digest: Digest,
    buckets: Box<Buckets>,
    versions: Versions,
    hasher: RowHasher,
}

/// Values that mean "none" in columns whose type has no such value.
const NO_OFFSET: i64 = i64::MIN;
const NO_CODE: i32 = i32::MIN;

/// A row without columns. It counts as 0 in a digest.
const EMPTY_ROW: Row = Row {
    offset: NO_OFFSET,
    lead_score: f64::NAN,
    hash: 0,
    http_code: NO_CODE,
    text_at: 0,
    id_len: 0,
    name_len: 0,
    statuses: [0; 3],
};

impl Default for DomainTable {
    fn default() -> Self {
        Self {
            texts: Arena::default(),
            rows: Rows::default(),
            index: RowIndex::default(),
            statuses: Default::default(),
            digest: Digest::default(),
            buckets: Box::new(EMPTY_BUCKETS),
            versions: Versions::default(),
            hasher: RowHasher::default(),
        }
    }
}

impl DomainTable {
    /// The number of rows.
    pub const fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether the table has no rows.
    pub const fn is_empty(&self) -> bool {
        self.rows.len() == 0
    }

    /// The digest of all rows.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The digest of each bucket.
    pub const fn buckets(&self) -> &Buckets {
        &self.buckets
    }

    /// The change counters of the columns.
    pub const fn versions(&self) -> Versions {
        self.versions
    }

    /// The status names of a column.
    pub const fn statuses(&self, column: usize) -> &StatusInterner {
        &self.statuses[column]
    }

    /// Continues the change counters of `former`, which this table replaces. Everything that was
    /// derived from `former` becomes stale, however similar the histories of the two tables are.
    pub fn inherit_versions(&mut self, former: &Self) {
        self.versions.rows += former.versions.rows + 1;
        for (own, former) in self.versions.statuses.iter_mut().zip(former.versions.statuses) {
            *own += former + 1;
        }
    }

    /// The number of the row with this id.
    pub fn find(&self, domain_id: &str) -> Option<usize> {
        self.find_hashed(id_hash(domain_id), domain_id)
    }

    fn find_hashed(&self, hash: u64, domain_id: &str) -> Option<usize> {
        let same = |row| self.id(row as usize) == domain_id;
        self.index.find(hash, same).map(|row| row as usize)
    }

    /// The id of a row.
    pub fn id(&self, row: usize) -> &str {
        id_of(&self.texts, self.rows.get(row))
    }

    /// The name of a row.
    pub fn name(&self, row: usize) -> &str {
        let row = self.rows.get(row);
        self.texts.text(row.text_at + u32::from(row.id_len), usize::from(row.name_len))
    }

    /// The offset of a row.
    pub fn offset(&self, row: usize) -> Option<i64> {
        let offset = self.rows.get(row).offset;
        (offset != NO_OFFSET).then_some(offset)
    }

    /// The score of a row.
    pub fn lead_score(&self, row: usize) -> Option<f64> {
        let score = self.rows.get(row).lead_score;
        (!score.is_nan()).then_some(score)
    }

    /// The status of a row in this column.
    pub fn status(&self, row: usize, column: usize) -> Option<&str> {
        let number: u16 = self.rows.get(row).statuses[column];
        self.statuses[column].status(number)
    }

    /// The hash of a row.
    pub fn hash(&self, row: usize) -> u64 {
        self.rows.get(row).hash
    }

    /// The columns of a row.
    pub fn fields(&self, row: usize) -> RowFields<'_> {
        let http_code = self.rows.get(row).http_code;
        RowFields {
            domain_id: self.id(row),
            domain: Some(self.name(row)),
            offset: self.offset(row),
            dns_status: self.status(row, DNS),
            http_status: self.status(row, HTTP),
            http_status_code: (http_code != NO_CODE).then(|| i64::from(http_code)),
            lead_status: self.status(row, LEAD),
            lead_score: self.lead_score(row),
        }
    }

    /// Whether `patch` can be applied.
    ///
    /// # Errors
    /// [`Code::InvalidContent`] for an unknown row without a name, or for texts beyond the limit.
    pub fn validate(&self, patch: &RowPatch<'_>) -> Result<(), Code> {
        let name_len = patch.domain.value().map_or(0, |name| name.len());
        if patch.domain_id.len() > TEXT_BYTES_MAX || name_len > TEXT_BYTES_MAX {
            return Err(Code::InvalidContent);
        }
        if patch.domain.value().is_none() && self.find(&patch.domain_id).is_none() {
            return Err(Code::InvalidContent);
        }
        Ok(())
    }

    /// Applies a validated change. Creates the row if it is new; returns whether it was new.
    ///
    /// # Errors
    /// As [`DomainTable::validate`]; also if a status column has too many statuses, or if 4 GiB of
    /// text are full. The row is then unchanged.
    pub fn upsert(&mut self, patch: &RowPatch<'_>) -> Result<bool, Code> {
        let hash = id_hash(&patch.domain_id);
        let known = self.find_hashed(hash, &patch.domain_id);
        let statuses = self.statuses_after(known, patch)?;
        let text_at = self.texts_after(known, patch)?;
        let row = known.unwrap_or_else(|| self.insert(hash));
        self.set_columns(row, patch, statuses);
        if let Some(at) = text_at {
            self.set_texts(row, at, patch);
        }
        let mut hasher = core::mem::take(&mut self.hasher);
        let row_hash = hasher.hash(&self.fields(row));
        self.hasher = hasher;
        let fields = self.rows.get_mut(row);
        let former = fields.hash;
        fields.hash = row_hash;
        let change = row_hash.wrapping_sub(former);
        self.digest.add(change);
        self.buckets[bucket_of(hash)].sum.add(change);
        Ok(known.is_none())
    }

    /// Removes a row; returns whether there was one.
    pub fn remove(&mut self, domain_id: &str) -> bool {
        let hash = id_hash(domain_id);
        let Some(row) = self.find_hashed(hash, domain_id) else { return false };
        self.index.remove(hash, row as u32, hashes(&self.texts, &self.rows));
        let row_hash = self.rows.get(row).hash;
        let bucket = &mut self.buckets[bucket_of(hash)];
        bucket.count -= 1;
        bucket.sum.remove(row_hash);
        self.digest.remove(row_hash);
        let last = self.len() - 1;
        if row != last {
            self.index.renumber(id_hash(self.id(last)), last as u32, row as u32);
        }
        self.swap_remove(row);
        self.versions.rows += 1;
        self.compact_if_wanted();
        true
    }

    /// Bytes that the table takes in addition to the bytes of its texts.
    pub fn overhead_bytes(&self) -> usize {
        self.rows.bytes() + self.index.bytes() + self.texts.capacity() - self.texts.bytes()
    }

    /// Bytes of the texts, including garbage that compaction has not removed yet.
    pub fn text_bytes(&self) -> usize {
        self.texts.bytes()
    }

    /// The status numbers of a row after a change.
    fn statuses_after(
        &mut self,
        known: Option<usize>,
        patch: &RowPatch<'_>,
    ) -> Result<[u16; 3], Code> {
        let mut numbers = known.map_or([0; 3], |row| self.rows.get(row).statuses);
        let changes = [&patch.dns_status, &patch.http_status, &patch.lead_status];
        for ((number, statuses), change) in numbers.iter_mut().zip(&mut self.statuses).zip(changes)
        {
            match change {
                Patch::Absent => {}
                Patch::Null => *number = 0,
                Patch::Value(status) => *number = statuses.intern(status)?,
            }
        }
        Ok(numbers)
    }

    /// Stores the id and the name of a row and returns their address, unless the row has this name.
    fn texts_after(
        &mut self,
        known: Option<usize>,
        patch: &RowPatch<'_>,
    ) -> Result<Option<u32>, Code> {
        let name = patch.domain.value();
        if let Some(row) = known
            && name.is_none_or(|name| self.name(row) == name)
        {
            return Ok(None);
        }
        let name = name.ok_or(Code::InvalidContent)?;
        let at = self.texts.push(&patch.domain_id, name);
        at.map(Some).ok_or(Code::InvalidContent)
    }

    /// Adds a row without texts; returns its number.
    fn insert(&mut self, hash: u64) -> usize {
        let row = self.len();
        self.rows.push(EMPTY_ROW);
        self.index.insert(hash, row as u32, hashes(&self.texts, &self.rows));
        self.buckets[bucket_of(hash)].count += 1;
        row
    }

    fn set_texts(&mut self, row: usize, at: u32, patch: &RowPatch<'_>) {
        let fields = self.rows.get_mut(row);
        self.texts.discard(text_len(fields));
        fields.text_at = at;
        fields.id_len = patch.domain_id.len() as u16;
        fields.name_len = patch.domain.value().map_or(0, |name| name.len() as u16);
        self.versions.rows += 1;
        self.compact_if_wanted();
    }

    fn set_columns(&mut self, row: usize, patch: &RowPatch<'_>, statuses: [u16; 3]) {
        let (fields, versions) = (self.rows.get_mut(row), &mut self.versions);
        if let Some(offset) = set(&patch.offset, NO_OFFSET) {
            versions.rows += u64::from(fields.offset != offset);
            fields.offset = offset;
        }
        for (column, &number) in statuses.iter().enumerate() {
            let former = core::mem::replace(&mut fields.statuses[column], number);
            if former != number {
                self.statuses[column].recount(former, number);
                versions.statuses[column] += 1;
            }
        }
        if let Some(code) = set(&patch.http_status_code, NO_CODE) {
            fields.http_code = code;
        }
        if let Some(score) = set(&patch.lead_score, f64::NAN) {
            fields.lead_score = score;
            versions.statuses[LEAD] += 1;
        }
    }

    fn swap_remove(&mut self, row: usize) {
        let fields = self.rows.get(row);
        self.texts.discard(text_len(fields));
        for (statuses, number) in self.statuses.iter_mut().zip(fields.statuses) {
            statuses.recount(number, 0);
        }
        self.rows.swap_remove(row);
    }

    fn compact_if_wanted(&mut self) {
        if !self.texts.needs_compaction() {
            return;
        }
        let mut texts = Arena::default();
        for row in 0..self.len() {
            // Compaction only makes the texts smaller, so everything fits again.
            self.rows.get_mut(row).text_at =
                texts.push(self.id(row), self.name(row)).unwrap_or_default();
        }
        self.texts = texts;
    }
}

/// Returns a function from a row to the hash of its id.
fn hashes<'a>(texts: &'a Arena, rows: &'a Rows) -> impl Fn(u32) -> u64 + 'a {
    |row| id_hash(id_of(texts, rows.get(row as usize)))
}

fn id_of<'a>(texts: &'a Arena, row: &Row) -> &'a str {
    texts.text(row.text_at, usize::from(row.id_len))
}

/// The bytes of a row's texts.
fn text_len(row: &Row) -> usize {
    usize::from(row.id_len) + usize::from(row.name_len)
}

fn set<T: Copy>(column: &Patch<T>, nothing: T) -> Option<T> {
    match column {
        Patch::Absent => None,
        Patch::Null => Some(nothing),
        Patch::Value(value) => Some(*value),
    }
}
