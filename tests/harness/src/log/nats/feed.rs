//! The feed: reads the stream in order and folds it into the copy.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use async_nats::jetstream::stream::Info;
use async_nats::jetstream::{self, Context};
use bytes::Bytes;
use campaign_sync::protocol::{CampaignId, Code};
use tokio::task::block_in_place;
use tokio::time::sleep;

use super::super::{EventLog as _, LogError, Result};
use super::batch::{Body, PART};
use super::bridge::{RETRY, STREAM, SUBJECT};
use super::follow::{Reader, follow};
use super::shared::{Outcome, Shared};
use super::timing::CLUSTER_TIMEOUT;

/// Reads the stream while it has this epoch.
pub(super) async fn run(shared: Arc<Shared>, context: Context, epoch: String) {
    let mut feed = Feed { shared, epoch, pending: HashMap::new() };
    loop {
        let Err(ended) = follow(&context, STREAM, &mut feed).await;
        match ended {
            Ended::Retry(error) => tracing::warn!(event = "log_feed_interrupted", %error),
            Ended::ForGood(reason) => {
                tracing::error!(event = "log_feed_ended", reason);
                return feed.shared.fail(reason);
            }
        }
        sleep(RETRY).await;
    }
}

enum Ended {
    /// The stream could not be read.
    Retry(LogError),
    /// The stream must not be read any further.
    ForGood(String),
}

impl From<LogError> for Ended {
    fn from(error: LogError) -> Self {
        Self::Retry(error)
    }
}

/// A publication whose parts have not all arrived.
struct Parts {
    first: u64,
    chunks: Vec<Bytes>,
}

struct Feed {
    shared: Arc<Shared>,
    epoch: String,
    pending: HashMap<CampaignId, HashMap<String, Parts>>,
}

/// One message.
struct Message<'m> {
    sequence: u64,
    id: &'m str,
    part: usize,
    parts: usize,
    payload: Bytes,
}

impl Reader for Feed {
    type Error = Ended;

    fn check_identity(&mut self, stream: &Info) -> Result<(), Ended> {
        let is_same = stream.config.description.as_ref() == Some(&self.epoch);
        is_same.then_some(()).ok_or_else(|| Ended::ForGood("the stream was replaced".into()))
    }

    fn seen(&self) -> u64 {
        self.shared.sequence()
    }

    fn take(&mut self, sequence: u64, message: &jetstream::Message) -> Result<(), Ended> {
        let campaign = message.subject.strip_prefix(SUBJECT);
        let campaign = campaign.and_then(|id| CampaignId::new(id).ok());
        let part = message.headers.as_ref().and_then(|headers| headers.get(PART));
        let part = part.and_then(|part| read_part(part.as_str()));
        let (Some(campaign), Some((id, part, parts))) = (campaign, part) else {
            // Not a message of ours: every server skips it.
            self.shared.folded(None, sequence, None);
            return Ok(());
        };
        let payload = message.payload.clone();
        let taken = Message { sequence, id, part, parts, payload };
        self.fold(&campaign, taken).map_err(|error| Ended::ForGood(error.to_string()))
    }
}

impl Feed {
    fn fold(&mut self, campaign: &CampaignId, message: Message<'_>) -> Result<()> {
        let (sequence, id) = (message.sequence, message.id.to_owned());
        let Some((first, body)) = self.assemble(campaign, message) else {
            self.shared.folded(Some(campaign), sequence, None);
            return Ok(());
        };
        // The copy may have to read again from the first incomplete publication on. A batch that it has
        // folded already is no longer the next one, so nothing is applied twice.
        let outcome = match self.apply_publication(campaign, &body, first, sequence) {
            Ok(outcome) => outcome,
            Err(LogError::Rejected(code)) => {
                tracing::warn!(
                    event = "log_message_rejected",
                    campaignId = campaign.as_str(),
                    sequence,
                    eventId = id,
                    code = code.as_str(),
                );
                None
            }
            Err(error) => return Err(error),
        };
        // If the number stays the same, pending parts can still become the next events.
        if !matches!(outcome, None | Some(Outcome::RefusalRecorded)) {
            self.pending.remove(campaign);
        }
        // If this fails, the message is read once more when the copy is opened the next time.
        let _unless_it_cannot = self.shared.copy().skip_to(self.position(sequence));
        let publication = id.split_once('.').map_or(&*id, |(id, _attempt)| id);
        let outcome = outcome.map(|outcome| (publication, outcome));
        self.shared.folded(Some(campaign), sequence, outcome);
        Ok(())
    }

