//! Snapshots are built once and shared: a thousand clients that reconnect after a restart, repair the same
//! buckets or poll over REST get the same one. An interrupted download continues where it stopped.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use campaign_sync::protocol::CampaignId;
use campaign_sync::protocol::limits::SNAPSHOT_PART_BYTES_MAX;
use campaign_sync::protocol::seal::associated_part;
use serde_json::json;

use crate::hub::Hub;
use crate::keys::Keyring;
use crate::lock::lock;
use crate::log::state::record_json;
use crate::log::{Head, LogError, Result, RowQuery, View};

/// How long a snapshot is kept after its last use, in milliseconds.
const SNAPSHOT_TTL_MS: u64 = 60_000;

/// The most snapshots kept per campaign and purpose, for sockets (which return for the next part) and for
/// repairs. For REST only the newest is kept, because REST clients do not return for an older one.
const HELD_MAX: usize = 4;

/// The purpose of a snapshot. Each purpose has a separate cache and lock: a request for a few rows does not
/// wait for all rows, and polling evicts no snapshot that is being downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotPurpose<'b> {
    /// All rows, in parts over a socket.
    Stream,
    /// All rows in one answer. A snapshot that is kept for sockets may be used.
    Rest,
    /// The rows of these buckets.
    Repair(&'b [u8]),
}

impl SnapshotPurpose<'_> {
    const fn kind(self) -> u8 {
        match self {
            Self::Stream => 0,
            Self::Rest => 1,
            Self::Repair(_) => 2,
        }
    }

    fn buckets(self) -> Option<Vec<u8>> {
        if let Self::Repair(buckets) = self { Some(buckets.to_vec()) } else { None }
    }
}

/// The bytes of a part that are reserved for everything except its rows.
const PART_MARGIN_BYTES: usize = 8 * 1024;

/// The estimated average size of a row in a snapshot, in bytes.
const ROW_BYTES: u64 = 128;

/// A replay smaller than this many bytes is never replaced by a snapshot.
pub const REPLAY_BYTES_MIN: u64 = 1024 * 1024;

/// A campaign's state at one number, in parts.
#[derive(Debug)]
pub struct Snapshot {
    /// The head that the state belongs to.
    pub head: Head,
    epoch: String,
    /// The campaign's record, as JSON.
    record: String,
    /// The rows of each part, as JSON without brackets.
    lists: Vec<String>,
    /// The sealed content of each part, if the log is sealed.
    sealed: Vec<String>,
}

