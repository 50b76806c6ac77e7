//! Structured log records as plain data. The driver prints them.

use crate::protocol::write::{JsonWriter, ToJson};
use crate::protocol::{CampaignId, SequenceNumber};

/// The severity of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Useful for investigating a problem.
    Debug,
    /// Normal operation.
    Info,
    /// A problem that the client has repaired or is about to repair.
    Warn,
    /// A problem that is shown to users.
    Error,
}

/// One log record.
#[derive(Clone, Debug, PartialEq)]
pub struct LogRecord {
    /// The severity.
    pub level: Level,
    /// The name of the event, from a closed set.
    pub event: &'static str,
    /// The campaign that the record is about.
    pub campaign_id: Option<CampaignId>,
    /// The sequence number that the record is about.
    pub sequence_number: Option<u64>,
    /// The id of the event that the record is about.
    pub event_id: Option<String>,
    /// A code, reason or outcome.
    pub detail: Option<&'static str>,
    /// A second number, whose meaning depends on `event`: expected, received, rows or milliseconds.
    pub value: Option<u64>,
}

/// The subject of a [`LogRecord`]; empty if the record is about the connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogSubject<'a> {
    /// The campaign.
    pub campaign_id: Option<&'a CampaignId>,
    /// The sequence number.
    pub sequence_number: Option<SequenceNumber>,
    /// The id of the event.
    pub event_id: Option<&'a str>,
}

impl Level {
    /// The name of the level.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

impl ToJson for LogRecord {
    fn show(&self, to: &mut JsonWriter) {
        to.text("level", self.level.as_str());
        to.text("code", self.event);
        to.optional_text("campaignId", self.campaign_id.as_ref().map(CampaignId::as_str));
        to.optional_count("sequenceNumber", self.sequence_number);
        to.optional_text("eventId", self.event_id.as_deref());
        to.optional_text("detail", self.detail);
        to.optional_count("value", self.value);
    }
}
