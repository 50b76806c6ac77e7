//! One server per database: a second server would not publish the events that the first one appends.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use super::super::{LogError, Result};

/// The longest wait for a server that is ending.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

const RETRY: Duration = Duration::from_millis(20);

/// Locks the database while the returned file is open. The operating system releases the lock of a killed
/// process. The lock is on a separate file, the database's name and `.lock`, because closing any handle on
/// the database itself would release SQLite's locks.
///
/// # Errors
/// [`LogError::Storage`] if another server holds the lock.
pub(super) fn acquire(db: &Path) -> Result<File> {
    // All links to the database lead to the same lock.
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
