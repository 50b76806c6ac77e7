//! Publication: conditional, and the outcome is known only from the fold.

use std::thread::sleep;
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::header::{NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_MESSAGE_ID};
use campaign_sync::protocol::CampaignId;

use super::super::{EventLog as _, LogError, Result};
use super::NatsLog;
use super::batch::{Body, PART};
use super::bridge::{STREAM, SUBJECT, connected, last_of_subject};
use super::shared::Outcome;

/// The bytes of a message that are reserved for its headers.
const HEADER_BYTES: usize = 4 * 1024;

/// The pause before the next request to the leader.
const RETRY: Duration = Duration::from_millis(100);

impl NatsLog {
    /// Publishes a body and returns its outcome.
    ///
    /// # Errors
    /// [`LogError::Conflict`] if another publication came first. [`LogError::Storage`] if the stream did not
    /// answer in time; the publication may still take effect later.
    pub(super) fn commit(
        &self,
        campaign: &CampaignId,
        expected: u64,
        body: &Body,
        until: Instant,
    ) -> Result<Outcome> {
        let id = format!("{:032x}", rand::random::<u128>());
        let text = body.encode();
        let bytes = match self.copy().keys() {
            Some(keys) => keys.seal_message(campaign, &text)?.into_bytes(),
            None => text.into_bytes(),
        };
        let awaited = self.shared.expect(&id);
        for attempt in 0u32.. {
            let last = match self.shared.last_of(campaign) {
                Some(last) => last,
                None => self.catch_up(campaign, until)?,
            };
            let sent = self.publish(campaign, &format!("{id}.{attempt}"), &bytes, last);
            match &sent {
                Ok(sequence) => self.shared.wait(*sequence, until)?,
                // Either refused, or the acknowledgement was lost: only the stream shows which.
                Err(_) => drop(self.catch_up(campaign, until)?),
            }
            if let Some(outcome) = awaited.outcome() {
                return Ok(outcome);
            }
            let head = self.number(campaign)?;
            if head != expected || sent.is_ok() {
                return Err(LogError::Conflict { head });
            }
            if Instant::now() > until || self.bridge.is_closed() {
                break;
            }
            sleep(RETRY);
        }
        Err(LogError::Storage("the stream did not accept the message in time".into()))
    }

    /// Publishes the bytes in as many messages as necessary. Returns the sequence of the last.
    fn publish(&self, campaign: &CampaignId, id: &str, bytes: &[u8], after: u64) -> Result<u64> {
        let size = self.bridge.payload_max().saturating_sub(HEADER_BYTES).max(1);
        let chunks: Vec<Vec<u8>> = bytes.chunks(size).map(<[u8]>::to_vec).collect();
        let (context, id) = (self.bridge.context(), id.to_owned());
        let subject = format!("{SUBJECT}{campaign}");
        self.bridge.wait(async move {
            connected(&context)?;
            let mut last = after;
            let parts = chunks.len();
            for (part, chunk) in chunks.into_iter().enumerate() {
                let mut headers = HeaderMap::new();
                headers.insert(NATS_MESSAGE_ID, format!("{id}.{part}"));
                // The condition "the subject is empty" is checked by each copy of a 2.9 cluster separately,
                // and copies that decide differently diverge (nats-server #5644). So the fold alone checks
                // that.
                if last > 0 {
                    headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, last.to_string());
                }
                headers.insert(PART, format!("{id} {part} {parts}"));
                let sent = context.publish_with_headers(subject.clone(), headers, chunk.into());
                last = sent
                    .await
                    .map_err(LogError::storage)?
                    .await
                    .map_err(LogError::storage)?
                    .sequence;
            }
            Ok(last)
        })
    }

    /// Folds everything up to the last message of the campaign's subject, as its leader reports it. Returns
    /// that sequence.
    ///
    /// # Errors
    /// [`LogError::Storage`] if there is no leader until `until`.
    pub(super) fn catch_up(&self, campaign: &CampaignId, until: Instant) -> Result<u64> {
        loop {
            let (context, subject) = (self.bridge.context(), format!("{SUBJECT}{campaign}"));
            match self.bridge.wait(async move { last_of_subject(&context, &subject).await }) {
                Ok(last) => {
                    self.shared.wait(last, until)?;
                    // Do not store unknown campaigns: clients can invent any number of ids.
                    if last > 0 {
                        self.shared.note_last(campaign, last);
                    }
                    return Ok(last);
                }
                Err(error) if Instant::now() > until || self.bridge.is_closed() => {
                    return Err(error);
                }
                Err(_) => sleep(RETRY),
            }
        }
    }

    /// Purges the messages before `first`. If that fails, the next image purges them.
    pub(super) fn purge(&self, campaign: &CampaignId, first: u64) {
        let (context, subject) = (self.bridge.context(), format!("{SUBJECT}{campaign}"));
        let purged = self.bridge.wait(async move {
            let stream = context.get_stream(STREAM).await.map_err(LogError::storage)?;
            stream.purge().sequence(first).filter(subject).await.map_err(LogError::storage)
        });
        if let Err(error) = purged {
            tracing::warn!(event = "purge_failed", campaignId = %campaign, %error);
        }
    }
}
