//! Snapshots, built once and shared: a thousand clients that come back together after a restart get
//! the same one, and a download that was cut goes on where it stopped.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use campaign_sync::protocol::CampaignId;
use campaign_sync::protocol::limits::SNAPSHOT_PART_BYTES_MAX;
use campaign_sync::protocol::seal::associated_part;
use serde_json::json;

use crate::hub::Hub;
use crate::lock::lock;
use crate::log::state::record_json;
use crate::log::{LogError, Result, RowQuery, View};

/// A snapshot is held this long after its last use.
const HELD_MS: u64 = 60_000;

/// The most snapshots held per campaign.
const HELD_MAX: usize = 4;

/// Bytes of a part left to everything but its rows.
const PART_MARGIN_BYTES: usize = 8 * 1024;

/// What a row of a snapshot takes on average: an estimate, for where there is none to measure.
const ROW_BYTES: u64 = 128;

/// History shorter than this is always replayed.
pub const REPLAY_BYTES_MIN: u64 = 1024 * 1024;

/// A campaign's state at one number, cut into parts.
#[derive(Debug)]
pub struct Snapshot {
    /// The number whose state this is.
    pub at: u64,
    /// The members of each part after `campaignId` and `requestId`, as JSON without braces.
    parts: Vec<String>,
    bytes: u64,
}

impl Snapshot {
    /// Cuts a view, which must hold the rows meant, into parts.
    ///
    /// # Errors
    /// [`LogError::Storage`] if they are to be sealed and cannot be.
    pub fn cut(hub: &Hub, campaign: &CampaignId, view: &View) -> Result<Self> {
        let (epoch, keys) = (hub.epoch(), hub.log().keys());
        // Base64 makes four bytes of three.
        let room = SNAPSHOT_PART_BYTES_MAX / 4 * if keys.is_some() { 3 } else { 4 };
        let mut lists: Vec<String> = vec![String::new()];
        for row in &view.rows {
            let row = serde_json::to_string(row).unwrap_or_default();
            let full =
                lists.last().is_some_and(|list| list.len() + row.len() + PART_MARGIN_BYTES > room);
            if full {
                lists.push(String::new());
            }
            if let Some(list) = lists.last_mut() {
                if !list.is_empty() {
                    list.push(',');
                }
                list.push_str(&row);
            }
        }
        let head = &view.head;
        let count = lists.len();
        let record = record_json(campaign.as_str(), &view.stand.record);
        let part = |(index, list): (usize, String)| {
            let record = if index == 0 { format!("\"campaign\":{record},") } else { String::new() };
            let mut content = format!("{record}\"domains\":[{list}]");
            if let Some(keys) = keys {
                let list = associated_part(
                    [campaign.as_str(), epoch, &head.event_id],
                    head.number,
                    [index as u64 + 1, count as u64, head.domains_count],
                    head.domains_digest,
                );
                let sealed = keys.seal(&list, &format!("{{{content}}}"))?;
                content = format!("\"content\":{sealed}");
            }
            Ok(format!(
                "\"epoch\":\"{epoch}\",\"sequenceNumber\":{},\"eventId\":\"{}\",\"part\":{},\
                 \"parts\":{count},{content},\"domainsCount\":{},\"domainsDigest\":\"{}\"",
                head.number,
                head.event_id,
                index + 1,
                head.domains_count,
                head.domains_digest,
            ))
        };
        let parts = lists.into_iter().enumerate().map(part);
        let parts: Vec<String> = parts.collect::<Result<_>>()?;
        let bytes = parts.iter().map(|part| part.len() as u64).sum();
        Ok(Self { at: head.number, parts, bytes })
    }

    /// How many parts there are.
    pub fn parts(&self) -> u64 {
        self.parts.len() as u64
    }

