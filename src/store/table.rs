//! The domain table: columns instead of objects, designed for a million rows.
//!
//! A row takes 42 bytes of columns and 6 to 13 bytes of index, in addition to its texts. The table
//! stores the hash of each row, so that a change updates the digest of the whole table at the cost
//! of one row.

use super::arena::{Arena, TEXT_BYTES_MAX};
use super::index::RowIndex;
use super::intern::StatusInterner;
use crate::protocol::Code;
use crate::protocol::digest::{
    Buckets, Digest, EMPTY_BUCKETS, RowFields, RowHasher, bucket_of, id_hash,
};
use crate::protocol::domain::{Patch, RowPatch};

/// Counts the changes of each kind of column. A derived order compares them to detect that it is
/// stale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// Rows were added, removed, or changed name or offset.
    pub rows: u64,
    /// DNS outcomes changed.
    pub dns: u64,
    /// HTTP outcomes changed.
    pub http: u64,
    /// Lead outcomes or scores changed.
    pub lead: u64,
}

/// Domain rows by id.
#[derive(Clone, Debug)]
pub struct DomainTable {
    texts: Arena,
    text_at: Vec<u32>,
    id_len: Vec<u16>,
    name_len: Vec<u16>,
    offset: Vec<i64>,
    dns: Vec<u16>,
    http: Vec<u16>,
    lead: Vec<u16>,
    http_code: Vec<i32>,
    lead_score: Vec<f64>,
    row_hash: Vec<u64>,
    index: RowIndex,
    /// The status names of `dns`.
    pub dns_statuses: StatusInterner,
    /// The status names of `http`.
    pub http_statuses: StatusInterner,
    /// The status names of `lead`.
    pub lead_statuses: StatusInterner,
    digest: Digest,
    buckets: Box<Buckets>,
    versions: Versions,
    hasher: RowHasher,
}

/// Values that mean "none" in columns whose type has no such value.
const NO_OFFSET: i64 = i64::MIN;
const NO_CODE: i32 = i32::MIN;

impl Default for DomainTable {
    fn default() -> Self {
        Self {
            texts: Arena::default(),
            text_at: Vec::new(),
            id_len: Vec::new(),
            name_len: Vec::new(),
            offset: Vec::new(),
            dns: Vec::new(),
            http: Vec::new(),
            lead: Vec::new(),
            http_code: Vec::new(),
            lead_score: Vec::new(),
            row_hash: Vec::new(),
            index: RowIndex::default(),
            dns_statuses: StatusInterner::default(),
            http_statuses: StatusInterner::default(),
            lead_statuses: StatusInterner::default(),
            digest: Digest::default(),
            buckets: Box::new(EMPTY_BUCKETS),
            versions: Versions::default(),
            hasher: RowHasher::default(),
        }
    }
}

impl DomainTable {
    /// The number of rows.
    pub fn len(&self) -> usize {
        self.row_hash.len()
    }

