//! Detects a restored backup: a mark file beside the database must match a number inside it.
//!
//! The number in the database grows by one at every start, at every end, and every few seconds while
//! something is written. The mark follows after the commit. A backup contains an earlier number, so after a
//! restore the number is behind the mark. A database without its mark was copied from another place. In both
//! cases the database may lack events that clients have received. It therefore counts as another log and gets
//! another epoch.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::meta::{number, put_number};

/// The key of the number in the database.
const GENERATION: &str = "generation";

/// The mark file: the database's name and `.mark`.
fn path(db: &Path) -> PathBuf {
    let mut name = db.as_os_str().to_owned();
    name.push(".mark");
    name.into()
}

/// Whether the database is an earlier state, or was copied from another place.
pub(super) fn is_restored_backup(on: &Connection, db: &Path) -> rusqlite::Result<bool> {
    let Some(generation) = number(on, GENERATION)? else { return Ok(false) };
    let mark = fs::read_to_string(path(db)).ok().and_then(|text| text.trim().parse::<u64>().ok());
    Ok(mark.is_none_or(|mark| generation < mark))
}

/// Increments the number in the database first, and the mark second. After a crash in between, the database
/// is ahead of the mark, which is harmless.
pub(super) fn advance(on: &Connection, db: &Path) -> rusqlite::Result<()> {
    let next = number(on, GENERATION)?.unwrap_or_default() + 1;
    put_number(on, GENERATION, next)?;
    mark(db, next).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

fn mark(db: &Path, generation: u64) -> io::Result<()> {
    let (mark, mut fresh) = (path(db), path(db));
    // A server that ends may write its last mark while the next server writes its first one.
    fresh.as_mut_os_string().push(format!(".{:016x}", rand::random::<u64>()));
    let mut file = File::create(&fresh)?;
    writeln!(file, "{generation}")?;
    file.sync_all()?;
    fs::rename(&fresh, &mark)
}
