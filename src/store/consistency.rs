//! The count rule: compares the server's claims about its rows with the local rows
//! (docs/PROTOCOL.md, chapter 11).

use crate::protocol::Digest;

use super::DomainTable;

/// Differences of up to this many rows are repaired without a warning.
pub const COUNT_TOLERANCE: u64 = 10;

/// The server's claim about its rows at one sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpectedDigest {
    /// The number of rows.
    pub count: u64,
    /// The digest of the rows, if the server sends one.
    pub digest: Option<Digest>,
}

/// The row counts of two states that differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Discrepancy {
    /// The number of rows on the server.
    pub server_count: u64,
    /// The number of local rows.
    pub local_count: u64,
}

impl ExpectedDigest {
    /// Compares the claim with `table`; `None` if they agree.
    pub fn compare(&self, table: &DomainTable) -> Option<Discrepancy> {
        let local_count = table.len() as u64;
        let same_digest = self.digest.is_none_or(|digest| digest == table.digest());
        let differs = self.count != local_count || !same_digest;
        differs.then_some(Discrepancy { server_count: self.count, local_count })
    }
}

impl Discrepancy {
    /// The difference between the row counts; 0 if only the contents differ.
    pub const fn difference(&self) -> u64 {
        self.server_count.abs_diff(self.local_count)
    }

    /// Whether users should receive a warning.
    pub const fn warns(&self) -> bool {
        self.difference() > COUNT_TOLERANCE
    }

    /// Whether users should see an error.
    pub fn is_large(&self) -> bool {
        self.difference() > large_discrepancy(self.local_count.max(self.server_count))
    }
}

/// The limit above which a difference is large: 100 rows, or 1 % of `rows` if that is more.
pub fn large_discrepancy(rows: u64) -> u64 {
    (rows / 100).max(100)
}
