//! Fault injection: a state that departs from its log.

use super::Row;

/// How a state departs from its log.
#[derive(Clone, Copy, Debug)]
pub struct Divergence {
    /// How many rows.
    pub rows: u64,
    /// Add rows instead of changing some.
    pub insert: bool,
    /// The kept count and digest follow, so that only clients can notice; without that the next
    /// integrity check fails.
    pub consistent: bool,
}

impl Divergence {
    /// The rows to add: none that any event told of. `count` is how many there are.
    pub fn strays(self, count: u64) -> impl Iterator<Item = Row> {
        let rows = if self.insert { self.rows } else { 0 };
        (count..count + rows).map(|number| Row {
            domain_id: format!("stray-{number}"),
            domain: format!("stray-{number}.example"),
            ..Row::default()
        })
    }
}

/// The same row with another DNS outcome.
pub fn changed(row: &Row) -> Row {
    let other = if row.dns_status.as_deref() == Some("timeout") { "error" } else { "timeout" };
    Row { dns_status: Some(other.to_owned()), ..row.clone() }
}
