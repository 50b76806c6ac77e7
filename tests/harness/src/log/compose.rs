//! From a draft to the document that is published: number, chain, hash.

use std::sync::Arc;

use campaign_sync::protocol::seal::associated;
use campaign_sync::protocol::{CampaignId, EventHash};

use super::{Draft, Event, Head, Result};
use crate::keys::{Keyring, Nonce};

/// The end of a log, as far as the next event depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The log.
    pub epoch: String,
    /// The last number.
    pub number: u64,
    /// The last event's id; empty before the first event.
    pub event_id: String,
}

impl Chain {
    /// Goes on from there.
    pub fn after(epoch: &str, head: &Head) -> Self {
        Self { epoch: epoch.to_owned(), number: head.number, event_id: head.event_id.clone() }
    }

    /// Composes the next event and moves on to it.
    ///
    /// The id is the beginning of the hash of the event without its id: two histories that differ
    /// in any event differ in every id after it, which `previousEventId` then shows. Of an event that
    /// is sealed, its nonce stands there for what it says: a hash of that would tell who guesses right.
    ///
    /// # Errors
    /// [`LogError::Storage`](crate::log::LogError::Storage) if there is no nonce to be had.
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

/// The type of the events that are checkpoints: they carry the whole record, count and digest.
pub const TRANSITION: &str = "campaign.phase.transition";

/// Quotes a text of the server's own words, ids and timestamps, which need no escapes.
fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}