    /// Whether the table has no rows.
    pub fn is_empty(&self) -> bool {
        self.row_hash.is_empty()
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

    /// Continues the change counters of `former`, which this table replaces. Everything that was
    /// derived from `former` becomes stale, however similar the histories of the two tables are.
    pub const fn inherit_versions(&mut self, former: &Self) {
        self.versions.rows += former.versions.rows + 1;
        self.versions.dns += former.versions.dns + 1;
        self.versions.http += former.versions.http + 1;
        self.versions.lead += former.versions.lead + 1;
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
        self.texts.text(self.text_at[row], usize::from(self.id_len[row]))
    }

    /// The name of a row.
    pub fn name(&self, row: usize) -> &str {
        let at = self.text_at[row] + u32::from(self.id_len[row]);
        self.texts.text(at, usize::from(self.name_len[row]))
    }

    /// The offset of a row.
    pub fn offset(&self, row: usize) -> Option<i64> {
        (self.offset[row] != NO_OFFSET).then_some(self.offset[row])
    }

    /// The status numbers of a row: DNS, HTTP, lead.
    pub fn status_numbers(&self, row: usize) -> [u16; 3] {
        [self.dns[row], self.http[row], self.lead[row]]
    }

    /// The hash of a row.
    pub fn hash(&self, row: usize) -> u64 {
        self.row_hash[row]
    }

    /// The columns of a row.
    pub fn fields(&self, row: usize) -> RowFields<'_> {
        let code = self.http_code[row];
        let score = self.lead_score[row];
        RowFields {
            domain_id: self.id(row),
            domain: Some(self.name(row)),
            offset: self.offset(row),
            dns_status: self.dns_statuses.status(self.dns[row]),
            http_status: self.http_statuses.status(self.http[row]),
            http_status_code: (code != NO_CODE).then(|| i64::from(code)),
            lead_status: self.lead_statuses.status(self.lead[row]),
            lead_score: (!score.is_nan()).then_some(score),
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
        let statuses = self.intern_statuses(patch)?;
        let row = match known {
            Some(row) => {
                self.rename(row, patch)?;
                self.digest.remove(self.row_hash[row]);
                self.buckets[bucket_of(hash)].sum.remove(self.row_hash[row]);
                row
            }
            None => {
                let row = self.insert(hash, patch)?;
                self.buckets[bucket_of(hash)].count += 1;
                row
            }
        };
        self.set_columns(row, patch, statuses);
        let mut hasher = core::mem::take(&mut self.hasher);
        let row_hash = hasher.hash(&self.fields(row));
        self.hasher = hasher;
        self.row_hash[row] = row_hash;
        self.digest.add(row_hash);
        self.buckets[bucket_of(hash)].sum.add(row_hash);
        Ok(known.is_none())
    }

    /// Removes a row; returns whether there was one.
    pub fn remove(&mut self, domain_id: &str) -> bool {
        let hash = id_hash(domain_id);
        let Some(row) = self.find_hashed(hash, domain_id) else { return false };
        let hash_of = hashes(&self.texts, &self.text_at, &self.id_len);
        self.index.remove(hash, row as u32, hash_of);
        let bucket = &mut self.buckets[bucket_of(hash)];
        bucket.count -= 1;
        bucket.sum.remove(self.row_hash[row]);
        self.digest.remove(self.row_hash[row]);
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
        let columns = self.text_at.capacity() * 4
            + (self.id_len.capacity() + self.name_len.capacity()) * 2
            + (self.dns.capacity() + self.http.capacity() + self.lead.capacity()) * 2
            + self.http_code.capacity() * 4
            + (self.offset.capacity() + self.lead_score.capacity() + self.row_hash.capacity()) * 8;
        columns + self.index.bytes() + self.texts.capacity() - self.texts.bytes()
    }

    /// Bytes of the texts, including garbage that compaction has not removed yet.
    pub fn text_bytes(&self) -> usize {
        self.texts.bytes()
    }

    fn intern_statuses(&mut self, patch: &RowPatch<'_>) -> Result<[Option<u16>; 3], Code> {
        let number =
            |statuses: &mut StatusInterner, column: &Patch<std::borrow::Cow<'_, str>>| match column
            {
                Patch::Absent => Ok(None),
                Patch::Null => Ok(Some(0)),
                Patch::Value(word) => statuses.intern(word).map(Some),
            };
        Ok([
            number(&mut self.dns_statuses, &patch.dns_status)?,
            number(&mut self.http_statuses, &patch.http_status)?,
            number(&mut self.lead_statuses, &patch.lead_status)?,
        ])
    }

    fn insert(&mut self, hash: u64, patch: &RowPatch<'_>) -> Result<usize, Code> {
        let name = patch.domain.value().ok_or(Code::InvalidContent)?;
        let id_len = u16::try_from(patch.domain_id.len()).map_err(|_| Code::InvalidContent)?;
        let name_len = u16::try_from(name.len()).map_err(|_| Code::InvalidContent)?;
        let row = self.len();
        let number = u32::try_from(row).map_err(|_| Code::InvalidContent)?;
        let at = self.texts.push(&patch.domain_id, name).ok_or(Code::InvalidContent)?;
        self.grow();
        self.text_at.push(at);
        self.id_len.push(id_len);
        self.name_len.push(name_len);
        self.offset.push(NO_OFFSET);
        self.dns.push(0);
        self.http.push(0);
        self.lead.push(0);
        self.http_code.push(NO_CODE);
        self.lead_score.push(f64::NAN);
        self.row_hash.push(0);
        self.dns_statuses.increment(0);
        self.http_statuses.increment(0);
        self.lead_statuses.increment(0);
        let hash_of = hashes(&self.texts, &self.text_at, &self.id_len);
        self.index.insert(hash, number, hash_of);
        self.versions.rows += 1;
        Ok(row)
    }

    /// Long columns grow by an eighth, because doubling would waste up to half of the memory.
    fn grow(&mut self) {
        let length = self.len();
        if length < self.row_hash.capacity() {
            return;
        }
        let more = if length < 65_536 { length.max(16) } else { length / 8 };
        self.text_at.reserve_exact(more);
        self.id_len.reserve_exact(more);
        self.name_len.reserve_exact(more);
        self.offset.reserve_exact(more);
        self.dns.reserve_exact(more);
        self.http.reserve_exact(more);
        self.lead.reserve_exact(more);
        self.http_code.reserve_exact(more);
        self.lead_score.reserve_exact(more);
        self.row_hash.reserve_exact(more);
    }

    fn rename(&mut self, row: usize, patch: &RowPatch<'_>) -> Result<(), Code> {
        let Some(name) = patch.domain.value() else { return Ok(()) };
        if self.name(row) == name {
            return Ok(());
        }
        let name_len = u16::try_from(name.len()).map_err(|_| Code::InvalidContent)?;
        let at = self.texts.push(&patch.domain_id, name).ok_or(Code::InvalidContent)?;
        self.texts.discard(usize::from(self.id_len[row]) + usize::from(self.name_len[row]));
        self.text_at[row] = at;
        self.name_len[row] = name_len;
        self.versions.rows += 1;
        self.compact_if_wanted();
        Ok(())
    }

    fn set_columns(
        &mut self,
        row: usize,
        patch: &RowPatch<'_>,
        [dns, http, lead]: [Option<u16>; 3],
    ) {
        if let Some(offset) = set(&patch.offset, NO_OFFSET) {
            self.versions.rows += u64::from(self.offset[row] != offset);
            self.offset[row] = offset;
        }
        if let Some(number) = dns {
            self.dns_statuses.recount(self.dns[row], number);
            self.dns[row] = number;
            self.versions.dns += 1;
        }
        if let Some(number) = http {
            self.http_statuses.recount(self.http[row], number);
            self.http[row] = number;
            self.versions.http += 1;
        }
        if let Some(number) = lead {
            self.lead_statuses.recount(self.lead[row], number);
            self.lead[row] = number;
            self.versions.lead += 1;
        }
        if let Some(code) = set(&patch.http_status_code, NO_CODE) {
            self.http_code[row] = code;
        }
        if let Some(score) = set(&patch.lead_score, f64::NAN) {
            self.lead_score[row] = score;
            self.versions.lead += 1;
        }
    }

    fn swap_remove(&mut self, row: usize) {
        self.texts.discard(usize::from(self.id_len[row]) + usize::from(self.name_len[row]));
        self.dns_statuses.decrement(self.dns[row]);
        self.http_statuses.decrement(self.http[row]);
        self.lead_statuses.decrement(self.lead[row]);
        self.text_at.swap_remove(row);
        self.id_len.swap_remove(row);
        self.name_len.swap_remove(row);
        self.offset.swap_remove(row);
        self.dns.swap_remove(row);
        self.http.swap_remove(row);
        self.lead.swap_remove(row);
        self.http_code.swap_remove(row);
        self.lead_score.swap_remove(row);
        self.row_hash.swap_remove(row);
    }

    fn compact_if_wanted(&mut self) {
        if !self.texts.needs_compaction() {
            return;
        }
        let mut texts = Arena::default();
        for row in 0..self.len() {
            // Compaction only makes the texts smaller, so everything fits again.
            self.text_at[row] = texts.push(self.id(row), self.name(row)).unwrap_or_default();
        }
        self.texts = texts;
    }
}

/// Returns a function from a row to the hash of its id.
fn hashes<'a>(texts: &'a Arena, text_at: &'a [u32], id_len: &'a [u16]) -> impl Fn(u32) -> u64 + 'a {
    |row| {
        let row = row as usize;
        id_hash(texts.text(text_at[row], usize::from(id_len[row])))
    }
}

fn set<T: Copy>(column: &Patch<T>, nothing: T) -> Option<T> {
    match column {
        Patch::Absent => None,
        Patch::Null => Some(nothing),
        Patch::Value(value) => Some(*value),
    }
}
