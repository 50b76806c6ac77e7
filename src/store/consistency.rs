//! The count rule: what a server claims about its rows, compared with ours.

use crate::protocol::Digest;

use super::DomainTable;

/// Differences up to this many rows are repaired without a warning (mission, scenario 4).
pub const COUNT_TOLERANCE: u64 = 10;

/// What the server says of its rows at one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpectedDigest {
    /// Rows.
    pub count: u64,
    /// Their digest, where it tells one.
    pub digest: Option<Digest>,
}

/// How far two states are apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Discrepancy {
    /// The server's rows.
    pub server_count: u64,
    /// Our rows.
    pub local_count: u64,
}

impl ExpectedDigest {
    /// Compares the expectation with `table`; `None` when they agree.
    pub fn compare(&self, table: &DomainTable) -> Option<Discrepancy> {
        let local_count = table.len() as u64;
        let same_digest = self.digest.is_none_or(|digest| digest == table.digest());
        let differs = self.count != local_count || !same_digest;
        differs.then_some(Discrepancy { server_count: self.count, local_count })
    }
}

impl Discrepancy {
    /// By how many rows the counts differ; 0 when only contents do.
    pub const fn difference(&self) -> u64 {
        self.server_count.abs_diff(self.local_count)
    }

    /// Whether people should be warned.
    pub const fn warns(&self) -> bool {
        self.difference() > COUNT_TOLERANCE
    }

    /// Whether people should see an error.
    pub fn is_large(&self) -> bool {
        self.difference() > large_discrepancy(self.local_count.max(self.server_count))
    }
}

/// From how many rows on a difference is large: 100, or one in a hundred.
pub fn large_discrepancy(rows: u64) -> u64 {
    (rows / 100).max(100)
}
