//! The only functions that take a lock.

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

/// Takes the lock even if a thread panicked while it held it. That is safe: the data under these locks
/// changes in complete steps, or within a transaction.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the lock like [`lock`]; `None` if it is taken.
pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
