//! Finds bytes in text, eight bytes at a time: the end of plain text in a JSON string, and the end of a line.

const ONES: u64 = u64::MAX / 255;
const HIGHS: u64 = ONES << 7;

/// Sets the high bit of each zero byte of `word`, and possibly of bytes above the first zero byte.
/// This is the usual bit trick.
const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGHS
}

/// Returns the offset of the first byte at or after `at` that ends plain string text: a quote, a
/// backslash or a control character.
pub(super) fn plain_end(bytes: &[u8], at: usize) -> usize {
    let stops = |word: u64| {
        word.wrapping_sub(ONES * 0x20) & !word & HIGHS
            | zero_bytes(word ^ (ONES * b'"' as u64))
            | zero_bytes(word ^ (ONES * b'\\' as u64))
    };
    end(bytes, at, stops)
}

/// Takes the text before the next line feed.
pub(super) fn next_line<'a>(rest: &mut &'a str) -> &'a str {
    let end = end(rest.as_bytes(), 0, |word| zero_bytes(word ^ (ONES * b'\n' as u64)));
    let line = rest.get(..end).unwrap_or_default();
    *rest = rest.get(end + 1..).unwrap_or_default();
    line
}

/// Returns the offset of the first byte at or after `at` whose high bit `stops` sets. Reads eight
/// bytes per step.
fn end(bytes: &[u8], mut at: usize, stops: impl Fn(u64) -> u64) -> usize {
    while let Some(chunk) = bytes.get(at..at + 8) {
        let stop = stops(u64::from_le_bytes(chunk.try_into().unwrap_or_default()));
        if stop != 0 {
            return at + stop.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let tail = bytes.get(at..).unwrap_or_default();
    at + tail.iter().position(|&byte| stops(byte.into()) & 0x80 != 0).unwrap_or(tail.len())
}
