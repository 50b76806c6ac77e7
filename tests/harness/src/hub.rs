//! Publication: notifies the followers of a campaign of its new head, after the commit.
//!
//! The hub sends nothing. Subscribers are cursors that read the log themselves, and the hub wakes them. It
//! caches the newest events of each followed campaign and the last pages, so that a thousand cursors do not
//! read or copy the same event a thousand times.

mod tail;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use campaign_sync::protocol::CampaignId;
use tokio::sync::Notify;

use crate::access::Identity;
use crate::capacity::{Budget, Limits};
use crate::catalogue::Catalogues;
use crate::lock::lock;
use crate::log::{Appended, Draft, EventLog, Head, Result, RowQuery, View};
use crate::metrics::Metrics;
use tail::{BATCH_BYTES, Tail};
pub use tail::{EventBatch, Next, ReadLimits};

/// The most cached pages of older events, over all campaigns.
const OLDER_PAGES: usize = 16;

/// The log and its followers.
pub struct Hub {
    log: Arc<dyn EventLog>,
    epoch: Arc<str>,
    appending: Mutex<()>,
    /// The metrics of this server.
    pub metrics: Metrics,
    /// Several servers append to this log. The log itself reports all appends.
    shared: AtomicBool,
    closed: AtomicBool,
    /// The lists of campaigns.
    pub(crate) catalogues: Catalogues,
    /// The bytes that wait for readers.
    in_flight: Arc<Budget>,
    updated: Mutex<BTreeSet<CampaignId>>,
    tails: Mutex<HashMap<CampaignId, Tail>>,
    older: Mutex<VecDeque<(CampaignId, EventBatch)>>,
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

impl Hub {
    /// A hub over this log.
    pub fn new(log: Arc<dyn EventLog>) -> Self {
        let epoch = log.epoch().into();
        let metrics = Metrics::default();
        if let Some(keys) = log.keys() {
            keys.count_in(metrics.seals.clone());
        }
        let most = Limits::default().max_bytes_in_flight;
        let in_flight = Arc::new(Budget::new(most, metrics.bytes_in_flight.clone()));
        Self {
            log,
            epoch,
            in_flight,
            appending: Mutex::default(),
            metrics,
            shared: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            catalogues: Catalogues::new(format!("{:032x}", rand::random::<u128>())),
            updated: Mutex::default(),
            tails: Mutex::default(),
            older: Mutex::default(),
        }
    }

    /// The same hub with this limit of bytes in flight.
    #[must_use]
    pub fn within(mut self, limits: &Limits) -> Self {
        let used = self.metrics.bytes_in_flight.clone();
        self.in_flight = Arc::new(Budget::new(limits.max_bytes_in_flight, used));
        self
    }

    /// The same hub whose feeds of campaigns have epochs that begin with this text. It must differ each time a
    /// server starts.
    #[must_use]
    pub fn with_feeds(mut self, prefix: String) -> Self {
        self.catalogues = Catalogues::new(prefix);
        self
    }

    /// The bytes that wait for readers.
    pub const fn in_flight(&self) -> &Arc<Budget> {
        &self.in_flight
    }

    /// Also publishes the appends of other servers, if the log is shared.
    pub fn attach(self: &Arc<Self>) {
        let hub = Arc::downgrade(self);
        let shared = self.log.set_listener(Box::new(move |campaign, appended| {
            if let Some(hub) = hub.upgrade() {
                hub.on_remote_append(campaign, appended);
            }
        }));
        self.shared.store(shared, Ordering::Relaxed);
    }

    /// Whether other servers append to this log.
    pub fn is_shared(&self) -> bool {
        self.shared.load(Ordering::Relaxed)
    }

    /// The campaigns that changed since the last call. Always empty unless the log is shared.
    pub fn take_updated(&self) -> BTreeSet<CampaignId> {
        std::mem::take(&mut lock(&self.updated))
    }

    fn on_remote_append(&self, campaign: &CampaignId, appended: &Appended) {
        let _order = lock(&self.appending);
        self.publish(campaign, appended);
        lock(&self.updated).insert(campaign.clone());
    }

    /// Closes the log. Blocks.
    ///
    /// # Errors
    /// As [`EventLog::close`].
    pub fn close(&self) -> Result<()> {
        self.closed.store(true, Ordering::Relaxed);
        self.log.close()
    }

    /// Whether the log is closed, so that periodic work ends.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// The log.
    pub fn log(&self) -> &dyn EventLog {
        &*self.log
    }

    /// The epoch of the log.
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// Appends, and publishes after the commit. Blocks.
    ///
    /// # Errors
    /// As [`EventLog::append`].
    pub fn append(
        &self,
        campaign: &CampaignId,
        expected: u64,
        drafts: &[Draft],
    ) -> Result<Appended> {
        let started = Instant::now();
        // Held until the events are published, so that heads are published in the order of commits.
        let order = (!self.is_shared()).then(|| lock(&self.appending));
        let appended = self.log.append(campaign, expected, drafts)?;
        if order.is_some() {
            self.publish(campaign, &appended);
        }
        self.metrics.events_appended.inc_by(appended.events.len() as u64);
        self.metrics.append_seconds.observe(started.elapsed().as_secs_f64());
        Ok(appended)
    }

