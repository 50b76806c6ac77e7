//! Finds out whether a write-ahead log belongs to the database beside it.
//!
//! SQLite replays any log that lies beside a database. If the database is a restored backup, a log that a
//! killed server left behind mixes pages of both. So every write transaction increments a number in page 1 of
//! the database (its `application_id`), and thereby writes page 1 into the log. A log belongs to the database
//! if the database contains the number before the log's first transaction, or the number of a transaction in
//! the log, because checkpoints have copied a part of the log. The schema cookie must agree, too: `VACUUM INTO`
//! copies the number, but lays out other pages, and increments the cookie.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

/// The bytes of the header of a database, at the start of page 1.
const HEADER_BYTES: usize = 100;

/// The bytes of the header of a log, and of the header of each of its frames.
const LOG_HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;

/// The name of the number in page 1.
const NUMBER: &str = "application_id";

/// The state of page 1 that identifies a database file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Page1 {
    number: u32,
    cookie: u32,
}

impl Page1 {
    /// Reads the header of a database.
    fn read(header: &[u8; HEADER_BYTES]) -> Self {
        Self { number: be32(header, 68), cookie: be32(header, 40) }
    }

    /// The state after a transaction that changed only the number.
    const fn next(self) -> Self {
        Self { number: next(self.number), ..self }
    }
}

/// The files beside a database, before SQLite reads them.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// There was a write-ahead log, although it may be empty.
    pub(super) has_log: bool,
    /// A log that does not belong to the database was renamed to this path.
    pub(super) displaced_to: Option<PathBuf>,
}

/// Inspects the files beside the database, which no connection of this process may have open: closing a file
/// releases the locks of all connections to it. Renames a write-ahead log and a rollback journal that do not
/// belong to the database, so that SQLite does not replay them.
///
/// # Errors
/// Errors of the file system.
pub(super) fn inspect(db: &Path) -> io::Result<Beside> {
    let real = db.canonicalize().unwrap_or_else(|_| db.to_owned());
    let header = header_of(&real)?;
    let (log, journal) = (with_suffix(&real, "-wal"), with_suffix(&real, "-journal"));
    let mut beside = Beside { has_log: log.exists(), displaced_to: None };
    if !log_belongs(header.as_ref(), &log)? {
        beside.displaced_to = Some(displace(&log)?);
        // An index of the log. SQLite makes it again.
        remove_if_present(&with_suffix(&real, "-shm"))?;
    }
    // A database in WAL mode has no rollback journal.
    let in_wal_mode = header.is_some_and(|header| header[18] == 2);
    if in_wal_mode && length(&journal)? > 0 {
        beside.displaced_to = Some(displace(&journal)?);
    }
    Ok(beside)
}

/// Increments the number in page 1. Every write transaction must call this.
pub(super) fn number_transaction(on: &Connection) -> rusqlite::Result<()> {
    let number: i32 = on.pragma_query_value(None, NUMBER, |row| row.get(0))?;
    on.pragma_update(None, NUMBER, next(number.cast_unsigned()).cast_signed())
}

/// Begins a new series of numbers, which no earlier state of the database has used.
pub(super) fn renumber(on: &Connection) -> rusqlite::Result<()> {
    // The log must first contain the present number; otherwise it would not belong to the database.
    number_transaction(on)?;
    on.pragma_update(None, NUMBER, rand::random::<u32>() >> 1 | 1)
}

/// The number after this one. Zero marks a database of a release that did not number its transactions.
const fn next(number: u32) -> u32 {
    if number == u32::MAX { 1 } else { number + 1 }
}

/// Whether the log is absent, empty or belongs to the database with this header.
fn log_belongs(header: Option<&[u8; HEADER_BYTES]>, log: &Path) -> io::Result<bool> {
    let images = images_in(log)?;
    let Some(images) = images else { return Ok(true) };
    let Some(header) = header else { return Ok(false) };
    let database = Page1::read(header);
    let Some(first) = images.first() else { return Ok(database.number == 0) };
    // An earlier release did not number transactions, and neither is the creation of the tables numbered.
    let is_unnumbered = database.number == 0 && first.number == 0;
    Ok(is_unnumbered || database.next() == *first || images.contains(&database))
}

/// Every state of page 1 in a log, in order; `None` if the log has no frame.
fn images_in(log: &Path) -> io::Result<Option<Vec<Page1>>> {
    let mut log = match File::open(log) {
        Ok(log) => BufReader::new(log),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some(start) = take::<LOG_HEADER_BYTES>(&mut log)? else { return Ok(None) };
    let (page_bytes, salts) = (be32(&start, 8) as usize, &start[16..24]);
    if page_bytes < HEADER_BYTES {
        return Ok(None);
    }
    let (mut images, mut has_frames) = (Vec::new(), false);
    while let Some(frame) = take::<FRAME_HEADER_BYTES>(&mut log)? {
        // Frames with other salts are left over from before the log was last reset.
        if frame[8..16] != *salts {
            break;
        }
        let Some(header) = take::<HEADER_BYTES>(&mut log)? else { break };
        has_frames = true;
        if be32(&frame, 0) == 1 {
            images.push(Page1::read(&header));
        }
        log.seek_relative((page_bytes - HEADER_BYTES) as i64)?;
    }
    Ok(has_frames.then_some(images))
}

/// The header of a database; `None` if there is no file, or one that is shorter than the header.
fn header_of(db: &Path) -> io::Result<Option<[u8; HEADER_BYTES]>> {
    match File::open(db) {
        Ok(mut db) => take(&mut db),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The next bytes; `None` if there are fewer.
fn take<const N: usize>(from: &mut impl io::Read) -> io::Result<Option<[u8; N]>> {
    let mut bytes = [0; N];
    match from.read_exact(&mut bytes) {
        Ok(()) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

fn be32(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte))
}

fn displace(file: &Path) -> io::Result<PathBuf> {
    let name = with_suffix(file, &format!(".{:016x}", rand::random::<u64>()));
    fs::rename(file, &name)?;
    Ok(name)
}

fn length(file: &Path) -> io::Result<u64> {
    match fs::metadata(file) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

fn remove_if_present(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(suffix);
    name.into()
}
