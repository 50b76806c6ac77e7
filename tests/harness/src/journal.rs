//! Structured log lines: one JSON object each, on standard error.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

/// Writes one line.
pub fn line(event: &str, fields: &Value) {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let time = humantime::format_rfc3339_millis(UNIX_EPOCH + wall).to_string();
    let mut line = json!({"time": time, "event": event});
    if let (Some(line), Some(fields)) = (line.as_object_mut(), fields.as_object()) {
        line.extend(fields.clone());
    }
    eprintln!("{line}");
}
