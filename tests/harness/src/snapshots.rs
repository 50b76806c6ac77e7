//! Snapshots are built once and shared: a thousand clients that reconnect after a restart, repair the same
//! buckets or poll over REST get the same one. An interrupted download continues where it stopped. The bytes
//! of all snapshots are counted; snapshots that nobody reads are dropped first.

mod body;
mod digests;
mod text;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use campaign_sync::protocol::CampaignId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_tungstenite::tungstenite::Utf8Bytes;

pub use body::SnapshotBody;
use digests::Digests;
pub use text::{Download, Snapshot};

use crate::capacity::{Charge, Limits, Quota};
use crate::hub::Hub;
use crate::lock::{lock, try_lock};
use crate::log::{LogError, Result, RowQuery, View};

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

/// The estimated average size of a row in a snapshot, in bytes.
const ROW_BYTES: u64 = 128;

/// The memory of a build, in sizes of its snapshot: the rows as they are read, and their text.
const BUILD_FACTOR: u64 = 4;

/// A replay smaller than this many bytes is never replaced by a snapshot.
pub const REPLAY_BYTES_MIN: u64 = 1024 * 1024;

/// The cache of snapshots.
#[derive(Debug)]
pub struct Snapshots {
    /// By campaign and purpose.
    all: Mutex<HashMap<(CampaignId, u8), Entries>>,
    digests: Digests,
    limits: Limits,
    /// The turns of sockets that need a snapshot or digests built.
    turns: Arc<Semaphore>,
}

impl Default for Snapshots {
    fn default() -> Self {
        Self::within(Limits::default())
    }
}

