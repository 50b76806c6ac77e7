//! Publication: everyone who waits for a campaign learns of its new head, after the commit.
//!
//! Nothing is sent from here. Subscribers are cursors that read the log themselves; the hub wakes
//! them, and keeps each campaign's newest events at hand, so that a thousand cursors at the head do
//! not read the same event from the medium a thousand times.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Instant;

use campaign_sync::protocol::CampaignId;

use crate::access::Identity;
use crate::log::{Appended, Draft, Event, EventLog, Head, LogError, Observer, RowQuery, View};
use crate::metrics::Metrics;

/// Bytes of newest events kept per campaign.
const TAIL_BYTES: usize = 1024 * 1024;

/// What a subscriber is woken with. It must not call back into the hub.
pub type Wake = dyn Fn() + Send + Sync;

/// The log and those who follow it.
pub struct Hub {
    log: Arc<dyn EventLog>,
    epoch: Arc<str>,
    appending: Mutex<()>,
    /// What this server counts.
    pub metrics: Metrics,
    /// Several servers append to this log, which tells of all appends itself.
    shared: AtomicBool,
    listener: OnceLock<Observer>,
    moved: Mutex<BTreeSet<CampaignId>>,
    tails: Mutex<HashMap<CampaignId, Tail>>,
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

struct Tail {
    head: Head,
    owner: Option<String>,
    events: VecDeque<Event>,
    bytes: usize,
    followers: Vec<Weak<Wake>>,
}

/// What a cursor finds without touching the medium.
#[derive(Debug)]
pub enum Recent {
    /// The cursor is at the head.
    AtHead,
    /// The events after it, as many as fit.
    Events(Vec<Event>),
    /// They are only in the log.
    InLog,
}

impl Hub {
    /// A hub over that log.
    pub fn new(log: Arc<dyn EventLog>) -> Self {
        let epoch = log.epoch().into();
        let metrics = Metrics::default();
        if let Some(keys) = log.keys() {
            keys.count_in(metrics.seals.clone());
        }
        Self {
            log,
            epoch,
            appending: Mutex::default(),
            metrics,
            shared: AtomicBool::new(false),
            listener: OnceLock::new(),
            moved: Mutex::default(),
            tails: Mutex::default(),
        }
    }

    /// Publishes what other servers append too, if the log is shared with any.
    pub fn observe(self: &Arc<Self>) {
        let hub = Arc::downgrade(self);
        let shared = self.log.observe(Box::new(move |campaign, appended| {
            if let Some(hub) = hub.upgrade() {
                hub.told(campaign, appended);
            }
        }));
        self.shared.store(shared, Ordering::Relaxed);
    }

    /// Tells `listener` of everything that is published, in order. There is one.
    pub fn listen(&self, listener: Observer) {
        let _the_first_stays = self.listener.set(listener);
    }

    /// Whether other servers append to this log.
    pub fn is_shared(&self) -> bool {
        self.shared.load(Ordering::Relaxed)
    }

    /// The campaigns that have moved since this was last asked; only where the log is shared.
    pub fn moved(&self) -> BTreeSet<CampaignId> {
        std::mem::take(&mut self.moved.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn told(&self, campaign: &CampaignId, appended: &Appended) {
        let _order = self.appending.lock().unwrap_or_else(PoisonError::into_inner);
        self.publish(campaign, appended);
        self.moved.lock().unwrap_or_else(PoisonError::into_inner).insert(campaign.clone());
    }

    /// The log.
    pub fn log(&self) -> &dyn EventLog {
        &*self.log
    }

    /// The identity of the log.
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// Appends, and after the commit publishes. Blocks.
    ///
    /// # Errors
    /// As [`EventLog::append`].
    pub fn append(
        &self,
        campaign: &CampaignId,
        expected: u64,
        drafts: &[Draft],
    ) -> Result<Appended, LogError> {
        let started = Instant::now();
        if self.is_shared() {
            let appended = self.log.append(campaign, expected, drafts)?;
            self.count(started, &appended);
            return Ok(appended);
        }
        // Held until published, so that the order of heads is the order of commits.
        let _order = self.appending.lock().unwrap_or_else(PoisonError::into_inner);
        let appended = self.log.append(campaign, expected, drafts)?;
        self.publish(campaign, &appended);
        self.count(started, &appended);
        Ok(appended)
    }

    fn count(&self, started: Instant, appended: &Appended) {
        self.metrics.events_appended.inc_by(appended.events.len() as u64);
        self.metrics.append_seconds.observe(started.elapsed().as_secs_f64());
    }

    fn publish(&self, campaign: &CampaignId, appended: &Appended) {
        if let Some(listener) = self.listener.get() {
            listener(campaign, appended);
        }
        let followers = {
            let mut tails = self.tails();
            let Some(tail) = tails.get_mut(campaign) else { return };
            tail.extend(appended);
            tail.owner.clone_from(&appended.stand.settings.owner);
            tail.followers.retain(|it| it.strong_count() > 0);
            tail.followers.clone()
        };
        for wake in followers.iter().filter_map(Weak::upgrade) {
            wake();
        }
    }

    /// The head of a campaign, from memory after the first time. Blocks the first time.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub fn head(&self, campaign: &CampaignId) -> Result<Option<Head>, LogError> {
        if let Some(tail) = self.tails().get(campaign) {
            return Ok(Some(tail.head.clone()));
        }
        // A shared log may have to wait for news of the campaign, which `told` must be free to publish.
        if self.is_shared() && self.log.head(campaign)?.is_none() {
            return Ok(None);
        }
        let _order = self.appending.lock().unwrap_or_else(PoisonError::into_inner);
        let nothing = RowQuery { limit: Some(0), ..RowQuery::default() };
        let Some(View { head, stand, .. }) = self.log.view(campaign, &nothing)? else {
            return Ok(None);
        };
        let owner = stand.settings.owner;
        let (events, followers) = (VecDeque::new(), Vec::new());
        let tail = Tail { head: head.clone(), owner, events, bytes: 0, followers };
        self.tails().entry(campaign.clone()).or_insert(tail);
        Ok(Some(head))
    }

    /// Whether a campaign exists for somebody. Blocks the first time.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub fn is_visible(&self, campaign: &CampaignId, identity: &Identity) -> Result<bool, LogError> {
        Ok(self.head(campaign)?.is_some() && self.still_visible(campaign, identity))
    }

