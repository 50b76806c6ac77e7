//! How Go spells what the original's server wrote: JSON, numbers, times, ids.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::{Value, json};

/// JSON as Go writes it: some characters are escaped for the sake of HTML. They occur in texts only.
pub(super) fn go_json(value: &impl Serialize) -> String {
    serde_json::to_string(value)
        .unwrap_or_default()
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

/// Go writes whole numbers without a point.
pub(super) fn go_number(number: f64) -> Value {
    if number.fract() == 0.0 { json!(number as i64) } else { json!(number) }
}

pub(super) fn uuid() -> String {
    let hex = format!("{:032x}", rand::random::<u128>());
    format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}

pub(super) fn unix_nanoseconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64
}

/// Whole seconds, as V1 has them.
pub(super) fn seconds(timestamp: &str) -> String {
    format!("{}Z", timestamp.split(['.', 'Z']).next().unwrap_or_default())
}

/// Go leaves the zeros at the end of a second away.
pub(super) fn trimmed(timestamp: &str) -> String {
    match timestamp.trim_end_matches('Z').split_once('.') {
        Some((whole, part)) if part.trim_end_matches('0').is_empty() => format!("{whole}Z"),
        Some((whole, part)) => format!("{whole}.{}Z", part.trim_end_matches('0')),
        None => timestamp.to_owned(),
    }
}
