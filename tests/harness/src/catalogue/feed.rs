//! The list of one user, and its changes in numbered steps.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use campaign_sync::protocol::CampaignId;
use campaign_sync::protocol::limits::CATALOGUE_CAMPAIGNS_MAX;
use tokio::sync::Notify;

use super::parts::Parts;
use crate::capacity::{Budget, Charge};
use crate::clock::Moment;
use crate::followers::Followers;
use crate::lock::{lock, try_lock};

/// The least time between two changes, in milliseconds, so that a campaign is sent once a second at most.
const STEP_MS: u64 = 1_000;

/// The most campaigns that left and are remembered. Readers that are further behind get a snapshot.
const REMOVED_MAX: usize = 10_000;

/// The last numbers whose time is known. Each removal gets a number, other changes one per second.
const COMMITTED_MAX: usize = 1_024;

/// The changes whose texts are kept, for other readers that need the same.
const TEXTS_MAX: usize = 4;

/// The epoch and the number of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The epoch of the feed.
    pub epoch: String,
    /// The number.
    pub number: u64,
}

/// A change of a campaign, at a number of its log.
#[derive(Clone, Debug)]
pub(super) enum Pending {
    Changed(u64, Arc<str>),
    Deleted(u64),
    /// Another user owns the campaign.
    Revoked(u64),
}

impl Pending {
    const fn is_leaving(&self) -> bool {
        matches!(self, Self::Deleted(_) | Self::Revoked(_))
    }

    const fn number(&self) -> u64 {
        match self {
            Self::Changed(number, _) | Self::Deleted(number) | Self::Revoked(number) => *number,
        }
    }
}

#[derive(Clone, Debug)]
struct Entry {
    /// The number in the campaign's log.
    number: u64,
    summary: Arc<str>,
    /// The number of the feed at which the entry changed last.
    changed: u64,
}

/// The list of one user.
#[derive(Debug)]
pub struct Feed {
    epoch: String,
    used_ms: AtomicU64,
    loading: Mutex<()>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    is_loaded: bool,
    number: u64,
    /// The last number at which a campaign entered the list or changed.
    changed: u64,
    stepped_ms: Option<u64>,
    entries: BTreeMap<CampaignId, Entry>,
    /// The campaigns that left, with the number of the feed at which they did.
    removed: BTreeMap<CampaignId, u64>,
    /// Readers before this number get a snapshot.
    floor: u64,
    /// Changes that have no number yet, and when they were committed at the earliest; `None` until a socket looks.
    pending: BTreeMap<CampaignId, (Pending, Option<u64>)>,
    /// When a socket looked last. Changes that it did not see are later.
    looked_ms: u64,
    /// When the oldest change of each of the last numbers was committed.
    committed: VecDeque<(u64, u64)>,
    /// The number of campaigns that were given to another user.
    revocations: u64,
    texts: Vec<Arc<Parts>>,
    followers: Followers,
    bytes: u64,
    /// The memory of the list.
    charge: Charge,
}

/// The list as it is read from the log. Other sockets wait meanwhile.
#[derive(Debug)]
pub(super) struct Loading<'f> {
    entries: BTreeMap<CampaignId, Entry>,
    _guard: MutexGuard<'f, ()>,
}

impl Loading<'_> {
    pub(super) fn add(&mut self, id: CampaignId, number: u64, summary: Arc<str>) {
        self.entries.insert(id, Entry { number, summary, changed: 1 });
    }

    pub(super) fn is_too_long(&self) -> bool {
        self.entries.len() > CATALOGUE_CAMPAIGNS_MAX
    }
}

impl Feed {
    pub(super) fn new(epoch: String, charge: Charge) -> Self {
        let state = State {
            is_loaded: false,
            number: 0,
            changed: 0,
            stepped_ms: None,
            entries: BTreeMap::new(),
            removed: BTreeMap::new(),
            floor: 0,
            pending: BTreeMap::new(),
            looked_ms: 0,
            committed: VecDeque::new(),
            revocations: 0,
            texts: Vec::new(),
            followers: Followers::default(),
            bytes: 0,
            charge,
        };
        Self {
            epoch,
            used_ms: AtomicU64::new(0),
            loading: Mutex::default(),
            state: Mutex::new(state),
        }
    }

    pub(super) fn touch(&self, now_ms: u64) {
        self.used_ms.fetch_max(now_ms, Ordering::Relaxed);
    }