    fn publish(&self, campaign: &CampaignId, appended: &Appended) {
        let Head { number, event_id, .. } = &appended.head;
        tracing::debug!(
            event = "published", campaignId = %campaign, sequenceNumber = number, eventId = event_id
        );
        self.catalogues.on_append(campaign, appended, &self.epoch);
        let followers = {
            let mut tails = self.tails();
            let Some(tail) = tails.get_mut(campaign) else { return };
            tail.extend(appended);
            tail.owner.clone_from(&appended.state.settings.owner);
            tail.followers.prune();
            if tail.followers.is_empty() {
                tail.forget_events();
            }
            tail.followers.clone()
        };
        followers.wake();
    }

    /// The head of a campaign. The first call reads the log and blocks; later calls use memory.
    ///
    /// # Errors
    /// [`LogError::Storage`](crate::log::LogError::Storage).
    pub fn head(&self, campaign: &CampaignId) -> Result<Option<Head>> {
        if let Some(tail) = self.tails().get(campaign) {
            return Ok(Some(tail.head.clone()));
        }
        // A shared log may wait for news of the campaign. `on_remote_append` must be able to publish
        // meanwhile, so the lock is not held yet.
        if self.is_shared() && self.log.head(campaign)?.is_none() {
            return Ok(None);
        }
        let _order = lock(&self.appending);
        let Some(View { head, state, .. }) = self.log.view(campaign, &RowQuery::NONE)? else {
            return Ok(None);
        };
        let owner = state.settings.owner;
        self.tails()
            .entry(campaign.clone())
            .or_insert_with(|| Tail::at(head.clone(), owner, self.in_flight.clone()));
        Ok(Some(head))
    }

    /// Whether the campaign exists for this identity. The first call blocks.
    ///
    /// # Errors
    /// [`LogError::Storage`](crate::log::LogError::Storage).
    pub fn is_visible(&self, campaign: &CampaignId, identity: &Identity) -> Result<bool> {
        Ok(self.head(campaign)?.is_some() && self.still_visible(campaign, identity))
    }

    /// Whether a campaign that is in memory still exists for this identity. Never blocks.
    pub fn still_visible(&self, campaign: &CampaignId, identity: &Identity) -> bool {
        match identity {
            Identity::Anyone | Identity::Operator => true,
            Identity::User(_) => self
                .tails()
                .get(campaign)
                .is_some_and(|tail| identity.may_see(tail.owner.as_deref())),
        }
    }

    /// The head, if it is in memory. Never blocks.
    pub fn known_head(&self, campaign: &CampaignId) -> Option<Head> {
        self.tails().get(campaign).map(|tail| tail.head.clone())
    }

    /// Wakes `follower` at every new head of an existing campaign, until it is dropped. Call it once per
    /// follower. The first call for a campaign blocks.
    ///
    /// # Errors
    /// [`LogError::Storage`](crate::log::LogError::Storage).
    pub fn follow(&self, campaign: &CampaignId, follower: &Arc<Notify>) -> Result<()> {
        self.head(campaign)?;
        if let Some(tail) = self.tails().get_mut(campaign) {
            tail.followers.add(follower);
        }
        Ok(())
    }

    /// Stops waking `follower` for this campaign.
    pub fn unfollow(&self, campaign: &CampaignId, follower: &Arc<Notify>) {
        if let Some(tail) = self.tails().get_mut(campaign) {
            tail.followers.remove(follower);
            if tail.followers.is_empty() {
                tail.forget_events();
            }
        }
    }

    /// The events after number `after`. Blocks only if the log may be read.
    ///
    /// # Errors
    /// [`LogError::Storage`](crate::log::LogError::Storage).
    pub fn next(
        &self,
        campaign: &CampaignId,
        after: u64,
        want: ReadLimits,
        may_read: bool,
    ) -> Result<Next> {
        if let Some(next) = self.tails().get_mut(campaign).and_then(|tail| tail.next(after, want)) {
            return Ok(next);
        }
        if !may_read {
            return Ok(Next::InLog);
        }
        // Serialise readers; they usually want the same page.
        let mut older = lock(&self.older);
        let reaches = self.known_head(campaign).is_none_or(|head| head.oldest <= after + 1);
        let same = |(of, page): &&(CampaignId, EventBatch)| of == campaign && page.after == after;
        if want.is_shared()
            && reaches
            && let Some((_, page)) = older.iter().find(same)
        {
            return Ok(Next::EventBatch(page.clone()));
        }
        let bytes = if want.single { 1 } else { BATCH_BYTES };
        let events = self.log.read(campaign, after, bytes)?;
        let page = EventBatch::of(&self.in_flight, after, &events, want);
        let Some(page) = page else { return Ok(Next::Gone) };
        if want.is_shared() {
            older.truncate(OLDER_PAGES - 1);
            older.push_front((campaign.clone(), page.clone()));
        }
        Ok(Next::EventBatch(page))
    }

    /// Drops the cached events of a campaign whose history was truncated, or whose state was changed without
    /// an append. Wakes no follower, because there is nothing new to send.
    ///
    /// # Errors
    /// [`LogError::Storage`](crate::log::LogError::Storage).
    pub fn reread(&self, campaign: &CampaignId) -> Result<()> {
        let _order = lock(&self.appending);
        if let (Some(head), Some(tail)) = (self.log.head(campaign)?, self.tails().get_mut(campaign))
        {
            tail.reread(head);
        }
        Ok(())
    }

    fn tails(&self) -> MutexGuard<'_, HashMap<CampaignId, Tail>> {
        lock(&self.tails)
    }
}
