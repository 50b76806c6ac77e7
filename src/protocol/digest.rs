//! The digest of a domain table: a sum of row hashes that does not depend on row order, in 256
//! buckets (docs/PROTOCOL.md, chapter 11).
//!
//! Each side maintains a digest of its rows, at the cost of one hash per changed row. Comparing 8
//! bytes shows whether two states differ. Comparing the buckets shows which of the 256 buckets
//! differ.

use core::fmt;

use xxhash_rust::xxh64::xxh64;

use super::hash::nibble;
use super::limits::DIGEST_BUCKETS;
use super::write::push_hex;

/// The wrapping sum of the row hashes of a table; 16 lower-case hex digits on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Digest(pub u64);

impl Digest {
    /// Reads 16 lower-case hex digits; `None` for anything else.
    pub fn parse(hex: &str) -> Option<Self> {
        if hex.len() != 16 {
            return None;
        }
        hex.bytes().try_fold(0, |sum, digit| Some(sum << 4 | u64::from(nibble(digit)?))).map(Self)
    }

    /// Adds the hash of a row.
    pub const fn add(&mut self, row_hash: u64) {
        self.0 = self.0.wrapping_add(row_hash);
    }

    /// Subtracts the hash of a row.
    pub const fn remove(&mut self, row_hash: u64) {
        self.0 = self.0.wrapping_sub(row_hash);
    }
}

impl Digest {
    /// 16 lower-case hex digits, as on the wire.
    pub fn to_hex(self) -> String {
        let mut hex = String::with_capacity(16);
        push_hex(&mut hex, self.0, 16);
        hex
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

/// The columns of a row that its hash covers, in hashing order.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RowFields<'a> {
    /// Stable id.
    pub domain_id: &'a str,
    /// Domain name.
    pub domain: Option<&'a str>,
    /// Place in the generated sequence.
    pub offset: Option<i64>,
    /// Outcome of DNS validation.
    pub dns_status: Option<&'a str>,
    /// Outcome of HTTP validation.
    pub http_status: Option<&'a str>,
    /// HTTP status code.
    pub http_status_code: Option<i64>,
    /// Outcome of the analysis.
    pub lead_status: Option<&'a str>,
    /// Score of the analysis; finite.
    pub lead_score: Option<f64>,
}

/// Hashes rows, reusing one buffer.
#[derive(Clone, Debug, Default)]
pub struct RowHasher {
    bytes: Vec<u8>,
}

impl RowHasher {
    /// Computes XXH64 (seed 0) over the columns, each with a tag byte:
    ///
    /// * absent: 0
    /// * text: 1, its length as u32 LE, its UTF-8
    /// * integer: 2, i64 LE
    /// * float: 3, f64 LE; −0 counts as 0
    pub fn hash(&mut self, row: &RowFields<'_>) -> u64 {
        self.bytes.clear();
        self.text(Some(row.domain_id));
        self.text(row.domain);
        self.integer(row.offset);
        self.text(row.dns_status);
        self.text(row.http_status);
        self.integer(row.http_status_code);
        self.text(row.lead_status);
        match row.lead_score {
            None => self.bytes.push(0),
            Some(score) => {
                self.bytes.push(3);
                self.bytes.extend_from_slice(&(score + 0.0).to_le_bytes());
            }
        }
        xxh64(&self.bytes, 0)
    }

    fn text(&mut self, text: Option<&str>) {
        let Some(text) = text else { return self.bytes.push(0) };
        self.bytes.push(1);
        self.bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn integer(&mut self, integer: Option<i64>) {
        let Some(integer) = integer else { return self.bytes.push(0) };
        self.bytes.push(2);
        self.bytes.extend_from_slice(&integer.to_le_bytes());
    }
}

/// XXH64 (seed 0) of a domain id. It selects the row's bucket and its slot in a hash table.
pub fn id_hash(domain_id: &str) -> u64 {
    xxh64(domain_id.as_bytes(), 0)
}

/// The bucket of an [`id_hash`]: its top 8 bits.
pub const fn bucket_of(id_hash: u64) -> usize {
    (id_hash >> 56) as usize
}

/// One bucket of a digest: the number of its rows and the wrapping sum of their hashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Number of rows.
    pub count: u64,
    /// Wrapping sum of the row hashes.
    pub sum: Digest,
}

/// All buckets of a table.
pub type Buckets = [Bucket; DIGEST_BUCKETS];

/// The buckets of a table without rows.
pub const EMPTY_BUCKETS: Buckets = [Bucket { count: 0, sum: Digest(0) }; DIGEST_BUCKETS];
