//! What the original's documents look like: members in its order, some left out where there is nothing.

use serde::Serialize;
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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Generated<'a> {
    pub(super) campaign_id: &'a str,
    pub(super) domain_id: &'a Value,
    pub(super) domain: &'a Value,
    pub(super) offset: &'a Value,
    pub(super) batch_size: u64,
    pub(super) total_generated: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DnsResult<'a> {
    pub(super) campaign_id: &'a str,
    pub(super) domain_id: &'a Value,
    #[serde(skip_serializing_if = "Value::is_null")]
    pub(super) domain: &'a Value,
    pub(super) validation_status: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dns_records: Option<Value>,
    pub(super) attempts: u64,
    pub(super) processing_time: u64,
    pub(super) total_validated: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HttpResult<'a> {
    pub(super) campaign_id: &'a str,
    pub(super) domain_id: &'a Value,
    #[serde(skip_serializing_if = "Value::is_null")]
    pub(super) domain: &'a Value,
    pub(super) validation_status: &'a Value,
    #[serde(skip_serializing_if = "Value::is_null")]
    pub(super) http_status: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) keywords: Option<[&'static str; 1]>,
    pub(super) content: String,
    pub(super) headers: Value,
    pub(super) processing_time: u64,
    pub(super) total_validated: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Progress<'a> {
    pub(super) campaign_id: &'a str,
    pub(super) total_items: &'a Value,
    pub(super) processed_items: &'a Value,
    pub(super) successful_items: &'a Value,
    pub(super) failed_items: &'a Value,
    pub(super) progress_percent: Value,
    pub(super) current_phase: &'a Value,
    pub(super) phase_status: &'a Value,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Transition<'a> {
    pub(super) campaign_id: &'a str,
    pub(super) previous_phase: &'a Value,
    pub(super) new_phase: &'a Value,
    pub(super) new_status: &'a str,
    pub(super) transition_type: &'a str,
    pub(super) trigger_reason: &'a Value,
    pub(super) prerequisites_met: bool,
    pub(super) data_integrity_check: bool,
    pub(super) domains_count: u64,
    pub(super) processed_count: u64,
    pub(super) successful_count: u64,
    pub(super) failed_items: u64,
    pub(super) transition_metadata: Value,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListUpdate<'a> {
    pub(super) action: &'a Value,
    pub(super) campaign_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) campaign: Option<Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status<'a> {
    pub(super) campaign_id: &'a str,
    pub(super) phase_status: &'a str,
    pub(super) current_phase: &'a Value,
}
