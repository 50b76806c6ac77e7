//! The database file: which one is open, and whether it is complete and sound.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use super::super::{LogError, Result};

/// The longest wait for another connection to the database.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The database file that a path referred to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// # Errors
    /// Errors of the file system.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        Ok(Self::from(&fs::metadata(path)?))
    }

    fn from(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }

    /// Checks that the path still refers to this file, and that it has content: SQLite deletes the
    /// write-ahead log of an empty database.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub(super) fn check(self, path: &Path) -> Result<()> {
        let reason = match fs::metadata(path) {
            Ok(present) if Self::from(&present) != self => "was replaced",
            Ok(present) if present.len() == 0 => "was emptied",
            Ok(_) => return Ok(()),
            Err(_) => "was deleted or moved",
        };
        let reason = format!("{reason} while the server had it open");
        Err(LogError::Storage(format!("the database file {} {reason}", path.display())))
    }
}

/// Copies the write-ahead log into the database, and truncates the log. Waits at most this long for readers.
/// Returns `false` if readers still need a part of the log; it stays then.
pub(super) fn checkpoint(on: &Connection, wait: Duration) -> rusqlite::Result<bool> {
    on.busy_timeout(wait)?;
    let is_busy = on.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
    on.busy_timeout(BUSY_TIMEOUT)?;
    Ok(!is_busy?)
}

/// Checks the structure of all pages.
///
/// # Errors
/// [`LogError::Storage`] if the database is damaged.
pub(super) fn check_pages(on: &Connection, path: &Path) -> Result<()> {
    let found: String = on.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found == "ok" {
        return Ok(());
    }
    Err(LogError::Storage(format!("the database file {} is damaged: {found}", path.display())))
}
