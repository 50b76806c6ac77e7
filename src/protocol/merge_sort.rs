//! The only sort of the WebAssembly module. All comparisons share its code.

use core::cmp::Ordering;

/// Runs of this length are sorted by insertion, which is faster than merging for few rows.
const RUN: usize = 8;

/// Sorts row numbers. Equal rows keep their order.
///
/// The sort merges runs bottom-up, so that one comparison costs one call and the code is a tenth of
/// the size of the standard library's sort.
pub fn sort(rows: &mut [u32], compare: &mut dyn FnMut(u32, u32) -> Ordering) {
    for run in rows.chunks_mut(RUN) {
        for end in 1..run.len() {
            let mut at = end;
            while let Some([before, row]) = at.checked_sub(1).and_then(|b| run.get_mut(b..=at)) {
                if compare(*before, *row).is_le() {
                    break;
                }
                core::mem::swap(before, row);
                at -= 1;
            }
        }
    }
    let mut merged = Vec::with_capacity(rows.len());
    let mut length = RUN;
    while length < rows.len() {
        merged.clear();
        for pair in rows.chunks(2 * length) {
            let (left, right) = pair.split_at_checked(length).unwrap_or((pair, &[]));
            merge(left, right, &mut merged, compare);
        }
        rows.copy_from_slice(&merged);
        length *= 2;
    }
}

fn merge(
    mut left: &[u32],
    mut right: &[u32],
    merged: &mut Vec<u32>,
    compare: &mut dyn FnMut(u32, u32) -> Ordering,
) {
    while let ([one, rest_of_left @ ..], [other, rest_of_right @ ..]) = (left, right) {
        if compare(*one, *other).is_le() {
            merged.push(*one);
            left = rest_of_left;
        } else {
            merged.push(*other);
            right = rest_of_right;
        }
    }
    merged.extend_from_slice(left);
    merged.extend_from_slice(right);
}
