//! The digests of all buckets of a campaign. They are computed once for each head and shared by all sockets.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use campaign_sync::protocol::CampaignId;
use serde_json::json;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::hub::Hub;
use crate::lock::{lock, try_lock};
use crate::log::{LogError, Result};

/// The most campaigns whose digests are kept. Each has about 8 KB.
const KEPT_MAX: usize = 256;

/// The digests of one campaign: the number that they describe, and their JSON.
type Entry = Arc<Mutex<Option<(u64, Utf8Bytes)>>>;

/// The digests that were computed last.
#[derive(Debug, Default)]
pub(super) struct Digests(Mutex<HashMap<CampaignId, Entry>>);

impl Digests {
    /// The digests at the head. Computing them takes a `turn`. Blocks.
    pub(super) fn take<T>(
        &self,
        hub: &Hub,
        campaign: &CampaignId,
        turn: impl FnOnce() -> Result<T>,
    ) -> Result<(u64, Utf8Bytes)> {
        let entry = self.entry(campaign);
        let mut known = try_lock(&entry).ok_or(LogError::Busy)?;
        let head = hub.log().head(campaign)?.ok_or(LogError::UnknownCampaign)?;
        if let Some(known) = known.as_ref().filter(|(number, _)| *number == head.number) {
            return Ok(known.clone());
        }
        let _turn = turn()?;
        let found = hub.log().buckets(campaign)?;
        let (number, buckets) = found.ok_or(LogError::UnknownCampaign)?;
        let buckets = buckets.iter().map(|it| json!([it.count, it.sum.to_string()]));
        let text = json!(buckets.collect::<Vec<_>>()).to_string().into();
        Ok(known.insert((number, text)).clone())
    }

    fn entry(&self, campaign: &CampaignId) -> Entry {
        let mut all = lock(&self.0);
        if all.len() >= KEPT_MAX && !all.contains_key(campaign) {
            all.clear();
        }
        all.entry(campaign.clone()).or_default().clone()
    }

    /// Drops the digests that no socket is computing now.
    pub(super) fn expire(&self) {
        lock(&self.0).retain(|_, entry| Arc::strong_count(entry) > 1);
    }

    /// Drops the digests of a campaign.
    pub(super) fn forget(&self, campaign: &CampaignId) {
        lock(&self.0).remove(campaign);
    }
}
