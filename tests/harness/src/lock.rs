//! The only function that takes a lock.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes the lock even if a thread panicked while it held it. That is safe: the data under these locks
/// changes in complete steps, or within a transaction.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
