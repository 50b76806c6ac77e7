//! The content of a message of the stream: the events of one append, a refusal, or an image of a campaign.
//!
//! The first line is JSON and describes the rest. The documents follow byte for byte as they are published,
//! one per line: JSON as this server writes it contains no raw line feeds.

use std::sync::Arc;

use campaign_sync::protocol::envelope::Envelope;
use campaign_sync::protocol::{CampaignId, Code};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::state::record_json;
use super::super::{Draft, Event, LogError, Owner, Result, Row, Transaction, View};

/// The header of a part of a publication: the publication's id, the part from 0, the number of parts.
pub(super) const PART: &str = "Campaign-Part";

/// The events of one append.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::log) struct Batch {
    /// The campaign's last number before the events.
    pub(in crate::log) expected: u64,
    /// The audit entries, each with the number of its event.
    #[serde(rename = "filed", default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::log) audit_entries: Vec<(u64, Transaction)>,
    /// The owners that events set, each with the number of its event.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::log) owners: Vec<(u64, Owner)>,
    /// The documents.
    #[serde(skip)]
    pub(in crate::log) documents: Vec<Arc<str>>,
}

/// An image of a campaign at one number, with the events that are kept. A stream whose older messages were
/// purged begins with images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::log) struct Image {
    pub(in crate::log) number: u64,
    pub(in crate::log) event_id: String,
    pub(in crate::log) oldest: u64,
    /// The id of the event before `oldest`.
    pub(in crate::log) previous_event_id: String,
    pub(in crate::log) deleted: bool,
    /// The record and the settings, in the form of the event that creates a campaign.
    pub(in crate::log) record: Value,
    pub(in crate::log) transactions: Vec<Transaction>,
    /// The number of row lines that follow. The remaining lines are documents.
    #[serde(rename = "rows")]
    row_count: usize,
    #[serde(skip)]
    pub(in crate::log) rows: Vec<Row>,
    #[serde(skip)]
    pub(in crate::log) documents: Vec<Arc<str>>,
}

/// The content of a message. Without rows and documents, its JSON is the first line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub(in crate::log) enum Body {
    #[serde(rename = "append")]
    Batch(Batch),
    /// A refusal for the audit trail.
    #[serde(rename = "refusal")]
    Refusal {
        #[serde(rename = "filed")]
        entry: Box<Transaction>,
    },
    Image(Box<Image>),
}

impl Batch {
    /// The batch of the events that were composed from `drafts`.
    pub(super) fn new(expected: u64, drafts: &[Draft], events: &[Event]) -> Self {
        let audit_entries = drafts.iter().zip(events).filter_map(|(draft, event)| {
            draft.audit_entry.as_ref().map(|audit_entry| (event.number, audit_entry.clone()))
        });
        let owners = drafts.iter().zip(events);
        let owners = owners.filter_map(|(draft, event)| Some((event.number, draft.owner.clone()?)));
        Self {
            expected,
            audit_entries: audit_entries.collect(),
            owners: owners.collect(),
            documents: events.iter().map(|event| event.document.clone()).collect(),
        }
    }

    /// The audit entry of the event with this number.
    pub(in crate::log) fn audit_entry(&self, number: u64) -> Option<&Transaction> {
        self.audit_entries.iter().find(|(it, _)| *it == number).map(|(_, audit_entry)| audit_entry)
    }

    /// The owner that the event with this number sets.
    pub(in crate::log) fn owner(&self, number: u64) -> Option<&Owner> {
        self.owners.iter().find(|(it, _)| *it == number).map(|(_, owner)| owner)
    }
}

impl Image {
    /// The image of a view of all rows, with the events that are kept.
    pub(super) fn new(
        campaign: &CampaignId,
        view: View,
        oldest: u64,
        transactions: Vec<Transaction>,
        events: &[Event],
    ) -> Self {
        let number = view.head.number;
        let events = events.iter().filter(|it| (oldest..=number).contains(&it.number));
        let documents: Vec<_> = events.map(|event| event.document.clone()).collect();
        let first = documents.first().and_then(|document| Envelope::parse(document).ok());
        let before = first.and_then(|it| it.sequence);
        let previous_event_id = match before {
            Some(first) => first.previous_event_id().unwrap_or_default().to_owned(),
            None => view.head.event_id.clone(),
        };
        let record = json!({
            "action": "create",
            "campaignId": campaign.as_str(),
            "campaign": record_json(campaign.as_str(), &view.state.record),
            "settings": view.state.settings,
        });
        Self {
            number,
            event_id: view.head.event_id,
            oldest,
            previous_event_id,
            deleted: view.state.deleted,
            record,
            // The entries were read after the view. Leave out everything from after the view.
            transactions: transactions
                .into_iter()
                .take_while(|it| it.sequence_number.is_none_or(|it| it <= number))
                .collect(),
            row_count: view.rows.len(),
            rows: view.rows,
            documents,
        }
    }
}

impl Body {
    /// The text of the message.
    pub(super) fn encode(&self) -> String {
        let (rows, documents) = match self {
            Self::Batch(it) => (&[][..], &it.documents[..]),
            Self::Refusal { .. } => (&[][..], &[][..]),
            Self::Image(it) => (&it.rows[..], &it.documents[..]),
        };
        let mut text = serde_json::to_string(self).unwrap_or_default();
        for row in rows {
            text.push('\n');
            text.push_str(&serde_json::to_string(row).unwrap_or_default());
        }
        for document in documents {
            text.push('\n');
            text.push_str(document);
        }
        text
    }

    /// Parses the text of a message.
    ///
    /// # Errors
    /// [`LogError::Rejected`].
    pub(super) fn decode(text: &str) -> Result<Self> {
        let mut lines = text.split('\n');
        let mut body = read(lines.next().unwrap_or_default())?;
        match &mut body {
            Self::Batch(it) => it.documents = lines.map(Arc::from).collect(),
            Self::Refusal { .. } => {}
            Self::Image(it) => {
                let rows = lines.by_ref().take(it.row_count).map(read);
                it.rows = rows.collect::<Result<_, _>>()?;
                it.documents = lines.map(Arc::from).collect();
                let count = it.documents.len() as u64;
                if it.oldest == 0 || it.oldest.checked_add(count) != Some(it.number + 1) {
                    return Err(LogError::Rejected(Code::InvalidMessage));
                }
            }
        }
        Ok(body)
    }
}

fn read<'t, T: Deserialize<'t>>(line: &'t str) -> Result<T> {
    serde_json::from_str(line).map_err(|_| LogError::Rejected(Code::InvalidMessage))
}