impl Snapshot {
    /// Builds a snapshot from a view that contains the intended rows.
    ///
    /// # Errors
    /// [`LogError::Storage`] if the parts must be sealed and sealing fails.
    pub fn cut(hub: &Hub, campaign: &CampaignId, view: &View) -> Result<Self> {
        let (epoch, keys) = (hub.epoch(), hub.log().keys());
        // Base64 turns three bytes into four.
        let most = SNAPSHOT_PART_BYTES_MAX / 4 * if keys.is_some() { 3 } else { 4 };
        let mut lists: Vec<String> = vec![String::new()];
        for row in &view.rows {
            let row = serde_json::to_string(row).unwrap_or_default();
            let full =
                lists.last().is_some_and(|list| list.len() + row.len() + PART_MARGIN_BYTES > most);
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
        let (head, epoch) = (view.head.clone(), epoch.to_owned());
        let record = record_json(campaign.as_str(), &view.state.record).to_string();
        let mut snapshot = Self { head, epoch, record, lists, sealed: Vec::new() };
        if let Some(keys) = keys {
            let sealed = (0..snapshot.lists.len()).map(|it| snapshot.seal(keys, campaign, it));
            snapshot.sealed = sealed.collect::<Result<_>>()?;
        }
        Ok(snapshot)
    }

    /// The number of parts.
    pub fn parts(&self) -> u64 {
        self.lists.len() as u64
    }

    /// The size of the parts as they are sent.
    fn bytes(&self) -> u64 {
        let sent = if self.sealed.is_empty() { &self.lists } else { &self.sealed };
        sent.iter().map(|it| it.len() as u64).sum()
    }

    /// The `data` of a part, counted from 1.
    pub fn part(&self, campaign: &CampaignId, request: Option<&str>, part: u64) -> Option<String> {
        let index = usize::try_from(part).ok()?.checked_sub(1)?;
        let list = self.lists.get(index)?;
        let content = match self.sealed.get(index) {
            Some(sealed) => format!("\"content\":{sealed}"),
            None => self.content(index, list),
        };
        let request =
            request.map_or_else(String::new, |id| format!("\"requestId\":{},", json!(id)));
        let place = self.place(campaign, &request);
        let (parts, counts) = (self.parts(), self.counts());
        Some(format!("{{{place},\"part\":{part},\"parts\":{parts},{content},{counts}}}"))
    }

    /// The whole snapshot as one document.
    pub fn whole(&self, campaign: &CampaignId) -> String {
        let (place, rows) = (self.place(campaign, ""), self.lists.join(","));
        let (record, counts) = (&self.record, self.counts());
        format!("{{{place},\"campaign\":{record},\"domains\":[{rows}],{counts}}}")
    }

    fn place(&self, campaign: &CampaignId, request: &str) -> String {
        let (Self { epoch, .. }, (number, event_id)) = (self, self.head.at());
        format!(
            "\"campaignId\":\"{campaign}\",{request}\"epoch\":\"{epoch}\",\
             \"sequenceNumber\":{number},\"eventId\":\"{event_id}\""
        )
    }

    fn counts(&self) -> String {
        let Head { domains_count, domains_digest, .. } = &self.head;
        format!("\"domainsCount\":{domains_count},\"domainsDigest\":\"{domains_digest}\"")
    }

    fn content(&self, index: usize, list: &str) -> String {
        let record = &self.record;
        let record = if index == 0 { format!("\"campaign\":{record},") } else { String::new() };
        format!("{record}\"domains\":[{list}]")
    }

    fn seal(&self, keys: &Keyring, campaign: &CampaignId, index: usize) -> Result<String> {
        let list = associated_part(
            [campaign.as_str(), &self.epoch, &self.head.event_id],
            self.head.number,
            [index as u64 + 1, self.parts(), self.head.domains_count],
            self.head.domains_digest,
        );
        keys.seal(&list, &format!("{{{}}}", self.content(index, &self.lists[index])))
    }
}

/// The cache of snapshots.
#[derive(Debug, Default)]
pub struct Snapshots {
    /// By campaign and purpose.
    all: Mutex<HashMap<(CampaignId, u8), Entries>>,
}

/// The snapshots of one purpose, newest last.
type Entries = Arc<Mutex<Vec<Held>>>;

#[derive(Debug)]
struct Held {
    /// The buckets whose rows it contains; `None` for all rows.
    buckets: Option<Vec<u8>>,
    snapshot: Arc<Snapshot>,
    built_ms: u64,
    used_ms: u64,
}

impl Snapshots {
    /// The snapshot for sockets at exactly this number, if it is still kept.
    pub fn held(&self, campaign: &CampaignId, at: u64, now_ms: u64) -> Option<Arc<Snapshot>> {
        let held = self.of(campaign, SnapshotPurpose::Stream);
        let mut held = lock(&held);
        expire(&mut held, now_ms);
        let found = held.iter_mut().find(|it| it.snapshot.head.number == at)?;
        found.used_ms = now_ms;
        Some(found.snapshot.clone())
    }

