//! Answers that describe the state at one number. Each is sent at its position in the stream: right after the
//! event with this number.

use std::sync::Arc;

use serde_json::json;

use super::context::PollContext;
use super::message::StateQuery;
use super::reply;
use crate::clock::Moment;
use crate::log::{LogError, Result};
use crate::snapshots::{Snapshot, SnapshotPurpose};

/// An answer, and the number after which it is sent.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) query: StateQuery,
    pub(super) at: u64,
    reply: AnswerContent,
}

#[derive(Debug)]
enum AnswerContent {
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
    pub(super) fn prepare(at: PollContext<'_>, query: StateQuery) -> Result<Self> {
        let (at, reply) = match &query.buckets {
            None => digest(at, &query)?,
            Some(buckets) => rows(at, &query, buckets)?,
        };
        Ok(Self { query, at, reply })
    }

    /// The next frame, and whether it is the last one.
    pub(super) fn next(&mut self, now: Moment) -> (String, bool) {
        let StateQuery { campaign, request, .. } = &self.query;
        match &mut self.reply {
            AnswerContent::Digest(data) => (reply::message(now, "campaign.digest", data), true),
            AnswerContent::Rows(snapshot, next) => {
                let data = snapshot.part(campaign, request.as_deref(), *next).unwrap_or_default();
                *next += 1;
                (reply::message(now, "campaign.snapshot", &data), *next > snapshot.parts())
            }
        }
    }
}

fn digest(
    PollContext { context, .. }: PollContext<'_>,
    query: &StateQuery,
) -> Result<(u64, AnswerContent)> {
    let found = context.hub.log().buckets(&query.campaign)?;
    let (number, buckets) = found.ok_or(LogError::UnknownCampaign)?;
    let buckets: Vec<_> = buckets.iter().map(|it| json!([it.count, it.sum.to_string()])).collect();
    let mut data = json!({
        "campaignId": query.campaign.as_str(),
        "epoch": context.hub.epoch(),
        "sequenceNumber": number,
        "buckets": buckets,
    });
    reply::optional(&mut data, "requestId", query.request.as_deref());
    Ok((number, AnswerContent::Digest(data.to_string())))
}

/// The snapshot must not be older than the log's head, because the socket may already have received that
/// head.
fn rows(
    PollContext { now, context }: PollContext<'_>,
    query: &StateQuery,
    buckets: &[u8],
) -> Result<(u64, AnswerContent)> {
    let (hub, campaign) = (&context.hub, &query.campaign);
    let head = hub.log().head(campaign)?.ok_or(LogError::UnknownCampaign)?;
    let (purpose, now_ms) = (SnapshotPurpose::Repair(buckets), now.monotonic_ms);
    let snapshot = context.snapshots.take(hub, campaign, purpose, head.number, now_ms)?;
    Ok((snapshot.head.number, AnswerContent::Rows(snapshot, 1)))
}
