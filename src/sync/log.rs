//! Structured log records, as data; the shell prints them.

use crate::protocol::CampaignId;
use crate::value::{Record, ToValue, Value, serialize_as_value};

/// How much a record matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
#[derive(Clone, Debug, PartialEq)]
pub struct LogRecord {
    /// How much it matters.
    pub level: Level,
    /// What happened, one word of a closed set.
    pub event: &'static str,
    /// Which campaign.
    pub campaign_id: Option<CampaignId>,
    /// At which number.
    pub sequence_number: Option<u64>,
    /// Of which event.
    pub event_id: Option<String>,
    /// A code, reason or outcome.
    pub detail: Option<&'static str>,
    /// A second number: expected, received, rows or milliseconds, as `event` says.
    pub value: Option<u64>,
}

/// What a record tells beside its event; see [`LogRecord`].
#[derive(Clone, Copy, Debug, Default)]
pub struct LogFields<'a> {
    /// Which campaign.
    pub campaign_id: Option<&'a CampaignId>,
    /// At which number.
    pub sequence_number: Option<u64>,
    /// Of which event.
    pub event_id: Option<&'a str>,
    /// A code, reason or outcome.
    pub detail: Option<&'static str>,
    /// A second number.
    pub value: Option<u64>,
}

impl Level {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

impl ToValue for LogRecord {
    fn to_value(&self) -> Value<'_> {
        let mut record = Record::default();
        record.text("level", self.level.as_str());
        record.text("code", self.event);
        record.optional_text("campaignId", self.campaign_id.as_ref().map(CampaignId::as_str));
        record.optional_count("sequenceNumber", self.sequence_number);
        record.optional_text("eventId", self.event_id.as_deref());
        record.optional_text("detail", self.detail);
        record.optional_count("value", self.value);
        record.into()
    }
}

serialize_as_value!(LogRecord);