    /// A snapshot at `least` or later. Of concurrent callers, one builds it and the others wait. Blocks.
    ///
    /// # Errors
    /// [`LogError::Storage`]; [`LogError::UnknownCampaign`], also for all rows of a deleted campaign, because
    /// a snapshot would show it as existing.
    pub fn take(
        &self,
        hub: &Hub,
        campaign: &CampaignId,
        purpose: SnapshotPurpose<'_>,
        least: u64,
        now_ms: u64,
    ) -> Result<Arc<Snapshot>> {
        if purpose == SnapshotPurpose::Rest {
            let held = self.of(campaign, SnapshotPurpose::Stream);
            if let Some(found) = found(&mut lock(&held), hub, campaign, (None, least), now_ms)? {
                return Ok(found);
            }
        }
        let (held, buckets) = (self.of(campaign, purpose), purpose.buckets());
        let mut held = lock(&held);
        let key = (buckets.as_deref(), least);
        if let Some(found) = found(&mut held, hub, campaign, key, now_ms)? {
            return Ok(found);
        }
        let query = RowQuery { buckets: buckets.clone(), ..RowQuery::default() };
        let is_shown = |view: &View| !view.state.deleted || buckets.is_some();
        let view = hub.log().view(campaign, &query)?.filter(is_shown);
        let view = view.ok_or(LogError::UnknownCampaign)?;
        let snapshot = Arc::new(Snapshot::cut(hub, campaign, &view)?);
        hub.metrics.snapshots_built.inc();
        let most = if purpose == SnapshotPurpose::Rest { 1 } else { HELD_MAX };
        if held.len() == most {
            let oldest = held.iter().enumerate().min_by_key(|(_, it)| it.used_ms);
            let oldest = oldest.map_or(0, |(index, _)| index);
            held.remove(oldest);
        }
        let (built_ms, used_ms) = (now_ms, now_ms);
        held.push(Held { buckets, snapshot: snapshot.clone(), built_ms, used_ms });
        Ok(snapshot)
    }

    /// Drops unused snapshots.
    pub fn expire(&self, now_ms: u64) {
        lock(&self.all).retain(|_, held| {
            // A locked list is in use.
            let Ok(mut snapshots) = held.try_lock() else { return true };
            expire(&mut snapshots, now_ms);
            !snapshots.is_empty() || Arc::strong_count(held) > 1
        });
    }

    /// The estimated size of a campaign's snapshot.
    pub fn estimated_bytes(rows: u64) -> u64 {
        rows * ROW_BYTES
    }

    /// Drops a campaign's snapshots, because its state was changed without an event.
    pub fn forget(&self, campaign: &CampaignId) {
        for usage in [SnapshotPurpose::Stream, SnapshotPurpose::Rest, SnapshotPurpose::Repair(&[])]
        {
            lock(&self.of(campaign, usage)).clear();
        }
    }

    fn of(&self, campaign: &CampaignId, purpose: SnapshotPurpose<'_>) -> Entries {
        lock(&self.all).entry((campaign.clone(), purpose.kind())).or_default().clone()
    }
}

/// The newest suitable snapshot: of these buckets, at `least` or later, and not too old. The events after it
/// must still be in the history, and must not be larger than the snapshot or [`REPLAY_BYTES_MIN`].
fn found(
    held: &mut Vec<Held>,
    hub: &Hub,
    campaign: &CampaignId,
    (buckets, least): (Option<&[u8]>, u64),
    now_ms: u64,
) -> Result<Option<Arc<Snapshot>>> {
    expire(held, now_ms);
    let head = hub.head(campaign)?.ok_or(LogError::UnknownCampaign)?;
    for it in held.iter_mut().rev().filter(|it| it.buckets.as_deref() == buckets) {
        let at = it.snapshot.head.number;
        let fresh = it.built_ms + SNAPSHOT_TTL_MS > now_ms && at >= least;
        let reaches = at + 1 >= head.oldest;
        let short = || hub.log().bytes_after(campaign, at);
        if fresh && reaches && short()? <= it.snapshot.bytes().max(REPLAY_BYTES_MIN) {
            it.used_ms = now_ms;
            return Ok(Some(it.snapshot.clone()));
        }
    }
    Ok(None)
}

fn expire(held: &mut Vec<Held>, now_ms: u64) {
    held.retain(|it| it.used_ms + SNAPSHOT_TTL_MS > now_ms);
}