    /// The whole body and the sequence of its first message, once all parts have arrived.
    fn assemble(&mut self, campaign: &CampaignId, message: Message<'_>) -> Option<(u64, Bytes)> {
        if message.parts == 1 {
            return Some((message.sequence, message.payload));
        }
        let of_campaign = self.pending.entry(campaign.clone()).or_default();
        let first = message.sequence;
        let pending = of_campaign
            .entry(message.id.to_owned())
            .or_insert_with(|| Parts { first, chunks: Vec::new() });
        if pending.chunks.len() == message.part {
            pending.chunks.push(message.payload);
        }
        if pending.chunks.len() < message.parts {
            return None;
        }
        let whole = of_campaign.remove(message.id)?;
        if of_campaign.is_empty() {
            self.pending.remove(campaign);
        }
        Some((whole.first, whole.chunks.concat().into()))
    }

    /// Applies a body. The stream has accepted it, so a failed write of the copy is retried for a while.
    /// Blocks.
    fn apply_publication(
        &self,
        campaign: &CampaignId,
        body: &[u8],
        first: u64,
        last: u64,
    ) -> Result<Option<Outcome>> {
        let text = std::str::from_utf8(body).map_err(|_| LogError::Rejected(Code::InvalidUtf8))?;
        let text = match self.shared.copy().keys() {
            Some(keys) => keys.open_message(campaign, text)?.into(),
            None => Cow::Borrowed(text),
        };
        let (body, until) = (Body::decode(&text)?, Instant::now() + CLUSTER_TIMEOUT);
        loop {
            match self.apply(campaign, &body, first, last) {
                // Retry, unless the log was closed.
                Err(LogError::Storage(reason))
                    if Instant::now() < until && self.shared.failure().is_none() =>
                {
                    tracing::warn!(
                        event = "log_copy_failed", campaignId = %campaign, sequence = last, reason
                    );
                    block_in_place(|| thread::sleep(RETRY));
                }
                done => return done,
            }
        }
    }

    fn apply(
        &self,
        campaign: &CampaignId,
        body: &Body,
        first: u64,
        last: u64,
    ) -> Result<Option<Outcome>> {
        let copy = self.shared.copy();
        match body {
            Body::Batch(batch) => Ok(copy.apply(campaign, batch)?.map(|appended| {
                self.shared.notify(campaign, &appended);
                Outcome::Appended(Box::new(appended))
            })),
            Body::Refusal { entry } => {
                let is_recorded = copy.apply_refusal(campaign, entry, last)?;
                Ok(is_recorded.then_some(Outcome::RefusalRecorded))
            }
            Body::Image(image) => {
                let (installed, is_head) = copy.install(campaign, image, last)?;
                self.shared.notify(campaign, &installed);
                Ok(Some(Outcome::Image { first, is_head }))
            }
        }
    }

    /// The message after which the copy must read the next time it is opened.
    fn position(&self, sequence: u64) -> u64 {
        let pending = self.pending.values().flat_map(HashMap::values);
        pending.map(|parts| parts.first - 1).fold(sequence, u64::min)
    }
}

/// Parses `id part parts`.
fn read_part(text: &str) -> Option<(&str, usize, usize)> {
    let mut words = text.split(' ');
    let (id, part, parts) = (words.next()?, words.next()?, words.next()?);
    let (part, parts) = (part.parse().ok()?, parts.parse().ok()?);
    (part < parts).then_some((id, part, parts))
}
