//! Numbers and the secret stored beside the campaigns.

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

/// The secret of the log. The first call makes it.
pub(super) fn secret(on: &Connection) -> rusqlite::Result<String> {
    let new = super::super::new_secret();
    on.execute("INSERT OR IGNORE INTO meta (key, value) VALUES ('secret', ?1)", [new])?;
    on.query_row("SELECT value FROM meta WHERE key = 'secret'", [], |row| row.get(0))
}
