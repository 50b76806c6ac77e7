//! The one sort of the module: every comparison shares its code.

use core::cmp::Ordering;

/// Sorts row numbers. Equal ones may change places.
pub fn sort(rows: &mut [u32], compare: &mut dyn FnMut(u32, u32) -> Ordering) {
    rows.sort_unstable_by(|&one, &other| compare(one, other));
}