    /// The `data` of a part, from 1.
    pub fn part(&self, campaign: &CampaignId, request: Option<&str>, part: u64) -> Option<String> {
        let members = self.parts.get(usize::try_from(part).ok()?.checked_sub(1)?)?;
        let request =
            request.map_or_else(String::new, |id| format!("\"requestId\":{},", json!(id)));
        Some(format!("{{\"campaignId\":\"{campaign}\",{request}{members}}}"))
    }
}

/// The snapshots held.
#[derive(Debug, Default)]
pub struct Snapshots {
    campaigns: Mutex<HashMap<CampaignId, Arc<Mutex<Vec<Held>>>>>,
}

#[derive(Debug)]
struct Held {
    snapshot: Arc<Snapshot>,
    built_ms: u64,
    used_ms: u64,
}

impl Snapshots {
    /// The snapshot of exactly that number, if it is still held.
    pub fn held(&self, campaign: &CampaignId, at: u64, now_ms: u64) -> Option<Arc<Snapshot>> {
        let held = self.of(campaign);
        let mut held = lock(&held);
        expire(&mut held, now_ms);
        let found = held.iter_mut().find(|it| it.snapshot.at == at)?;
        found.used_ms = now_ms;
        Some(found.snapshot.clone())
    }

    /// A snapshot at `least` or later. Of those who ask at once one builds it, the others wait.
    /// Blocks.
    ///
    /// # Errors
    /// [`LogError::Storage`]; [`LogError::UnknownCampaign`], for a deleted one too: a snapshot would
    /// show it as if it lived.
    pub fn take(
        &self,
        hub: &Hub,
        campaign: &CampaignId,
        least: u64,
        now_ms: u64,
    ) -> Result<Arc<Snapshot>> {
        let held = self.of(campaign);
        let mut held = lock(&held);
        expire(&mut held, now_ms);
        let head = hub.head(campaign)?.ok_or(LogError::UnknownCampaign)?;
        for it in held.iter_mut().rev() {
            let fresh = it.built_ms + HELD_MS > now_ms && it.snapshot.at >= least;
            let reaches = it.snapshot.at + 1 >= head.oldest;
            let short = || hub.log().bytes_after(campaign, it.snapshot.at);
            if fresh && reaches && short()? <= it.snapshot.bytes.max(REPLAY_BYTES_MIN) {
                it.used_ms = now_ms;
                return Ok(it.snapshot.clone());
            }
        }
        let view = hub.log().view(campaign, &RowQuery::default())?;
        let view = view.filter(|view| !view.stand.deleted).ok_or(LogError::UnknownCampaign)?;
        let snapshot = Arc::new(Snapshot::cut(hub, campaign, &view)?);
        hub.metrics.snapshots_built.inc();
        if held.len() == HELD_MAX {
            held.remove(0);
        }
        held.push(Held { snapshot: snapshot.clone(), built_ms: now_ms, used_ms: now_ms });
        Ok(snapshot)
    }

    /// Forgets what nobody has used for long.
    pub fn expire(&self, now_ms: u64) {
        lock(&self.campaigns).retain(|_, held| {
            // Who holds it is at work on it, and uses it.
            let Ok(mut snapshots) = held.try_lock() else { return true };
            expire(&mut snapshots, now_ms);
            !snapshots.is_empty() || Arc::strong_count(held) > 1
        });
    }

    /// The size of a campaign's snapshot, estimated.
    pub fn estimated_bytes(rows: u64) -> u64 {
        rows * ROW_BYTES
    }

    /// Forgets a campaign's snapshots: its state was changed behind the log's back.
    pub fn forget(&self, campaign: &CampaignId) {
        lock(&self.of(campaign)).clear();
    }

    fn of(&self, campaign: &CampaignId) -> Arc<Mutex<Vec<Held>>> {
        lock(&self.campaigns).entry(campaign.clone()).or_default().clone()
    }
}

fn expire(held: &mut Vec<Held>, now_ms: u64) {
    held.retain(|it| it.used_ms + HELD_MS > now_ms);
}
