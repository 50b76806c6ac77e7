//! Answers that describe the state at one number. Each is sent at its position in the stream: right after the
//! event with this number.

use std::sync::Arc;

use serde_json::json;

use super::context::At;
use super::message::Ask;
use super::reply;
use crate::clock::Moment;
use crate::log::{LogError, Result};
use crate::snapshots::{Snapshot, SnapshotPurpose};

/// An answer, and the number after which it is sent.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) ask: Ask,
    pub(super) at: u64,
    said: Said,
}

#[derive(Debug)]
enum Said {
    /// The `data` of the digests.
    Digest(String),
    /// A snapshot of some rows, and its next part.
    Rows(Arc<Snapshot>, u64),
}

impl Answer {
    /// Prepares the answer from the state at the head. Blocks.
    ///
    /// # Errors
    /// [`LogError::Storage`], [`LogError::UnknownCampaign`].
    pub(super) fn prepare(at: At<'_>, ask: Ask) -> Result<Self> {
        let (at, said) = match &ask.buckets {
            None => digest(at, &ask)?,
            Some(buckets) => rows(at, &ask, buckets)?,
        };
        Ok(Self { ask, at, said })
    }

    /// The next frame, and whether it is the last one.
    pub(super) fn next(&mut self, now: Moment) -> (String, bool) {
        let Ask { campaign, request, .. } = &self.ask;
        match &mut self.said {
            Said::Digest(data) => (reply::message(now, "campaign.digest", data), true),
            Said::Rows(snapshot, next) => {
                let data = snapshot.part(campaign, request.as_deref(), *next).unwrap_or_default();
                *next += 1;
                (reply::message(now, "campaign.snapshot", &data), *next > snapshot.parts())
            }
        }
    }
}

fn digest(At { context, .. }: At<'_>, ask: &Ask) -> Result<(u64, Said)> {
    let found = context.hub.log().buckets(&ask.campaign)?;
    let (number, buckets) = found.ok_or(LogError::UnknownCampaign)?;
    let buckets: Vec<_> = buckets.iter().map(|it| json!([it.count, it.sum.to_string()])).collect();
    let mut data = json!({
        "campaignId": ask.campaign.as_str(),
        "epoch": context.hub.epoch(),
        "sequenceNumber": number,
        "buckets": buckets,
    });
    reply::optional(&mut data, "requestId", ask.request.as_deref());
    Ok((number, Said::Digest(data.to_string())))
}

/// The snapshot must not be older than the log's head, because the socket may already have received that
/// head.
fn rows(At { now, context }: At<'_>, ask: &Ask, buckets: &[u8]) -> Result<(u64, Said)> {
    let (hub, campaign) = (&context.hub, &ask.campaign);
    let head = hub.log().head(campaign)?.ok_or(LogError::UnknownCampaign)?;
    let (purpose, now_ms) = (SnapshotPurpose::Repair(buckets), now.monotonic_ms);
    let snapshot = context.snapshots.take(hub, campaign, purpose, head.number, now_ms)?;
    Ok((snapshot.head.number, Said::Rows(snapshot, 1)))
}
