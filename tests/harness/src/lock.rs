//! The one way to take a lock.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes it, also after a panic of somebody who held it: what is kept under locks here is changed in
/// steps that are whole, or within a transaction.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
