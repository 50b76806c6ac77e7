//! The escapes in JSON strings: validates and resolves them.

use super::Code;
use super::scan::plain_end;

/// Returns the end of the escape that begins at `at`. The other half of a surrogate must follow it.
pub(super) fn escape_end(bytes: &[u8], at: usize) -> Result<usize, Code> {
    match bytes.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => match hex4(bytes, at + 2).ok_or(Code::InvalidJson)? {
            0xDC00..=0xDFFF => Err(Code::LoneSurrogate),
            0xD800..=0xDBFF => match (bytes.get(at + 6..at + 8), hex4(bytes, at + 8)) {
                (Some(b"\\u"), Some(0xDC00..=0xDFFF)) => Ok(at + 12),
                _ => Err(Code::LoneSurrogate),
            },
            _ => Ok(at + 6),
        },
        _ => Err(Code::InvalidJson),
    }
}

fn hex4(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..at + 4)?
        .iter()
        .try_fold(0, |sum, &digit| char::from(digit).to_digit(16).map(|value| sum << 4 | value))
}

/// Resolves the escapes of a string that [`Reader::string`] has validated.
pub(super) fn unescape(inner: &str) -> String {
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    loop {
        let bytes = rest.as_bytes();
        let at = plain_end(bytes, 0);
        out.push_str(rest.get(..at).unwrap_or_default());
        if at == bytes.len() {
            return out;
        }
        let (character, length) = match bytes.get(at + 1) {
            Some(b'b') => ('\u{8}', 2),
            Some(b'f') => ('\u{c}', 2),
            Some(b'n') => ('\n', 2),
            Some(b'r') => ('\r', 2),
            Some(b't') => ('\t', 2),
            Some(b'u') => unescape_unicode(bytes, at),
            other => (char::from(other.copied().unwrap_or(b'\\')), 2),
        };
        out.push(character);
        rest = rest.get(at + length..).unwrap_or_default();
    }
}

fn unescape_unicode(bytes: &[u8], at: usize) -> (char, usize) {
    let unit = hex4(bytes, at + 2).unwrap_or(0xFFFD);
    let (scalar, length) = match unit {
        0xD800..=0xDBFF => {
            let low = hex4(bytes, at + 8).unwrap_or(0xDC00);
            (0x10000 + ((unit - 0xD800) << 10) + (low & 0x3FF), 12)
        }
        _ => (unit, 6),
    };
    (char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER), length)
}
