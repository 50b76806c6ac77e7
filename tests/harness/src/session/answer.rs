//! Answers that describe the state at one number. Each is sent at its position in the stream: right after the
//! event with this number.

use serde_json::json;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::context::PollContext;
use super::message::StateQuery;
use super::{FrameText, reply};
use crate::clock::Moment;
use crate::log::{LogError, Result};
use crate::snapshots::{Download, SnapshotPurpose};

/// An answer, and the number after which it is sent.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) query: StateQuery,
    pub(super) at: u64,
    reply: AnswerContent,
}

#[derive(Debug)]
enum AnswerContent {
    /// The digests, which all sockets share.
    Digest(Utf8Bytes),
    /// A snapshot of some rows, and its next part.
    Rows(Download, u64),
}

impl Answer {
    /// Prepares the answer from the state at the head. Blocks.
    ///
    /// # Errors
    /// [`LogError::Storage`], [`LogError::UnknownCampaign`]; [`LogError::Busy`], [`LogError::QuotaExceeded`].
    pub(super) fn prepare(at: PollContext<'_>, query: StateQuery) -> Result<Self> {
        let (at, reply) = match &query.buckets {
            None => digest(at, &query)?,
            Some(buckets) => rows(at, &query, buckets)?,
        };
        Ok(Self { query, at, reply })
    }

    /// The next frame, and whether it is the last one.
    pub(super) fn next(&mut self, now: Moment, epoch: &str) -> (FrameText, bool) {
        let StateQuery { campaign, request, .. } = &self.query;
        match &mut self.reply {
            AnswerContent::Digest(buckets) => {
                let mut data = json!({
                    "campaignId": campaign.as_str(),
                    "epoch": epoch,
                    "sequenceNumber": self.at,
                });
                reply::optional(&mut data, "requestId", request.as_deref());
                let head = data.to_string();
                let head = format!("{},\"buckets\":", head.trim_end_matches('}'));
                let data = (head, buckets.clone(), "}".to_owned());
                (reply::message_around(now, "campaign.digest", data), true)
            }
            AnswerContent::Rows(snapshot, next) => {
                let data = snapshot.part(campaign, request.as_deref(), *next).unwrap_or_default();
                *next += 1;
                (reply::message_around(now, "campaign.snapshot", data), *next > snapshot.parts())
            }
        }
    }
}

fn digest(
    PollContext { context, quota, .. }: PollContext<'_>,
    query: &StateQuery,
) -> Result<(u64, AnswerContent)> {
    let snapshots = &context.snapshots;
    let (number, buckets) = snapshots.digests(&context.hub, &query.campaign, Some(quota))?;
    Ok((number, AnswerContent::Digest(buckets)))
}

/// The snapshot must not be older than the log's head, because the socket may already have received that
/// head.
fn rows(
    PollContext { now, context, quota }: PollContext<'_>,
    query: &StateQuery,
    buckets: &[u8],
) -> Result<(u64, AnswerContent)> {
    let (hub, campaign) = (&context.hub, &query.campaign);
    let head = hub.log().head(campaign)?.ok_or(LogError::UnknownCampaign)?;
    let (purpose, at) = (SnapshotPurpose::Repair(buckets), (head.number, now.monotonic_ms));
    let snapshot = context.snapshots.take(hub, campaign, purpose, at, Some(quota))?;
    let download = Download::begin(snapshot, Some(quota))?;
    Ok((download.head.number, AnswerContent::Rows(download, 1)))
}
