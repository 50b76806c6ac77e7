//! Composes the document of an event from its draft: number, chain, hash.

use std::sync::Arc;

use campaign_sync::protocol::seal::associated;
use campaign_sync::protocol::{CampaignId, EventHash};

use super::{Draft, Event, Head, Result};
use crate::keys::{Keyring, Nonce};

/// The part of a log's end on which the next event depends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The epoch of the log.
    pub epoch: String,
    /// The last number.
    pub number: u64,
    /// The last event's id; empty before the first event.
    pub event_id: String,
}

impl Chain {
    /// The chain after this head.
    pub fn after(epoch: &str, head: &Head) -> Self {
        Self { epoch: epoch.to_owned(), number: head.number, event_id: head.event_id.clone() }
    }

    /// Composes the next event and advances the chain.
    ///
    /// The event id is the beginning of the hash of the event without its id. So two histories that differ in
    /// one event have different ids from that event on, and `previousEventId` shows the difference. For a
    /// sealed event the nonce replaces the content in this hash: a hash of the plain content would confirm a
    /// correct guess of it.
    ///
    /// # Errors
    /// [`LogError::Storage`](crate::log::LogError::Storage) if the system provides no nonce.
    pub fn next(
        &mut self,
        campaign: &CampaignId,
        draft: &Draft,
        keys: Option<&Keyring>,
    ) -> Result<Event> {
        let sealing = keys.map(|keys| Nonce::fresh().map(|nonce| (keys, nonce))).transpose()?;
        let number = self.number + 1;
        let number_raw = number.to_string();
        let kind = quoted(draft.kind);
        let timestamp = quoted(&draft.timestamp);
        let of = campaign.as_str();
        let campaign = quoted(of);
        let epoch = quoted(&self.epoch);
        let previous =
            if self.event_id.is_empty() { "null".to_owned() } else { quoted(&self.event_id) };
        let checkpoint = if draft.kind == TRANSITION { "true" } else { "false" };
        let hash = |event_id: &str, data: &str| {
            let at = [&*campaign, &*epoch, &*number_raw, event_id, &*previous, checkpoint];
            EventHash::of_v1(&kind, &timestamp, data, at).to_string()
        };
        let unique = sealing.as_ref().map(|(_, nonce)| quoted(&nonce.to_hex()));
        let event_id = hash("\"\"", unique.as_ref().unwrap_or(&draft.data))[..24].to_owned();
        let id = quoted(&event_id);
        let data = match sealing {
            Some((keys, nonce)) => {
                let list = associated(of, &self.epoch, number, &event_id, draft.kind);
                &*keys.seal_with(nonce, &list, &draft.data)
            }
            None => &*draft.data,
        };
        let hash = hash(&id, data);
        let document = format!(
            "{{\"type\":{kind},\"timestamp\":{timestamp},\"data\":{data},\"sequence\":{{\
             \"campaignId\":{campaign},\"epoch\":{epoch},\"eventId\":{id},\
             \"sequenceNumber\":{number_raw},\"eventHash\":\"{hash}\",\
             \"previousEventId\":{previous},\"checkpointData\":{checkpoint}}}}}",
        );
        self.number = number;
        self.event_id = event_id;
        Ok(Event { number, document: Arc::from(document) })
    }
}

/// The type of checkpoint events: they carry the whole record, count and digest.
pub const TRANSITION: &str = "campaign.phase.transition";

/// Quotes a text that needs no escapes: types, ids and timestamps of the server.
fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}
