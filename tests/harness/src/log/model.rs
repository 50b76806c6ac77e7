//! The types of a log's input and output: events, states, and entries of the audit trail.

use std::sync::Arc;

use campaign_sync::protocol::{CampaignId, Digest, Phase};
use serde::{Deserialize, Serialize};

use super::state::{CampaignState, PhaseCounts, Row, record_json};

/// An event before it has a number.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// The event's type.
    pub kind: &'static str,
    /// RFC 3339, UTC.
    pub timestamp: String,
    /// The event's `data`, as the JSON text that will be published.
    pub data: String,
    /// The entry of the audit trail that the same transaction writes.
    pub audit_entry: Option<Transaction>,
    /// The expected rows before the event. The same transaction counts the rows again and compares them.
    pub counted: Option<Recount>,
    /// The owner of the campaign after the event, if the event sets it. It is stored beside the event and not
    /// published, because a replay would show names to later owners.
    pub owner: Option<Owner>,
}

/// The owner of a campaign: a user, or `None` for the operator.
pub type Owner = Option<String>;

/// An event of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number.
    pub number: u64,
    /// The complete document, as first published. It never changes.
    pub document: Arc<str>,
}

/// The end of a campaign's log, with count and digest of the state there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The last number.
    pub number: u64,
    /// The last event's id.
    pub event_id: String,
    /// The oldest number in the history; `number + 1` if the history is empty.
    pub oldest: u64,
    /// The number of rows.
    pub domains_count: u64,
    /// Digest of the rows.
    pub domains_digest: Digest,
}

impl Head {
    /// The number and the id of the last event.
    pub fn at(&self) -> (u64, &str) {
        (self.number, &self.event_id)
    }
}

impl Default for Head {
    /// The head before the first event.
    fn default() -> Self {
        Self {
            number: 0,
            event_id: String::new(),
            oldest: 1,
            domains_count: 0,
            domains_digest: Digest::default(),
        }
    }
}

/// The result of an append.
#[derive(Clone, Debug, PartialEq)]
pub struct Appended {
    /// The numbered events.
    pub events: Vec<Event>,
    /// The head after the last event.
    pub head: Head,
    /// The campaign after the last event.
    pub state: CampaignState,
}

/// A campaign's state at one number, read in one step.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// The head that the state belongs to.
    pub head: Head,
    /// The record and the settings.
    pub state: CampaignState,
    /// The requested rows.
    pub rows: Vec<Row>,
    /// The number of rows that match the filter, including those beyond the limit.
    pub matching: u64,
}

/// A count of all rows, independent of the incremental count and digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recount {
    /// The head at the moment of the count.
    pub head: Head,
    /// The number of rows.
    pub count: u64,
    /// The digest of the rows, with every row hash computed again.
    pub digest: Digest,
    /// The progress of the phases.
    pub phase_counts: PhaseCounts,
}

impl RowQuery {
    /// No rows.
    pub const NONE: Self = Self {
        skip: 0,
        limit: Some(0),
        buckets: None,
        search: None,
        dns_status: None,
        http_status: None,
        from_offset: None,
        awaiting: None,
    };
}

impl Recount {
    /// Whether the recount equals the stored count and digest: the integrity check of a transition.
    pub fn agrees(&self) -> bool {
        (self.count, self.digest) == (self.head.domains_count, self.head.domains_digest)
    }
}

/// A filter and a range of rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowQuery {
    /// The number of matching rows to skip.
    pub skip: u64,
    /// The most rows to return; `None` for all.
    pub limit: Option<u64>,
    /// Only rows of these digest buckets.
    pub buckets: Option<Vec<u8>>,
    /// Only rows with this text in the domain name.
    pub search: Option<String>,
    /// Only rows with this DNS result.
    pub dns_status: Option<String>,
    /// Only rows with this HTTP result.
    pub http_status: Option<String>,
    /// Only rows from this offset on.
    pub from_offset: Option<i64>,
    /// Only rows that are due for this phase and have not passed it yet.
    pub awaiting: Option<Phase>,
}

/// A range of the list of campaigns that are not deleted, in ascending order of their ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CampaignQuery<'a> {
    /// Only campaigns of this user; `None` for all campaigns.
    pub owner: Option<&'a str>,
    /// Only campaigns with a greater id.
    pub after: Option<&'a CampaignId>,
    /// The most campaigns to return; `None` for all.
    pub limit: Option<u64>,
}

/// One entry of the audit trail: a request and its result. An accepted request is recorded in the same
/// transaction as its event, a refused request alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transaction {
    /// The name, for example `DNS_Phase_Transition`.
    pub name: String,
    /// The name of the caller; `server` for the server itself.
    pub who: String,
    /// The time, RFC 3339, UTC.
    pub timestamp: String,
    /// The phase and status before the request, as `phase/status`.
    pub from: String,
    /// The requested phase and status.
    pub to: String,
    /// `manual`, `automatic` or `error_recovery`; another name for a request that is not a phase transition.
    pub kind: String,
    /// The reason, in the caller's words.
    pub reason: String,
    /// `accepted`, or the code of the refusal.
    pub result: String,
    /// The refusal, for people.
    pub message: Option<String>,
    /// The idempotency key of the request; unique within the campaign.
    pub key: Option<String>,
    /// The fingerprint of the request with this key.
    pub fingerprint: Option<String>,
    /// The event's number. The log sets this field and all following ones.
    pub sequence_number: Option<u64>,
    /// The event's id.
    pub event_id: Option<String>,
    /// The campaign's record after the event, as JSON.
    pub record: Option<String>,
}

impl Transaction {
    /// Completes an entry with the number and id of its event, and with the record after it.
    pub fn complete(
        &self,
        campaign: &CampaignId,
        (number, event_id): (u64, &str),
        state: &CampaignState,
    ) -> Self {
        Self {
            sequence_number: Some(number),
            event_id: Some(event_id.to_owned()),
            record: Some(record_json(campaign.as_str(), &state.record).to_string()),
            ..self.clone()
        }
    }
}