    /// Whether a campaign that is in memory still exists for somebody. Never blocks.
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

    /// Wakes `follower` at every new head of an existing campaign, for as long as it lives. Blocks
    /// the first time.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub fn follow(&self, campaign: &CampaignId, follower: &Arc<Wake>) -> Result<(), LogError> {
        self.head(campaign)?;
        if let Some(tail) = self.tails().get_mut(campaign) {
            let follower = Arc::downgrade(follower);
            if !tail.followers.iter().any(|it| it.ptr_eq(&follower)) {
                tail.followers.push(follower);
            }
        }
        Ok(())
    }

    /// Wakes `follower` for that campaign no more.
    pub fn unfollow(&self, campaign: &CampaignId, follower: &Arc<Wake>) {
        let follower = Arc::downgrade(follower);
        if let Some(tail) = self.tails().get_mut(campaign) {
            tail.followers.retain(|it| !it.ptr_eq(&follower));
        }
    }

    /// What comes after number `after`, if it is in memory. Never blocks.
    pub fn recent(&self, campaign: &CampaignId, after: u64, bytes: usize) -> Recent {
        let tails = self.tails();
        let Some(tail) = tails.get(campaign) else { return Recent::InLog };
        if after >= tail.head.number {
            return Recent::AtHead;
        }
        match tail.events.front() {
            Some(first) if first.number <= after + 1 => {
                let skip = (after + 1 - first.number) as usize;
                let mut size = 0;
                let fits = |(index, event): &(usize, &Event)| {
                    size += event.document.len() + 1;
                    *index == 0 || size <= bytes
                };
                let page = tail.events.iter().skip(skip).enumerate().take_while(fits);
                Recent::Events(page.map(|(_, event)| event.clone()).collect())
            }
            _ => Recent::InLog,
        }
    }

    /// Forgets what is in memory of a campaign whose state was changed behind the log's back, and
    /// wakes its followers.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub fn reread(&self, campaign: &CampaignId) -> Result<(), LogError> {
        let _order = self.appending.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(head), Some(tail)) = (self.log.head(campaign)?, self.tails().get_mut(campaign))
        {
            tail.events.retain(|event| event.number >= head.oldest);
            tail.bytes = tail.events.iter().map(|event| event.document.len()).sum();
            tail.head = head;
        }
        Ok(())
    }

    fn tails(&self) -> MutexGuard<'_, HashMap<CampaignId, Tail>> {
        self.tails.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tail {
    /// Takes what was appended. Kept are only events up to the head without a hole.
    fn extend(&mut self, appended: &Appended) {
        let (events, head) = (&appended.events, &appended.head);
        let first = events.first().map_or(head.number + 1, |event| event.number);
        if self.events.back().is_some_and(|last| last.number + 1 != first) {
            self.events.clear();
            self.bytes = 0;
        }
        while self.events.front().is_some_and(|it| it.number < head.oldest) {
            self.bytes -= self.events.pop_front().map_or(0, |it| it.document.len());
        }
        self.head = head.clone();
        for event in events {
            self.bytes += event.document.len();
            self.events.push_back(event.clone());
        }
        while self.bytes > TAIL_BYTES {
            let Some(oldest) = self.events.pop_front() else { break };
            self.bytes -= oldest.document.len();
        }
    }
}
