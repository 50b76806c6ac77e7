//! One server to a database: a second one would publish nothing of what the first one appends.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use super::super::{LogError, Result};

/// A server that is ending is waited for this long.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

const RETRY: Duration = Duration::from_millis(20);

/// Holds the database for as long as the file is open; the operating system lets go of it for a
/// process that was killed. The lock is on a file of its own, the database's name and `.lock`, for
/// closing any handle on the database itself would undo SQLite's own locks.
///
/// # Errors
/// [`LogError::Storage`] if somebody else holds it.
pub(super) fn acquire(db: &Path) -> Result<File> {
    // However many links lead to it, there is one lock.
    let real = db.canonicalize();
    let mut name = real.as_deref().unwrap_or(db).as_os_str().to_owned();
    name.push(".lock");
    let storage = |error: std::io::Error| LogError::Storage(error.to_string());
    let options = File::options().create(true).truncate(false).write(true).open(name);
    let file = options.map_err(storage)?;
    let until = Instant::now() + LOCK_TIMEOUT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(storage(error)),
            Err(TryLockError::WouldBlock) if Instant::now() < until => std::thread::sleep(RETRY),
            Err(TryLockError::WouldBlock) => {
                let text = format!("{} is in use by another server", db.display());
                return Err(LogError::Storage(text));
            }
        }
    }
}
