//! What the original's documents look like: members in its order, some left out where there is nothing.

use serde::{Serialize, Serializer};
use serde_json::Value;

/// The V1 envelope, its members in the original's order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct V1<'a> {
    pub(super) id: String,
    pub(super) timestamp: String,
    pub(super) r#type: &'a str,
    pub(super) sequence_number: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) campaign_id: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct V2<'a, D> {
    pub(super) r#type: &'a str,
    pub(super) timestamp: &'a str,
    pub(super) data: D,
}

/// The `data` of V2: members in the original's order, those left out that have no value.
pub(super) struct Members<const N: usize>(pub(super) [(&'static str, Value); N]);

impl<const N: usize> Serialize for Members<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let members = self.0.iter().filter(|(_, value)| !value.is_null());
        serializer.collect_map(members.map(|(name, value)| (name, value)))
    }
}
