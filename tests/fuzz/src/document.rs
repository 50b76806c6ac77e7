//! Documents, read by another parser and given correct hashes. A mutation breaks every hash and digest, so
//! a mutated document would never pass the checks.

use campaign_sync::protocol::EventHash;
use campaign_sync::protocol::envelope::Envelope;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// An object's members, in raw text.
pub(crate) type Members<'a> = std::collections::BTreeMap<String, &'a RawValue>;

/// The members of an object, or `None` if the text is not an object.
pub(crate) fn members(text: &str) -> Option<Members<'_>> {
    serde_json::from_str(text).ok()
}

/// The hash of a v1 event, computed as docs/PROTOCOL.md says from the members that another parser reads.
pub(crate) fn expected_hash(document: &str) -> Option<String> {
    let envelope = members(document)?;
    let sequence = members(envelope.get("sequence")?.get())?;
    let of = |members: &Members<'_>, name: &str| Some(members.get(name)?.get().to_owned());
    let previous = of(&sequence, "previousEventId").unwrap_or_else(|| "null".to_owned());
    let text = format!(
        r#"{{"type":{},"timestamp":{},"data":{},"at":[{},{},{},{},{previous},{}]}}"#,
        of(&envelope, "type")?,
        of(&envelope, "timestamp").unwrap_or_default(),
        of(&envelope, "data").unwrap_or_default(),
        of(&sequence, "campaignId")?,
        of(&sequence, "epoch")?,
        of(&sequence, "sequenceNumber")?,
        of(&sequence, "eventId")?,
        of(&sequence, "checkpointData")?,
    );
    let hash = Sha256::digest(text.as_bytes());
    Some(hash.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The same event with its correct hash. A document that is not an event stays as it is.
pub(crate) fn honest(document: &str) -> String {
    let Ok(Envelope { kind_raw, timestamp_raw, data, sequence: Some(sequence), .. }) =
        Envelope::parse(document)
    else {
        return document.to_owned();
    };
    let hash = EventHash::of_v1(kind_raw, timestamp_raw, data, sequence.hashed());
    // The data may contain the same digits. Only the place that the parser reads counts.
    let claimed = sequence.hash.to_string();
    let exchanged = |(at, _): (usize, &str)| {
        let (before, after) = (&document[..at], &document[at + claimed.len()..]);
        format!("{before}{hash}{after}")
    };
    let is_read = |mended: &String| {
        Envelope::parse(mended).is_ok_and(|it| it.sequence.is_some_and(|it| it.hash == hash))
    };
    let mended = document.match_indices(&*claimed).map(exchanged).find(is_read);
    mended.unwrap_or_else(|| document.to_owned())
}

/// The text as a JSON object, or `None` if it is not one.
pub(crate) fn object(text: &str) -> Option<Map<String, Value>> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    }
}
