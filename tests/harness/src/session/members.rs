//! Members of client messages: whether their names are unambiguous, and what a refusal names.

use std::collections::BTreeSet;
use std::fmt;

use campaign_sync::protocol::CampaignId;
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::error::Category;

/// The longest request id, in bytes.
pub(super) const REQUEST_ID_BYTES_MAX: usize = 128;

/// Whether a document repeats the name of a member within an object, or writes one with escapes (R6.10).
/// Readers of JSON differ in what they make of both. Documents that are not JSON are not ambiguous.
pub(super) fn are_ambiguous(document: &str) -> bool {
    // The visitor takes any value, so errors of this category are its own.
    serde_json::from_str::<Unambiguous>(document)
        .is_err_and(|error| error.classify() == Category::Data)
}

/// The campaign and the request that a document names, as far as they can be read.
pub(super) fn named(document: &str) -> (Option<CampaignId>, Option<String>) {
    let Ok(message) = serde_json::from_str::<Value>(document) else { return (None, None) };
    let fields = message.get("payload").filter(|it| it.is_object()).unwrap_or(&message);
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let request = text("requestId").filter(|it| (1..=REQUEST_ID_BYTES_MAX).contains(&it.len()));
    (text("campaignId").and_then(|it| CampaignId::new(it).ok()), request.map(str::to_owned))
}

/// Any JSON whose member names are unambiguous.
struct Unambiguous;

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Unambiguous;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Unambiguous, A::Error> {
        let mut names = BTreeSet::new();
        // A name with escapes cannot be borrowed from the document.
        while let Some(name) = members.next_key::<&'de str>()? {
            if !names.insert(name) {
                return Err(A::Error::custom("a member is repeated"));
            }
            members.next_value::<Unambiguous>()?;
        }
        Ok(Unambiguous)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Unambiguous, A::Error> {
        while items.next_element::<Unambiguous>()?.is_some() {}
        Ok(Unambiguous)
    }

    fn visit_unit<E>(self) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_str<E>(self, _: &str) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }
}
