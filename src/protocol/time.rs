//! RFC 3339 timestamps in UTC, parsed only as far as the age of an event requires.

/// Year, month, day, hour, minute and second. A dot stands for a digit.
const SHAPE: &[u8] = b"....-..-..T..:..:..";

/// Parses an RFC 3339 timestamp in UTC as milliseconds since 1970; `None` for anything else.
pub fn parse_rfc3339_ms(text: &str) -> Option<i64> {
    let (stamp, rest) = text.as_bytes().split_at_checked(SHAPE.len())?;
    let mut fields = [0i32; 6];
    let mut field = 0;
    for (&shape, &byte) in SHAPE.iter().zip(stamp) {
        if shape == b'.' && byte.is_ascii_digit() {
            let number = fields.get_mut(field)?;
            *number = *number * 10 + i32::from(byte - b'0');
        } else if shape == byte || shape == b'T' && matches!(byte, b't' | b' ') {
            field += 1;
        } else {
            return None;
        }
    }
    let [year, month, day, hour, minute, second] = fields;
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 {
        return None;
    }
    let (millis, zone) = fraction(rest)?;
    if !matches!(zone, [b'Z' | b'z', ..]) {
        return None;
    }
    let hours = days_from_civil(year, month, day) * 24 + hour;
    Some((i64::from(hours) * 3600 + i64::from(minute * 60 + second)) * 1000 + i64::from(millis))
}

/// Returns the milliseconds of an optional fraction of a second, and the text after it.
fn fraction(text: &[u8]) -> Option<(i32, &[u8])> {
    let Some((b'.', mut rest)) = text.split_first() else { return Some((0, text)) };
    let (mut millis, mut worth) = (0, 100);
    while let [digit @ b'0'..=b'9', after @ ..] = rest {
        millis += i32::from(digit - b'0') * worth;
        worth /= 10;
        rest = after;
    }
    Some((millis, rest))
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar. Years are counted from March of the
/// year −400, so that the leap day comes last and no count is negative.
const fn days_from_civil(year: i32, month: i32, day: i32) -> i32 {
    let year = year + 400 - (month <= 2) as i32;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 865_565
}
