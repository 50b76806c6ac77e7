//! The digest of a domain table: an order-free sum of row hashes, in 256 buckets.
//!
//! Each side keeps its own, at the cost of one hash per changed row, so that any two states can be
//! compared by 8 bytes and, where they differ, by the one bucket in 256 that does.

use core::fmt;

use xxhash_rust::xxh64::xxh64;

use super::limits::DIGEST_BUCKETS;
use super::write::push_hex;

/// The wrapping sum of the row hashes of a table; 16 lower-case hex digits on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Digest(pub u64);

impl Digest {
    /// Reads 16 lower-case hex digits.
    pub fn parse(hex: &str) -> Option<Self> {
        let lower = hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if hex.len() == 16 && lower { u64::from_str_radix(hex, 16).ok().map(Self) } else { None }
    }

    /// Adds a row.
    pub const fn add(&mut self, row_hash: u64) {
        self.0 = self.0.wrapping_add(row_hash);
    }

    /// Takes a row away.
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
    /// XXH64 (seed 0) over the tagged columns: absent is byte 0; text is 1, its length as u32 LE and
    /// its UTF-8; an integer is 2 and i64 LE; a float is 3 and f64 LE, −0 counting as 0.
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

/// XXH64 (seed 0) of a domain id: chooses its bucket, and its place in a hash table.
pub fn id_hash(domain_id: &str) -> u64 {
    xxh64(domain_id.as_bytes(), 0)
}

/// The bucket of an [`id_hash`]: its top 8 bits.
pub const fn bucket_of(id_hash: u64) -> usize {
    (id_hash >> 56) as usize
}

/// One bucket of a digest: how many rows it has, and the wrapping sum of their hashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Rows.
    pub count: u64,
    /// Sum of row hashes.
    pub sum: Digest,
}

/// All buckets of a table.
pub type Buckets = [Bucket; DIGEST_BUCKETS];

/// A table without rows.
pub const EMPTY_BUCKETS: Buckets = [Bucket { count: 0, sum: Digest(0) }; DIGEST_BUCKETS];
