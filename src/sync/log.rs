//! Structured log records, as data; the shell prints them.

use serde::Serialize;

use crate::protocol::CampaignId;

/// How much a record matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Of interest when something is looked into.
    Debug,
    /// The normal course.
    Info,
    /// Noticed and healed, or about to be.
    Warn,
    /// Shown to people.
    Error,
}

/// One log record.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogRecord {
    /// How much it matters.
    pub level: Level,
    /// What happened, one word of a closed set.
    #[serde(rename = "code")]
    pub event: &'static str,
    /// Which campaign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign_id: Option<CampaignId>,
    /// At which number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence_number: Option<u64>,
    /// Of which event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// A code, reason or outcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<&'static str>,
    /// A second number: expected, received, rows or milliseconds, as `event` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<u64>,
}
