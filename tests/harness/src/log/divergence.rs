//! Fault injection: a state that diverges from its log.

use serde::Deserialize;
use utoipa::ToSchema;

use super::Row;

/// The requested divergence of a state from its log.
#[derive(Clone, Copy, Debug)]
pub struct Divergence {
    /// The number of rows.
    pub rows: u64,
    /// The change of these rows.
    pub kind: Kind,
    /// With `true`, the stored count and digest do not follow, so the next integrity check fails. With
    /// `false` they follow, and only clients can notice.
    pub break_integrity: bool,
}

/// The kind of change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Existing rows are changed.
    #[default]
    Change,
    /// Rows are added.
    Insert,
}

impl Divergence {
    /// The rows to add; no event contains them. `count` is the present number of rows.
    pub fn inserted_rows(self, count: u64) -> impl Iterator<Item = Row> {
        let rows = if self.kind == Kind::Insert { self.rows } else { 0 };
        (count..count + rows).map(|number| Row {
            domain_id: format!("stray-{number}"),
            domain: format!("stray-{number}.example"),
            ..Row::default()
        })
    }
}

/// The same row with a different DNS result.
pub fn changed(row: &Row) -> Row {
    let other = if row.dns_status.as_deref() == Some("timeout") { "error" } else { "timeout" };
    Row { dns_status: Some(other.to_owned()), ..row.clone() }
}
