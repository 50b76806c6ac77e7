//! The state that the feed shares with the callers that wait for it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use campaign_sync::protocol::CampaignId;

use super::super::sqlite::SqliteLog;
use super::super::{Appended, LogError, Observer, Result};
use crate::lock::lock;

/// The outcome of a publication.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// These events were appended.
    Appended(Box<Appended>),
    /// The refusal is recorded, or another entry has its key.
    RefusalRecorded,
    /// The image is in the stream from message `first` on. `is_head` means that nothing was appended between
    /// the creation of the image and its place in the stream.
    Image { first: u64, is_head: bool },
}

/// The copy, and its position in the stream.
pub(super) struct Shared {
    copy: SqliteLog,
    seen: Mutex<Seen>,
    moved: Condvar,
    observer: OnceLock<Observer>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("copy", &self.copy).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Seen {
    /// The last message of the stream that is folded into the copy, with all before it.
    sequence: u64,
    /// The last message of each known subject.
    last: HashMap<CampaignId, u64>,
    /// The publications of this server that are in flight.
    awaited: HashMap<String, Option<Outcome>>,
    /// The reason for which the feed has ended, if it has.
    failed: Option<String>,
}

impl Shared {
    pub(super) fn new(copy: SqliteLog, sequence: u64) -> Self {
        let seen = Mutex::new(Seen { sequence, ..Seen::default() });
        Self { copy, seen, moved: Condvar::new(), observer: OnceLock::new() }
    }

    pub(super) const fn copy(&self) -> &SqliteLog {
        &self.copy
    }

    /// Sets the observer of appends; `false` if there already is one.
    pub(super) fn set_listener(&self, observer: Observer) -> bool {
        self.observer.set(observer).is_ok()
    }

    pub(super) fn notify(&self, campaign: &CampaignId, appended: &Appended) {
        if let Some(observer) = self.observer.get() {
            observer(campaign, appended);
        }
    }

    /// The position of the copy in the stream.
    pub(super) fn sequence(&self) -> u64 {
        lock(&self.seen).sequence
    }

    /// The last folded message of the campaign's subject; `None` if it is unknown.
    pub(super) fn last_of(&self, campaign: &CampaignId) -> Option<u64> {
        lock(&self.seen).last.get(campaign).copied()
    }

    /// Notes the last message of the subject.
    pub(super) fn note_last(&self, campaign: &CampaignId, sequence: u64) {
        let mut seen = lock(&self.seen);
        let last = seen.last.entry(campaign.clone()).or_default();
        *last = (*last).max(sequence);
    }

    /// Records that a message is folded in, with the outcome of the publication `id`.
    pub(super) fn folded(
        &self,
        campaign: Option<&CampaignId>,
        sequence: u64,
        outcome: Option<(&str, Outcome)>,
    ) {
        let mut seen = lock(&self.seen);
        seen.sequence = seen.sequence.max(sequence);
        if let Some(campaign) = campaign {
            seen.last.insert(campaign.clone(), sequence);
        }
        if let Some((id, outcome)) = outcome
            && let Some(awaited) = seen.awaited.get_mut(id)
        {
            *awaited = Some(outcome);
        }
        drop(seen);
        self.moved.notify_all();
    }

    /// Records that the feed has ended permanently.
    pub(super) fn fail(&self, reason: String) {
        lock(&self.seen).failed.get_or_insert(reason);
        self.moved.notify_all();
    }

    /// The reason for which the feed has ended, if it has.
    pub(super) fn failure(&self) -> Option<String> {
        lock(&self.seen).failed.clone()
    }

    /// Waits until the message is folded in.
    ///
    /// # Errors
    /// [`LogError::Storage`] if it is not folded in until `until`.
    pub(super) fn wait(&self, sequence: u64, until: Instant) -> Result<()> {
        let mut seen = lock(&self.seen);
        loop {
            if let Some(reason) = &seen.failed {
                return Err(LogError::Storage(reason.clone()));
            }
            if seen.sequence >= sequence {
                return Ok(());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(LogError::Storage("timed out waiting for the stream".into()));
            }
            let woken = self.moved.wait_timeout(seen, left);
            (seen, _) = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until the message is folded in, as long as the copy makes progress.
    ///
    /// # Errors
    /// [`LogError::Storage`] if there was no progress for `patience`.
    pub(super) fn wait_while_it_moves(&self, sequence: u64, time_limit: Duration) -> Result<()> {
        loop {
            let before = self.sequence();
            match self.wait(sequence, Instant::now() + time_limit) {
                Err(_) if self.sequence() > before => {}
                done => return done,
            }
        }
    }

    /// Keeps the outcome of the publication `id` from now on.
    pub(super) fn expect(&self, id: &str) -> Awaited<'_> {
        lock(&self.seen).awaited.insert(id.to_owned(), None);
        Awaited { shared: self, id: id.to_owned() }
    }
}

/// A publication in flight.
#[derive(Debug)]
pub(super) struct Awaited<'s> {
    shared: &'s Shared,
    id: String,
}

impl Awaited<'_> {
    /// The outcome, if it is folded in.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        lock(&self.shared.seen).awaited.get(&self.id).cloned().flatten()
    }
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        lock(&self.shared.seen).awaited.remove(&self.id);
    }
}
