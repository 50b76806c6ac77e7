//! What goes into a log and comes out of it: events, states, and entries of the transaction log.

use std::sync::Arc;

use campaign_sync::protocol::{CampaignId, Digest, Phase};
use serde::{Deserialize, Serialize};

use super::state::{CampaignState, PhaseCounts, Row, record_json};

/// What happened, before it has a number.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// The event's type.
    pub kind: &'static str,
    /// RFC 3339, UTC.
    pub timestamp: String,
    /// The event's `data`, as the JSON text that will be published.
    pub data: String,
    /// What the transaction log files with it, in the same transaction.
    pub audit_entry: Option<Transaction>,
    /// What the rows must say before it, counted again in the same transaction.
    pub counted: Option<Recount>,
}

/// An event of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number.
    pub number: u64,
    /// The complete document, as first published and for ever after.
    pub document: Arc<str>,
}

/// Where a campaign's log ends, and what the state is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The last number.
    pub number: u64,
    /// The last event's id.
    pub event_id: String,
    /// The oldest number that is still there; `number + 1` when none is.
    pub oldest: u64,
    /// Rows.
    pub domains_count: u64,
    /// Digest of the rows.
    pub domains_digest: Digest,
}

impl Head {
    /// Number and id of the last event.
    pub fn at(&self) -> (u64, &str) {
        (self.number, &self.event_id)
    }
}

impl Default for Head {
    /// Before the first event.
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

/// What an append led to.
#[derive(Clone, Debug, PartialEq)]
pub struct Appended {
    /// The events, numbered.
    pub events: Vec<Event>,
    /// The head after the last of them.
    pub head: Head,
    /// The campaign after the last of them.
    pub state: CampaignState,
}

/// A campaign's state at one number, read in one step.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// The number whose state this is.
    pub head: Head,
    /// The record and the settings.
    pub state: CampaignState,
    /// The rows that were asked for.
    pub rows: Vec<Row>,
    /// How many rows match the filter, those beyond the limit included.
    pub matching: u64,
}

/// The rows counted one by one, beside what is kept incrementally.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recount {
    /// Where the log stood.
    pub head: Head,
    /// Rows counted.
    pub count: u64,
    /// Digest of their columns, every hash computed anew.
    pub digest: Digest,
    /// How far the phases are.
    pub tally: PhaseCounts,
}

impl RowQuery {
    /// No rows at all.
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
    /// Whether what was counted is what is kept: the integrity check of a transition.
    pub fn agrees(&self) -> bool {
        (self.count, self.digest) == (self.head.domains_count, self.head.domains_digest)
    }
}

/// Which rows a reader wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowQuery {
    /// Leave out that many.
    pub skip: u64,
    /// At most that many; none for all.
    pub limit: Option<u64>,
    /// Only of these digest buckets.
    pub buckets: Option<Vec<u8>>,
    /// Only with this text in the name.
    pub search: Option<String>,
    /// Only with this DNS outcome.
    pub dns_status: Option<String>,
    /// Only with this HTTP outcome.
    pub http_status: Option<String>,
    /// Only from this offset on.
    pub from_offset: Option<i64>,
    /// Only rows that have not passed this phase yet, and should.
    pub awaiting: Option<Phase>,
}

/// One entry of the transaction log: somebody asked for something, and this is what became of it. What
/// was accepted is filed with its event, in one transaction; what was refused, alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transaction {
    /// For example `DNS_Phase_Transition`.
    pub name: String,
    /// Who asked.
    pub who: String,
    /// When.
    pub timestamp: String,
    /// Phase and status before it, as `phase/status`.
    pub from: String,
    /// Phase and status asked for.
    pub to: String,
    /// `manual`, `automatic` or `error_recovery`; another word for what is no phase transition.
    pub kind: String,
    /// Why, in the words of who asked.
    pub reason: String,
    /// `accepted`, or the code of the refusal.
    pub result: String,
    /// The refusal in words.
    pub message: Option<String>,
    /// Names the request, for when it is repeated; unique within the campaign.
    pub key: Option<String>,
    /// What was asked under that key.
    pub fingerprint: Option<String>,
    /// The event's number. Set by the log, like all that follows.
    pub sequence_number: Option<u64>,
    /// The event's id.
    pub event_id: Option<String>,
    /// The campaign's record after the event, as JSON.
    pub record: Option<String>,
}

impl Transaction {
    /// Completes an entry with what its event, of that number and id, led to.
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
