//! Publication: everyone who waits for a campaign learns of its new head, after the commit.
//!
//! Nothing is sent from here. Subscribers are cursors that read the log themselves; the hub wakes
//! them, and keeps each campaign's newest events at hand, and the pages that were last written, so that
//! a thousand cursors do not read the same event from the medium a thousand times, nor copy it.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Instant;

use campaign_sync::protocol::CampaignId;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::access::Identity;
use crate::log::{Appended, Draft, Event, EventLog, Head, LogError, Observer, RowQuery, View};
use crate::metrics::Metrics;

/// Bytes of newest events kept per campaign.
const TAIL_BYTES: usize = 1024 * 1024;

/// Bytes of a page of joined events stay under this.
const PAGE_BYTES: usize = 256 * 1024;

/// Pages kept of newest events per campaign, and of older ones of all campaigns together.
const RECENT_PAGES: usize = 4;
const OLDER_PAGES: usize = 16;

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
    older: Mutex<VecDeque<(CampaignId, Page)>>,
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
    pages: VecDeque<Page>,
    followers: Vec<Weak<Wake>>,
}

/// Events that follow each other, as one frame.
#[derive(Clone, Debug)]
pub struct Page {
    after: u64,
    /// The number of the last one.
    pub last: u64,
    /// Their documents, joined by line feeds. All who write it share it.
    pub text: Utf8Bytes,
}

/// What a cursor finds.
#[derive(Debug)]
pub enum Next {
    /// It is at the head.
    AtHead,
    /// The events after it.
    Page(Page),
    /// They are only in the log, which was not to be read.
    InLog,
    /// They have been forgotten.
    Gone,
}

/// How much a cursor wants at once.
#[derive(Clone, Copy, Debug)]
pub struct Want {
    /// A single event, or as many as a page holds.
    pub single: bool,
    /// None beyond this number.
    pub until: u64,
}

impl Want {
    const fn is_shared(self) -> bool {
        !self.single && self.until == u64::MAX
    }
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
            older: Mutex::default(),
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
        let pages = VecDeque::new();
        let tail = Tail { head: head.clone(), owner, events, bytes: 0, pages, followers };
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

    /// Wakes `follower` at every new head of an existing campaign, for as long as it lives; asked once.
    /// Blocks the first time.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub fn follow(&self, campaign: &CampaignId, follower: &Arc<Wake>) -> Result<(), LogError> {
        self.head(campaign)?;
        if let Some(tail) = self.tails().get_mut(campaign) {
            tail.followers.push(Arc::downgrade(follower));
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

    /// What comes after number `after`. Blocks only where the log may be read.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub fn next(
        &self,
        campaign: &CampaignId,
        after: u64,
        want: Want,
        may_read: bool,
    ) -> Result<Next, LogError> {
        if let Some(next) = self.tails().get_mut(campaign).and_then(|tail| tail.next(after, want)) {
            return Ok(next);
        }
        if !may_read {
            return Ok(Next::InLog);
        }
        // Who reads keeps out the others: they want the same, mostly.
        let mut older = self.older.lock().unwrap_or_else(PoisonError::into_inner);
        let reaches = self.known_head(campaign).is_none_or(|head| head.oldest <= after + 1);
        let same = |(of, page): &&(CampaignId, Page)| of == campaign && page.after == after;
        if want.is_shared()
            && reaches
            && let Some((_, page)) = older.iter().find(same)
        {
            return Ok(Next::Page(page.clone()));
        }
        let bytes = if want.single { 1 } else { PAGE_BYTES };
        let events = self.log.read(campaign, after, bytes)?;
        let Some(page) = Page::of(after, &events, want) else { return Ok(Next::Gone) };
        if want.is_shared() {
            older.truncate(OLDER_PAGES - 1);
            older.push_front((campaign.clone(), page.clone()));
        }
        Ok(Next::Page(page))
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
            tail.pages.clear();
            tail.bytes = tail.events.iter().map(|event| event.document.len()).sum();
            tail.head = head;
        }
        Ok(())
    }

    fn tails(&self) -> MutexGuard<'_, HashMap<CampaignId, Tail>> {
        self.tails.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Page {
    /// As many events as are wanted, if they follow.
    fn of<'e>(after: u64, events: impl IntoIterator<Item = &'e Event>, want: Want) -> Option<Self> {
        let (mut text, mut last) = (String::new(), after);
        for event in events {
            let size = text.len() + event.document.len();
            let is_full = last > after && (want.single || size >= PAGE_BYTES);
            if event.number != last + 1 || event.number > want.until || is_full {
                break;
            }
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&event.document);
            last = event.number;
        }
        (last > after).then(|| Self { after, last, text: text.into() })
    }
}

impl Tail {
    /// What comes after a number; none if that is not in memory.
    fn next(&mut self, after: u64, want: Want) -> Option<Next> {
        if after >= self.head.number {
            return Some(Next::AtHead);
        }
        let first = self.events.front()?.number;
        if after + 1 < first {
            return None;
        }
        // A page that was cut short by the head of its time would make more frames than needed.
        let is_whole = |page: &&Page| {
            page.after == after
                && (page.last == self.head.number || page.text.len() > PAGE_BYTES / 2)
        };
        if want.is_shared()
            && let Some(page) = self.pages.iter().find(is_whole)
        {
            return Some(Next::Page(page.clone()));
        }
        let page = Page::of(after, self.events.iter().skip((after + 1 - first) as usize), want)?;
        if want.is_shared() {
            self.pages.truncate(RECENT_PAGES - 1);
            self.pages.push_front(page.clone());
        }
        Some(Next::Page(page))
    }

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
