//! Numbers stored beside the campaigns.

use rusqlite::{Connection, OptionalExtension as _};

/// The number with this key.
pub(super) fn number(on: &Connection, key: &str) -> rusqlite::Result<Option<u64>> {
    let text: Option<String> = on
        .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()?;
    Ok(text.and_then(|text| text.parse().ok()))
}

/// Stores a number with this key.
pub(super) fn put_number(on: &Connection, key: &str, number: u64) -> rusqlite::Result<()> {
    on.prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)")?
        .execute([key, &number.to_string()])?;
    Ok(())
}
