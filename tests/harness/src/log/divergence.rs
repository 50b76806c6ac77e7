//! Fault injection: a state that departs from its log.

use serde::Deserialize;

use super::Row;

/// How a state departs from its log, as it is asked for.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Divergence {
    /// How many rows.
    #[serde(default = "one")]
    pub rows: u64,
    /// What becomes of them.
    #[serde(default)]
    pub kind: Kind,
    /// The kept count and digest stay behind, so that the next integrity check fails; without that
    /// they follow, and only clients can notice.
    #[serde(default)]
    pub break_integrity: bool,
}

/// What becomes of the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Some are changed.
    #[default]
    Change,
    /// More are added.
    Insert,
}

const fn one() -> u64 {
    1
}

impl Divergence {
    /// The rows to add: none that any event told of. `count` is how many there are.
    pub fn strays(self, count: u64) -> impl Iterator<Item = Row> {
        let rows = if self.kind == Kind::Insert { self.rows } else { 0 };
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
