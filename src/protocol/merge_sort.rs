//! The only sort of the WebAssembly module. All comparisons share its code.

use core::cmp::Ordering;

/// Sorts row numbers. Equal rows keep their order.
///
/// The sort merges runs bottom-up, so that one comparison costs one call and the code is a tenth of
/// the size of the standard library's sort.
pub fn sort(rows: &mut [u32], compare: &mut dyn FnMut(u32, u32) -> Ordering) {
    if rows.is_sorted_by(|one, next| compare(*one, *next).is_le()) {
        return;
    }
    let mut merged = Vec::with_capacity(rows.len());
    let mut length = 1;
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
