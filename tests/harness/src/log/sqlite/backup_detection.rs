//! Detects a restored backup: a mark file beside the database must match a number inside it.
//!
//! The number in the database grows by one at every start, at every end, and every few seconds while
//! something is written. The mark follows after the commit. A backup contains an earlier number, so after a
//! restore the number is behind the mark. A database without its mark was copied from another place. The mark
//! also says whether a server has the database open: then the end of the log is in the write-ahead log, and a
//! database without it is incomplete. In all these cases the database may lack events that clients have
//! received. It therefore counts as another log and gets another epoch.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::meta::{number, put_number};
use super::write_ahead_log::number_transaction;

/// The key of the number in the database.
const GENERATION: &str = "generation";

/// The mark file: the database's name and `.mark`.
fn path(db: &Path) -> PathBuf {
    let mut name = db.as_os_str().to_owned();
    name.push(".mark");
    name.into()
}

/// Whether a server has the database open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It does, or it was killed. A part of the database is in the write-ahead log.
    Open,
    /// The last server closed the database. It contains this generation, alone or with a log that stayed.
    Closed,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

/// Whether the database is an earlier state, or was copied from another place. `has_log` says whether there
/// was a write-ahead log beside it: a killed server always leaves one, so a database without one lacks what
/// that log contained.
pub(super) fn is_restored_backup(
    on: &Connection,
    db: &Path,
    has_log: bool,
) -> rusqlite::Result<bool> {
    let Some(generation) = number(on, GENERATION)? else { return Ok(false) };
    let mark = fs::read_to_string(path(db)).unwrap_or_default();
    let (marked, state) = mark.trim().split_once(' ').unwrap_or_else(|| (mark.trim(), ""));
    let is_behind = marked.parse::<u64>().ok().is_none_or(|marked| generation < marked);
    let lacks_its_log = state == State::Open.name() && !has_log;
    Ok(is_behind || lacks_its_log)
}

/// Increments the number in the database first, and the mark second. After a crash in between, the database
/// is ahead of the mark, which is harmless.
pub(super) fn advance(on: &Connection, db: &Path, state: State) -> rusqlite::Result<()> {
    let tx = on.unchecked_transaction()?;
    number_transaction(&tx)?;
    let next = number(&tx, GENERATION)?.unwrap_or_default() + 1;
    put_number(&tx, GENERATION, next)?;
    tx.commit()?;
    mark(db, next, state).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// Marks the database as closed.
///
/// # Errors
/// Errors of the database and of the file system.
pub(super) fn mark_closed(db: &Path, generation: u64) -> io::Result<()> {
    mark(db, generation, State::Closed)
}

/// The number in the database.
pub(super) fn generation(on: &Connection) -> rusqlite::Result<u64> {
    Ok(number(on, GENERATION)?.unwrap_or_default())
}

fn mark(db: &Path, generation: u64, state: State) -> io::Result<()> {
    let (mark, mut fresh) = (path(db), path(db));
    // A server that ends may write its last mark while the next server writes its first one.
    fresh.as_mut_os_string().push(format!(".{:016x}", rand::random::<u64>()));
    let mut file = File::create(&fresh)?;
    writeln!(file, "{generation} {}", state.name())?;
    file.sync_all()?;
    fs::rename(&fresh, &mark)
}