/// The turn of one build for a socket, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    _in_all: OwnedSemaphorePermit,
    _of_user: Option<OwnedSemaphorePermit>,
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
    /// An empty cache with these limits.
    pub fn within(limits: Limits) -> Self {
        Self {
            all: Mutex::default(),
            digests: Digests::default(),
            limits,
            turns: Arc::new(Semaphore::new(limits.max_reads)),
        }
    }

    /// The limits of all clients, and of one user.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The digests of all buckets of a campaign at its head, as JSON, with the number of the head. Blocks.
    ///
    /// # Errors
    /// [`LogError::Storage`], [`LogError::UnknownCampaign`]; [`LogError::Busy`] if this socket must wait.
    pub fn digests(
        &self,
        hub: &Hub,
        campaign: &CampaignId,
        quota: Option<&Arc<Quota>>,
    ) -> Result<(u64, Utf8Bytes)> {
        self.digests.take(hub, campaign, || self.turn(quota))
    }

    /// The turn of a socket of this user.
    pub(crate) fn turn(&self, quota: Option<&Arc<Quota>>) -> Result<Turn> {
        let of_user = match quota {
            Some(quota) => Some(quota.try_read().ok_or(LogError::Busy)?),
            None => None,
        };
        let in_all = self.turns.clone().try_acquire_owned().map_err(|_| LogError::Busy)?;
        Ok(Turn { _in_all: in_all, _of_user: of_user })
    }

    /// Counts bytes that will wait for readers. Drops snapshots that nobody reads if these bytes do not fit.
    pub fn charge(&self, hub: &Hub, bytes: u64) -> Option<Charge> {
        let budget = hub.in_flight();
        budget.try_charge(bytes).or_else(|| {
            self.drop_unread();
            budget.try_charge(bytes)
        })
    }

    /// Drops the snapshots that nobody reads.
    pub fn drop_unread(&self) {
        let all: Vec<Entries> = lock(&self.all).values().cloned().collect();
        // A locked list is in use.
        for mut list in all.iter().filter_map(|list| try_lock(list)) {
            list.retain(is_read);
        }
    }

    /// The snapshot for sockets at exactly this number, if it is still kept.
    pub fn held(&self, campaign: &CampaignId, at: u64, now_ms: u64) -> Option<Arc<Snapshot>> {
        let held = self.of(campaign, SnapshotPurpose::Stream);
        // While another snapshot is built, nothing can be continued.
        let mut held = try_lock(&held)?;
        expire(&mut held, now_ms);
        let found = held.iter_mut().find(|it| it.snapshot.head.number == at)?;
        found.used_ms = now_ms;
        Some(found.snapshot.clone())
    }

    /// A snapshot at `least` or later, for a reader with this quota. Blocks while it is built.
    ///
    /// # Errors
    /// [`LogError::Storage`]; [`LogError::UnknownCampaign`], also for all rows of a deleted campaign, because
    /// a snapshot would show it as existing. [`LogError::Busy`] while it is built for another reader, while
    /// others build, or if too many bytes wait for readers; [`LogError::QuotaExceeded`] if too many wait for
    /// this user.
    pub fn take(
        &self,
        hub: &Hub,
        campaign: &CampaignId,
        purpose: SnapshotPurpose<'_>,
        (least, now_ms): (u64, u64),
        quota: Option<&Arc<Quota>>,
    ) -> Result<Arc<Snapshot>> {
        if purpose == SnapshotPurpose::Rest {
            let held = self.of(campaign, SnapshotPurpose::Stream);
            let mut held = try_lock(&held).ok_or(LogError::Busy)?;
            if let Some(found) = found(&mut held, hub, campaign, (None, least), now_ms)? {
                return Ok(found);
            }
        }
        let (held, buckets) = (self.of(campaign, purpose), purpose.buckets());
        let mut held = try_lock(&held).ok_or(LogError::Busy)?;
        let key = (buckets.as_deref(), least);
        if let Some(found) = found(&mut held, hub, campaign, key, now_ms)? {
            return Ok(found);
        }
        let snapshot = Arc::new(self.build(hub, campaign, purpose, &mut held, quota)?);
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

    fn build(
        &self,
        hub: &Hub,
        campaign: &CampaignId,
        purpose: SnapshotPurpose<'_>,
        held: &mut Vec<Held>,
        quota: Option<&Arc<Quota>>,
    ) -> Result<Snapshot> {
        // A REST request has its turn already.
        let _turn = match purpose {
            SnapshotPurpose::Rest => None,
            SnapshotPurpose::Stream | SnapshotPurpose::Repair(_) => Some(self.turn(quota)?),
        };
        let head = hub.head(campaign)?.ok_or(LogError::UnknownCampaign)?;
        let buckets = purpose.buckets();
        let share = buckets.as_ref().map_or(256, |buckets| buckets.len() as u64);
        let estimated = Self::estimated_bytes(head.domains_count) * share / 256 * BUILD_FACTOR;
        // Counted for the user while it is built, so that a refused download costs no work.
        let _building = match quota {
            Some(quota) => Some(quota.try_charge(estimated).ok_or(LogError::QuotaExceeded)?),
            None => None,
        };
        let charge = self.charge(hub, estimated).or_else(|| {
            held.retain(is_read);
            hub.in_flight().try_charge(estimated)
        });
        let charge = charge.ok_or(LogError::Busy)?;
        let query = RowQuery { buckets, ..RowQuery::default() };
        let is_shown = |view: &View| !view.state.deleted || query.buckets.is_some();
        let view = hub.log().view(campaign, &query)?.filter(is_shown);
        let view = view.ok_or(LogError::UnknownCampaign)?;
        hub.metrics.snapshots_built.inc();
        Snapshot::cut(hub, campaign, &view, charge)
    }

    /// Drops unused snapshots.
    pub fn expire(&self, now_ms: u64) {
        lock(&self.all).retain(|_, held| {
            // A locked list is in use.
            let Some(mut snapshots) = try_lock(held) else { return true };
            expire(&mut snapshots, now_ms);
            !snapshots.is_empty() || Arc::strong_count(held) > 1
        });
        self.digests.expire();
    }

    /// The estimated size of a campaign's snapshot.
    pub fn estimated_bytes(rows: u64) -> u64 {
        rows * ROW_BYTES
    }

    /// Drops a campaign's snapshots, because its state was changed without an event.
    pub fn forget(&self, campaign: &CampaignId) {
        self.digests.forget(campaign);
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
        if fresh && reaches && short()? <= it.snapshot.sent_bytes().max(REPLAY_BYTES_MIN) {
            it.used_ms = now_ms;
            return Ok(Some(it.snapshot.clone()));
        }
    }
    Ok(None)
}

fn is_read(held: &Held) -> bool {
    Arc::strong_count(&held.snapshot) > 1
}

fn expire(held: &mut Vec<Held>, now_ms: u64) {
    held.retain(|it| it.used_ms + SNAPSHOT_TTL_MS > now_ms);
}
