//! The catalogue: for each user with a subscription, the list of campaigns that the user may see, and its
//! changes in numbered steps (docs/PROTOCOL.md, chapter 20).
//!
//! A *feed* is the list of one user on this server. All sockets of the user are cursors over it. It remembers
//! at which number each campaign changed last, so that it can tell any cursor what changed since then, however
//! far behind the cursor is. So a slow reader costs no memory, and no queue can overflow. A feed lives in
//! memory: after a restart, and on another server, a client gets a snapshot.

mod feed;
mod parts;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use campaign_sync::protocol::CampaignId;

use crate::access::Identity;
use crate::capacity::{Budget, Quota};
use crate::lock::lock;
use crate::log::{Appended, CampaignQuery, EventLog, LogError, Result};
use feed::Pending;
pub use feed::{Feed, Position};
pub use parts::Parts;

/// How long a feed without a subscription is kept, in milliseconds, so that a client that returns gets what
/// it missed.
const FEED_TTL_MS: u64 = 60_000;

/// Campaigns that are read at one time while a feed is loaded.
const PAGE: u64 = 500;

/// The estimated size of a summary, in bytes.
const SUMMARY_BYTES: u64 = 512;

/// The campaigns of a feed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Scope {
    /// All campaigns: for the operator, and for every client of an open server.
    All,
    /// The campaigns of one user.
    Owner(String),
}

impl Scope {
    fn of(identity: &Identity) -> Self {
        identity.owner_name().map_or(Self::All, Self::Owner)
    }
}

/// The source of the lists, and the memory that they may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'s> {
    pub(crate) log: &'s dyn EventLog,
    pub(crate) epoch: &'s str,
    pub(crate) in_flight: &'s Arc<Budget>,
    pub(crate) quota: &'s Arc<Quota>,
}

/// The feeds of a server.
#[derive(Debug)]
pub struct Catalogues {
    /// The beginning of the epochs of all feeds, and the number of feeds so far.
    epochs: (String, AtomicU64),
    feeds: Mutex<HashMap<Scope, Arc<Feed>>>,
    /// The owners of the campaigns that feeds of users list.
    owners: Mutex<HashMap<CampaignId, Scope>>,
}

impl Catalogues {
    /// No feeds. Their epochs will begin with `prefix`.
    pub(crate) fn new(prefix: String) -> Self {
        let (feeds, owners) = (Mutex::default(), Mutex::default());
        Self { epochs: (prefix, AtomicU64::new(0)), feeds, owners }
    }

    fn next_epoch(&self) -> String {
        format!("{}-{}", self.epochs.0, self.epochs.1.fetch_add(1, Ordering::Relaxed))
    }

    /// Records an append in the feeds that it concerns. Appends of a campaign arrive in order.
    pub(crate) fn on_append(&self, campaign: &CampaignId, appended: &Appended, epoch: &str) {
        let feeds = lock(&self.feeds);
        if feeds.is_empty() {
            return;
        }
        let (number, state) = (appended.head.number, &appended.state);
        let owner = state.settings.owner.clone().map(Scope::Owner);
        let summary = || parts::summary(campaign, epoch, number, &state.record);
        // Nothing is known yet about the contents of a list that is being read.
        for feed in feeds.values().filter(|it| !it.is_loaded()) {
            feed.note(campaign, Pending::Revoked(number));
        }
        let former = match owner.clone().filter(|_| !state.deleted) {
            Some(owner) => lock(&self.owners).insert(campaign.clone(), owner),
            None => lock(&self.owners).remove(campaign),
        };
        if let Some(former) = former.filter(|it| Some(it) != owner.as_ref())
            && let Some(feed) = feeds.get(&former)
        {
            feed.note(campaign, Pending::Revoked(number));
        }
        for feed in [owner, Some(Scope::All)].into_iter().flatten().filter_map(|it| feeds.get(&it))
        {
            let change = if state.deleted {
                Pending::Deleted(number)
            } else {
                Pending::Changed(number, summary())
            };
            feed.note(campaign, change);
        }
    }

    /// The feed of this identity; `None` if it lists too many campaigns. The first call for a user reads the
    /// list, when it has its `turn`. Blocks.
    ///
    /// # Errors
    /// [`LogError::Storage`]; [`LogError::Busy`] while the feed is loaded for another socket, or while the
    /// server is busy; [`LogError::QuotaExceeded`] if too many bytes wait for the user.
    pub(crate) fn take<T>(
        &self,
        from: Source<'_>,
        identity: &Identity,
        now_ms: u64,
        turn: impl FnOnce() -> Result<T>,
    ) -> Result<Option<Arc<Feed>>> {
        let scope = Scope::of(identity);
        let feed = {
            let mut feeds = lock(&self.feeds);
            let new = || Arc::new(Feed::new(self.next_epoch(), from.in_flight.charge(0)));
            feeds.entry(scope.clone()).or_insert_with(new).clone()
        };
        feed.touch(now_ms);
        if feed.is_loaded() {
            return Ok(Some(feed));
        }
        // One socket loads the list. The others come back.
        let Some(mut loading) = feed.begin_loading() else { return Err(LogError::Busy) };
        if feed.is_loaded() {
            return Ok(Some(feed.clone()));
        }
        let _turn = turn()?;
        let mut after: Option<CampaignId> = None;
        loop {
            let estimate = PAGE * SUMMARY_BYTES;
            let _page = from.quota.try_charge(estimate).ok_or(LogError::QuotaExceeded)?;
            let _in_all = from.in_flight.try_charge(estimate).ok_or(LogError::Busy)?;
            let query = CampaignQuery {
                owner: match &scope {
                    Scope::All => None,
                    Scope::Owner(user) => Some(user),
                },
                after: after.as_ref(),
                limit: Some(PAGE),
            };
            let page = from.log.list(&query)?;
            let is_last = (page.len() as u64) < PAGE;
            after = page.last().map(|(id, _)| id.clone());
            for (id, view) in page {
                let number = view.head.number;
                let summary = parts::summary(&id, from.epoch, number, &view.state.record);
                if scope != Scope::All {
                    lock(&self.owners).entry(id.clone()).or_insert_with(|| scope.clone());
                }
                loading.add(id, number, summary);
            }
            if loading.is_too_long() {
                return Ok(None);
            }
            if is_last {
                break;
            }
        }
        feed.finish_loading(loading);
        Ok(Some(feed.clone()))
    }

    /// Drops the feeds that nobody has used for a while; all unused ones if memory is short.
    pub(crate) fn expire(&self, now_ms: u64, is_short: bool) {
        let mut feeds = lock(&self.feeds);
        let before = feeds.len();
        let ttl_ms = if is_short { 0 } else { FEED_TTL_MS };
        feeds.retain(|_, feed| Arc::strong_count(feed) > 1 || feed.used_ms() + ttl_ms > now_ms);
        if feeds.len() < before {
            lock(&self.owners).retain(|_, owner| feeds.contains_key(owner));
        }
    }
}