    pub(super) fn used_ms(&self) -> u64 {
        self.used_ms.load(Ordering::Relaxed)
    }

    pub(super) fn is_loaded(&self) -> bool {
        self.state().is_loaded
    }

    pub(super) fn begin_loading(&self) -> Option<Loading<'_>> {
        let guard = try_lock(&self.loading)?;
        Some(Loading { entries: BTreeMap::new(), _guard: guard })
    }

    pub(super) fn finish_loading(&self, loading: Loading<'_>) {
        let mut state = self.state();
        state.entries = loading.entries;
        (state.is_loaded, state.number) = (true, 1);
        state.floor = 1;
        state.bytes = state.entries.values().map(|it| entry_bytes(&it.summary)).sum();
        let bytes = state.bytes;
        state.charge.adjust(bytes);
    }

    /// Records what happened to a campaign, and wakes the sockets.
    pub(super) fn note(&self, campaign: &CampaignId, change: Pending) {
        let mut state = self.state();
        let was_empty = state.pending.is_empty();
        let is_revoked = matches!(change, Pending::Revoked(_));
        state.revocations += u64::from(is_revoked);
        // The age of a change is that of the oldest state that was not sent.
        let since = state.pending.get(campaign).and_then(|(_, since)| *since);
        state.pending.insert(campaign.clone(), (change, since));
        if was_empty || is_revoked {
            state.followers.prune();
            state.followers.wake();
        }
    }

    /// Wakes `follower` at changes.
    pub(crate) fn follow(&self, follower: &Arc<Notify>) {
        self.state().followers.add(follower);
    }

    /// Stops waking `follower`.
    pub(crate) fn unfollow(&self, follower: &Arc<Notify>, now_ms: u64) {
        self.touch(now_ms);
        self.state().followers.remove(follower);
    }

    /// Gives the pending changes a number if it is time: at once to campaigns that left.
    pub(crate) fn step(&self, now: Moment) {
        let mut state = self.state();
        let is_whole = state.stepped_ms.is_none_or(|at| now.monotonic_ms >= at + STEP_MS);
        state.step(now.monotonic_ms, is_whole);
    }

    /// Gives a number to the campaigns that left, because the others wait for their time.
    pub(crate) fn step_leaving(&self, now: Moment) {
        self.state().step(now.monotonic_ms, false);
    }

    /// Gives all pending changes a number, because an answer describes the list after its request.
    pub(crate) fn step_at_once(&self, now: Moment) {
        self.state().step(now.monotonic_ms, true);
    }

    /// The present number.
    pub(crate) fn number(&self) -> u64 {
        self.state().number
    }

    /// When a reader at number `written` can be written a change, if one is pending. A change that has
    /// campaigns, and not only ids of those that left, is not due before `again_ms`.
    pub(crate) fn due_ms(&self, written: u64, again_ms: u64) -> Option<u64> {
        let state = self.state();
        let numbered_ms = if state.changed > written { again_ms } else { 0 };
        let numbered = (state.number > written).then_some(numbered_ms);
        let leaving = state.has_leaving().then_some(numbered_ms);
        let step_ms = state.stepped_ms.map_or(0, |at| at + STEP_MS);
        let pending = (!state.pending.is_empty()).then(|| step_ms.max(again_ms));
        [numbered, leaving, pending].into_iter().flatten().min()
    }

    /// The number of campaigns that were given to another user so far.
    pub(crate) fn revocations(&self) -> u64 {
        self.state().revocations
    }

    /// The age of the oldest change that a reader at number `written` has not got, in milliseconds.
    pub(crate) fn lag_ms(&self, now_ms: u64, written: u64) -> u64 {
        let mut state = self.state();
        state.look(now_ms);
        let pending = state.pending.values().filter_map(|(_, since)| *since).min();
        let oldest = pending.into_iter().chain(state.since(written)).min();
        oldest.map_or(0, |since_ms| now_ms.saturating_sub(since_ms))
    }

    /// The epoch of the feed.
    pub(crate) fn epoch(&self) -> &str {
        &self.epoch
    }

    /// The parts that lead from this position to the present list: a change if the feed remembers what
    /// happened since then, otherwise a snapshot. Counts the texts in `budget`.
    pub(crate) fn parts(&self, from: Option<&Position>, budget: &Arc<Budget>) -> Arc<Parts> {
        let mut state = self.state();
        let known = from.filter(|it| it.epoch == self.epoch).map(|it| it.number);
        let base = known.filter(|it| (state.floor..=state.number).contains(it));
        let number = state.number;
        let same = |it: &&Arc<Parts>| it.base() == base && it.number == number;
        if let Some(same) = state.texts.iter().find(same) {
            return same.clone();
        }
        let since = base.unwrap_or_default();
        let changed = state.entries.values().filter(|it| it.changed > since);
        let changed: Vec<Arc<str>> = changed.map(|it| it.summary.clone()).collect();
        let left = state.removed.iter().filter(|(_, at)| base.is_some() && **at > since);
        let left: Vec<CampaignId> = left.map(|(id, _)| id.clone()).collect();
        let total = state.entries.len() as u64;
        let parts =
            Arc::new(Parts::cut(&self.epoch, (base, number, total), &changed, &left, budget));
        state.texts.truncate(TEXTS_MAX - 1);
        state.texts.insert(0, parts.clone());
        parts
    }

    /// Drops the kept texts, because memory is short.
    pub(crate) fn drop_texts(&self) {
        self.state().texts.retain(|it| Arc::strong_count(it) > 1);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// The memory of a summary in the list.
const fn entry_bytes(summary: &str) -> u64 {
    summary.len() as u64 + 160
}

impl State {
    /// Whether a campaign has left and the change has no number yet.
    fn has_leaving(&self) -> bool {
        self.pending.values().any(|(change, _)| change.is_leaving())
    }

    /// When the oldest change after this number was committed, or an earlier time if that is forgotten.
    fn since(&self, number: u64) -> Option<u64> {
        self.committed.iter().filter(|(at, _)| *at > number).map(|(_, since)| *since).min()
    }

    /// Dates the changes that no socket has seen yet: they are later than the last look. That may be too early
    /// a date, but never too late a one, and the log needs no clock.
    fn look(&mut self, now_ms: u64) {
        for (_, since) in self.pending.values_mut() {
            since.get_or_insert(self.looked_ms);
        }
        self.looked_ms = self.looked_ms.max(now_ms);
    }

    /// Gives a number to all pending changes, or to the campaigns that left.
    fn step(&mut self, now_ms: u64, is_whole: bool) {
        self.look(now_ms);
        if !self.is_loaded {
            return;
        }
        let number = self.number + 1;
        let (due, later) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition(|(_, (change, _))| is_whole || change.is_leaving());
        self.pending = later;
        let due: BTreeMap<CampaignId, (Pending, Option<u64>)> = due;
        if due.is_empty() {
            return;
        }
        let mut is_changed = false;
        let oldest = due.values().filter_map(|(_, since)| *since).min();
        for (id, (change, _)) in due {
            is_changed |= self.apply(id, change, number);
        }
        if is_whole {
            self.stepped_ms = Some(now_ms);
        }
        if is_changed {
            self.number = number;
            self.committed.extend(oldest.map(|since| (number, since)));
            if self.committed.len() > COMMITTED_MAX
                && let Some((_, since)) = self.committed.pop_front()
                && let Some(oldest) = self.committed.front_mut()
            {
                oldest.1 = since;
            }
            self.texts.clear();
            if self.removed.len() > REMOVED_MAX {
                self.removed.clear();
                self.floor = number;
            }
            let bytes = self.bytes;
            self.charge.adjust(bytes);
        }
    }

    /// Applies a change at this number of the feed. Returns whether the list changed.
    fn apply(&mut self, id: CampaignId, change: Pending, number: u64) -> bool {
        let old = self.entries.get(&id);
        // The list was read after the change.
        if old.is_some_and(|old| old.number >= change.number()) {
            return false;
        }
        let old_bytes = old.map(|old| entry_bytes(&old.summary));
        self.bytes -= old_bytes.unwrap_or_default();
        match change {
            Pending::Changed(at, summary) => {
                self.bytes += entry_bytes(&summary);
                self.removed.remove(&id);
                self.changed = number;
                self.entries.insert(id, Entry { number: at, summary, changed: number });
                true
            }
            Pending::Deleted(_) | Pending::Revoked(_) => {
                let was_listed = self.entries.remove(&id).is_some();
                if was_listed {
                    self.removed.insert(id, number);
                }
                was_listed
            }
        }
    }
}
