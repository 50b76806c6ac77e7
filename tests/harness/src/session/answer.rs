//! Answers that describe the state at one number, and so have their place in the stream: right after
//! the event of that number.

use std::collections::VecDeque;

use serde_json::json;

use super::context::At;
use super::message::Ask;
use super::reply;
use crate::log::{LogError, Result, RowQuery};
use crate::snapshots::Snapshot;

/// What is answered, and after which number.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) ask: Ask,
    pub(super) at: u64,
    pub(super) frames: VecDeque<String>,
}

impl Answer {
    /// Answers from the state at the head. Blocks.
    ///
    /// # Errors
    /// [`LogError::Storage`], [`LogError::UnknownCampaign`].
    pub(super) fn prepare(at: At<'_>, ask: Ask) -> Result<Self> {
        let (at, frames) = match &ask.buckets {
            None => digest(at, &ask)?,
            Some(buckets) => rows(at, &ask, buckets)?,
        };
        Ok(Self { ask, at, frames })
    }
}

fn digest(At { now, context }: At<'_>, ask: &Ask) -> Result<(u64, VecDeque<String>)> {
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
    let text = reply::message(now, "campaign.digest", &data.to_string());
    Ok((number, VecDeque::from([text])))
}

fn rows(
    At { now, context }: At<'_>,
    Ask { campaign, request, .. }: &Ask,
    buckets: &[u8],
) -> Result<(u64, VecDeque<String>)> {
    let (hub, buckets) = (&context.hub, Some(buckets.to_vec()));
    let query = RowQuery { buckets, ..RowQuery::default() };
    let view = hub.log().view(campaign, &query)?.ok_or(LogError::UnknownCampaign)?;
    let snapshot = Snapshot::cut(hub, campaign, &view)?;
    let parts = (1..=snapshot.parts()).filter_map(|part| {
        let data = snapshot.part(campaign, request.as_deref(), part)?;
        Some(reply::message(now, "campaign.snapshot", &data))
    });
    Ok((snapshot.at, parts.collect()))
}
