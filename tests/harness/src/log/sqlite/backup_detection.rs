//! Noticing a restored backup: a mark beside the database that must match a number inside it.
//!
//! The number in the database grows by one at every start, at every end, and every few seconds while
//! something is written; the mark follows after the commit. A backup holds the number of its day, so
//! when it is put in place again its number is behind the mark. A database without its mark was
//! carried here from elsewhere. Either way it may lack events that somebody has heard, so it is
//! another log from then on and gets another epoch.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::meta::{number, put_number};

/// The number inside.
const GENERATION: &str = "generation";

/// The mark's file: the database's name and `.mark`.
fn path(db: &Path) -> PathBuf {
    let mut name = db.as_os_str().to_owned();
    name.push(".mark");
    name.into()
}

/// Whether the database is another one than this place had last, or an earlier state of it.
pub(super) fn is_restored_backup(on: &Connection, db: &Path) -> rusqlite::Result<bool> {
    let Some(generation) = number(on, GENERATION)? else { return Ok(false) };
    let mark = fs::read_to_string(path(db)).ok().and_then(|text| text.trim().parse::<u64>().ok());
    Ok(mark.is_none_or(|mark| generation < mark))
}

/// Counts on, first inside, then outside: after a death in between the database is ahead, which
/// means nothing.
pub(super) fn advance(on: &Connection, db: &Path) -> rusqlite::Result<()> {
    let next = number(on, GENERATION)?.unwrap_or_default() + 1;
    put_number(on, GENERATION, next)?;
    mark(db, next).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

fn mark(db: &Path, generation: u64) -> io::Result<()> {
    let (mark, mut fresh) = (path(db), path(db));
    // A server that is ending may write its last mark while the next one writes its first.
    fresh.as_mut_os_string().push(format!(".{:016x}", rand::random::<u64>()));
    let mut file = File::create(&fresh)?;
    writeln!(file, "{generation}")?;
    file.sync_all()?;
    fs::rename(&fresh, &mark)
}
