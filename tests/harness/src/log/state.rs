//! The state that a campaign's log folds into: a record, settings, rows.

use campaign_sync::protocol::campaign::{CampaignRecord, PhaseCounters};
use campaign_sync::protocol::digest::{RowFields, RowHasher};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

/// One domain.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Row {
    /// The stable id.
    pub domain_id: String,
    /// The domain name.
    pub domain: String,
    /// The position in the generated sequence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<i64>,
    /// The result of DNS validation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_status: Option<String>,
    /// The result of HTTP validation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_status: Option<String>,
    /// The HTTP status code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_status_code: Option<i32>,
    /// The result of the analysis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lead_status: Option<String>,
    /// The score of the analysis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lead_score: Option<f64>,
}

impl Row {
    /// The hash of the columns, docs/PROTOCOL.md, chapter 11.
    pub fn hash(&self, hasher: &mut RowHasher) -> u64 {
        hasher.hash(&RowFields {
            domain_id: &self.domain_id,
            domain: Some(&self.domain),
            offset: self.offset,
            dns_status: self.dns_status.as_deref(),
            http_status: self.http_status.as_deref(),
            http_status_code: self.http_status_code.map(i64::from),
            lead_status: self.lead_status.as_deref(),
            lead_score: self.lead_score,
        })
    }
}

/// The settings of a campaign. The first event carries them, so they are part of the fold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// The pattern of the domain names: `{word}`, `{n}` and `{letters}` are replaced.
    pub pattern: String,
    /// The number of rows.
    pub count: u64,
    /// The seed from which names and results follow.
    pub seed: u64,
    /// Rows per second.
    pub rate: u64,
    /// Rows per event; the rate decides if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<u64>,
    /// The owner of the campaign; absent for the operator. Events do not contain it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

impl Settings {
    /// The settings as an event contains them: without the owner.
    pub fn published(&self) -> Self {
        Self { owner: None, ..self.clone() }
    }
}

impl Default for Settings {
    fn default() -> Self {
        let pattern = "{word}-{n}.example".into();
        Self { pattern, count: 0, seed: 1, rate: 200, batch: None, owner: None }
    }
}

/// A campaign without its rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CampaignState {
    /// The record.
    pub record: CampaignRecord,
    /// The settings.
    pub settings: Settings,
    /// Whether the campaign has been deleted.
    pub deleted: bool,
}

/// The number of rows that have passed each phase, counted from the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PhaseCounts {
    /// All rows.
    pub rows: u64,
    /// Rows with a DNS result.
    pub dns_done: u64,
    /// Rows whose domain resolved.
    pub resolved: u64,
    /// Rows with an HTTP result.
    pub http_done: u64,
    /// Rows that were fetched.
    pub fetched: u64,
    /// Rows with an analysis result.
    pub analysed: u64,
    /// Rows that are leads.
    pub leads: u64,
}

impl PhaseCounts {
    /// Counts one more row.
    pub fn add(&mut self, row: &Row) {
        self.rows += 1;
        self.dns_done += u64::from(row.dns_status.is_some());
        self.resolved += u64::from(row.dns_status.as_deref() == Some("resolved"));
        self.http_done += u64::from(row.http_status.is_some());
        self.fetched += u64::from(row.http_status.as_deref() == Some("success"));
        self.analysed += u64::from(row.lead_status.is_some());
        self.leads += u64::from(row.lead_status.as_deref() == Some("match"));
    }
}

/// A record in its wire form, docs/PROTOCOL.md, chapter 10.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Record<'a> {
    /// The id of the campaign.
    campaign_id: &'a str,
    /// Its name, for people.
    name: &'a str,
    /// Its phase.
    current_phase: &'a str,
    /// Its status within the phase.
    phase_status: &'a str,
    /// The number of items that the phase processes.
    total_items: u64,
    /// The number of items that the phase has processed.
    processed_items: u64,
    /// How many of them succeeded.
    successful_items: u64,
    /// How many of them failed.
    failed_items: u64,
    /// The progress of the phase, 0 to 100.
    progress_percentage: f64,
    /// The number of rows.
    total_domain_count: u64,
    /// The time of its creation, in RFC 3339; may be empty.
    created_at: &'a str,
    /// The time of its last change, in RFC 3339; may be empty.
    updated_at: &'a str,
    /// The message of a failed phase, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<&'a str>,
}

impl<'a> Record<'a> {
    /// The record of the campaign with this id.
    pub fn new(campaign_id: &'a str, record: &'a CampaignRecord) -> Self {
        let counters = &record.counters;
        Self {
            campaign_id,
            name: &record.name,
            current_phase: record.phase.as_str(),
            phase_status: record.status.as_str(),
            total_items: counters.total_items,
            processed_items: counters.processed_items,
            successful_items: counters.successful_items,
            failed_items: counters.failed_items,
            progress_percentage: counters.progress_percentage,
            total_domain_count: record.total_domain_count,
            created_at: &record.created_at,
            updated_at: &record.updated_at,
            error_message: record.error_message.as_deref(),
        }
    }
}

/// The record in its wire form, as a value.
pub fn record_json(campaign_id: &str, record: &CampaignRecord) -> Value {
    json!(Record::new(campaign_id, record))
}

/// The counters in the form of `rollbackData`.
pub fn counters_json(counters: &PhaseCounters) -> Value {
    json!({
        "totalItems": counters.total_items,
        "processedItems": counters.processed_items,
        "successfulItems": counters.successful_items,
        "failedItems": counters.failed_items,
    })
}
