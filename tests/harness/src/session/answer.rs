//! Answers that describe the state at one number, and so have their place in the stream: right after
//! the event of that number.

use std::collections::VecDeque;

use campaign_sync::protocol::CampaignId;
use serde_json::json;

use super::{Context, reply};
use crate::clock::Moment;
use crate::log::{LogError, RowQuery};
use crate::snapshots::Snapshot;

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    /// Names the answer.
    pub(super) request: Option<String>,
    /// The rows of these buckets; none for the digests of all buckets.
    pub(super) buckets: Option<Vec<u8>>,
}

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
    pub(super) fn prepare(
        now: Moment,
        context: &Context,
        campaign: &CampaignId,
        ask: Ask,
    ) -> Result<Self, LogError> {
        let (at, frames) = match &ask.buckets {
            None => digest(now, context, campaign, ask.request.as_deref())?,
            Some(buckets) => rows(now, context, campaign, ask.request.as_deref(), buckets.clone())?,
        };
        Ok(Self { ask, at, frames })
    }
}

fn digest(
    now: Moment,
    context: &Context,
    campaign: &CampaignId,
    request: Option<&str>,
) -> Result<(u64, VecDeque<String>), LogError> {
    let found = context.hub.log().buckets(campaign)?;
    let (number, buckets) = found.ok_or(LogError::UnknownCampaign)?;
    let buckets: Vec<_> = buckets.iter().map(|it| json!([it.count, it.sum.to_string()])).collect();
    let mut data = json!({
        "campaignId": campaign.as_str(),
        "epoch": context.hub.epoch(),
        "sequenceNumber": number,
        "buckets": buckets,
    });
    reply::optional(&mut data, "requestId", request);
    let text = reply::message(now, "campaign.digest", &data.to_string());
    Ok((number, VecDeque::from([text])))
}

fn rows(
    now: Moment,
    context: &Context,
    campaign: &CampaignId,
    request: Option<&str>,
    buckets: Vec<u8>,
) -> Result<(u64, VecDeque<String>), LogError> {
    let query = RowQuery { buckets: Some(buckets), ..RowQuery::default() };
    let view = context.hub.log().view(campaign, &query)?.ok_or(LogError::UnknownCampaign)?;
    let keys = context.hub.log().keys();
    let snapshot = Snapshot::cut(context.hub.epoch(), campaign, &view, keys)?;
    let parts = (1..=snapshot.parts()).filter_map(|part| {
        let data = snapshot.part(campaign, request, part)?;
        Some(reply::message(now, "campaign.snapshot", &data))
    });
    Ok((snapshot.at, parts.collect()))
}
