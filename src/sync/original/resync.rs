//! Fetches that make good what this dialect cannot prove: when one is wished for, what is kept while it
//! lasts, and how its answer is joined to that.

use super::super::backoff::full_jitter_ms;
use super::super::context::Context;
use super::super::recovery::Recovery;
use super::super::subscription::{Fate, Subscription};
use super::super::{Config, Timestamp};
use crate::protocol::original;
use crate::protocol::snapshot::RestSnapshot;
use crate::protocol::{Code, EventHash};

/// What only this dialect needs to remember of a campaign.
#[derive(Clone, Debug, Default)]
pub struct Resync {
    state: State,
    /// Documents that arrived while a snapshot was fetched: it may be older than they are.
    buffered: Vec<String>,
    buffered_bytes: usize,
    /// Fetches in a row that failed, or came too late for what was kept.
    attempts: u32,
    /// Fetches that were wished for soon after an answer, and when the last answer came.
    wishes: u32,
    answered: Option<Timestamp>,
    /// The state holds what no position covers.
    unplaced: bool,
    /// A phase that nobody announced has been told of, and not been explained yet.
    noticed: bool,
    /// Content hashes of the last sequenced events, as a ring.
    hashes: Vec<EventHash>,
    oldest_hash: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Nothing is known to be missing.
    #[default]
    Idle,
    /// A snapshot has been asked for. Whether something was missed since, so that its answer may
    /// be too old and another is needed; and whether more arrived since than is kept.
    Fetching { again: bool, overflowed: bool },
    /// The last fetch failed, or came too late for what was kept; another is due.
    Waiting(Timestamp),
}

impl Resync {
    /// Whether a snapshot is wanted.
    pub fn is_idle(&self) -> bool {
        self.state == State::Idle
    }

    /// Whether a snapshot has been asked for.
    pub(super) const fn is_fetching(&self) -> bool {
        matches!(self.state, State::Fetching { .. })
    }

    /// Whether the state holds what no position covers: nothing in a log joins it.
    pub const fn is_unplaced(&self) -> bool {
        self.unplaced
    }

    /// The state is none that a position covers.
    pub(super) const fn note_unplaced(&mut self) {
        self.unplaced = true;
    }

    /// A phase was announced: the next one that is not is told of again.
    pub(super) const fn note_transition(&mut self) {
        self.noticed = false;
    }

    /// A phase that nobody announced; `false` if one has been told of already.
    pub(super) const fn notices(&mut self) -> bool {
        !core::mem::replace(&mut self.noticed, true)
    }

    /// The state is that of its position again.
    pub(in crate::sync) const fn note_placed(&mut self) {
        self.unplaced = false;
    }

    /// v1 is spoken, which recovers by number: nothing is fetched or kept any more.
    pub(in crate::sync) fn stop(&mut self) {
        *self = Self { unplaced: self.unplaced, ..Self::default() };
    }

    /// When the next fetch is due.
    pub const fn deadline(&self) -> Option<Timestamp> {
        match self.state {
            State::Waiting(at) => Some(at),
            State::Idle | State::Fetching { .. } => None,
        }
    }

    /// Keeps a document for after the snapshot. Beyond the bounds all are dropped: what they changed
    /// may be undone by the snapshot, so another one is needed after it.
    pub(super) fn buffer(&mut self, config: &Config, document: &str) -> bool {
        self.buffered_bytes += document.len();
        let full = self.buffered.len() >= config.held_events_max
            || self.buffered_bytes > config.held_bytes_max;
        if full {
            self.forget_buffered();
            if let State::Fetching { overflowed, .. } = &mut self.state {
                *overflowed = true;
            }
        } else {
            self.buffered.push(document.to_owned());
        }
        !full
    }

    fn forget_buffered(&mut self) {
        self.buffered.clear();
        self.buffered_bytes = 0;
    }

    /// Notes a content hash; `false` if it was noted before.
    pub(super) fn note_hash(&mut self, config: &Config, hash: EventHash) -> bool {
        if self.hashes.contains(&hash) {
            return false;
        }
        if self.hashes.len() < config.dedupe_window {
            self.hashes.push(hash);
        } else if let Some(oldest) = self.hashes.get_mut(self.oldest_hash) {
            *oldest = hash;
            self.oldest_hash = (self.oldest_hash + 1) % self.hashes.len();
        }
        true
    }
}

impl Subscription {
    /// Something may have been missed. If another fetch is due anyway, that one will do. When answers
    /// do not help, because they lag or always differ, the next one is asked for later and later.
    pub(super) fn wish_resync(&mut self, cx: &mut Context) {
        let resync = &mut self.resync;
        let lately = |at: Timestamp| cx.now.at.since(at) <= cx.config.backoff_max_ms;
        match resync.state {
            State::Waiting(_) => return,
            State::Idle if resync.answered.is_some_and(lately) => {
                resync.wishes = resync.wishes.saturating_add(1);
                if let Some(wishes) = resync.wishes.checked_sub(2)
                    && !planted!(FetchesUnpaused)
                {
                    return self.fetch_after(cx, wishes);
                }
            }
            State::Idle => resync.wishes = 0,
            State::Fetching { .. } => {}
        }
        self.begin_resync(cx);
    }

    /// Another socket is open. What the one before told is not newer than what is fetched from now on.
    /// And what v1 was asked for it cannot answer; a snapshot that was wanted is still needed there.
    pub(in crate::sync) fn on_open_original(&mut self, cx: &mut Context) {
        if self.recovery.want().is_some_and(|want| want.snapshot) {
            self.resync.note_unplaced();
        }
        self.recovery = Recovery::Settled;
        self.resync.forget_buffered();
        self.begin_resync(cx);
    }

    /// After every connect, when it is due, and when somebody asks.
    pub(in crate::sync) fn begin_resync(&mut self, cx: &mut Context) {
        if !cx.config.has_fetch_snapshot {
            return;
        }
        if let State::Fetching { again, .. } = &mut self.resync.state {
            *again = true;
            return;
        }
        self.resync.state = State::Fetching { again: false, overflowed: false };
        cx.wish_fetch(self.id.clone());
    }

    /// A fetched snapshot without a position: taken in, and what arrived meanwhile applied again.
    ///
    /// # Errors
    /// [`Code::InvalidContent`] where it cannot be applied; nothing has changed then.
    pub(in crate::sync) fn resynchronise(
        &mut self,
        cx: &mut Context,
        snapshot: &RestSnapshot<'_>,
    ) -> Result<(), Code> {
        let phase = self.store.resynchronise(snapshot)?;
        self.resync.unplaced = true;
        self.polled = cx.socket.is_none();
        cx.metrics.snapshots += 1;
        cx.mark_changed(&self.id);
        self.invalidate(cx, "snapshot");
        if let Some(phase) = phase {
            self.announce_phase(cx, phase, "snapshot", "");
        }
        self.end_resync(cx);
        Ok(())
    }

    /// Applies again what arrived while a snapshot was fetched.
    pub(in crate::sync) fn end_resync(&mut self, cx: &mut Context) {
        let fetched = core::mem::take(&mut self.resync.state);
        self.resync.noticed = false;
        self.resync.answered = Some(cx.now.at);
        let buffered = core::mem::take(&mut self.resync.buffered);
        for text in &buffered {
            if self.fate == Fate::Open
                && let Ok(document) = original::decode(text)
            {
                let _counted = self.apply_original(cx, &document);
            }
        }
        match fetched {
            // It takes longer than what arrives meanwhile can be kept: later, and later again.
            State::Fetching { overflowed: true, .. } => {
                self.resync.buffered_bytes = 0;
                cx.withdraw_fetch(&self.id);
                self.fetch_later(cx);
            }
            State::Fetching { again: true, .. } => {
                // The answer may have been too old: what arrived is kept for the next one as well.
                self.resync.attempts = 0;
                self.resync.buffered = buffered;
                self.wish_resync(cx);
                if self.resync.deadline().is_some() {
                    self.resync.forget_buffered();
                }
            }
            State::Fetching { .. } | State::Idle => {
                self.resync.attempts = 0;
                self.resync.buffered_bytes = 0;
            }
            // A fetch of a round of polling, during which nothing was kept: the one that is due remains.
            State::Waiting(at) => self.resync.state = State::Waiting(at),
        }
        // However often what was kept asks, it is for one more: else it would ask for ever.
        if let State::Fetching { again, .. } = &mut self.resync.state {
            *again = false;
        }
    }

    /// It failed, or its answer does not count. What is gone is not fetched again.
    pub(in crate::sync) fn on_fetch_failed(&mut self, cx: &mut Context) {
        if self.fate == Fate::Open && self.resync.is_fetching() {
            self.resync.forget_buffered();
            self.fetch_later(cx);
        }
    }

    fn fetch_later(&mut self, cx: &mut Context) {
        let attempts = self.resync.attempts;
        self.resync.attempts = attempts.saturating_add(1);
        self.fetch_after(cx, attempts);
    }

    fn fetch_after(&mut self, cx: &mut Context, attempts: u32) {
        let (base, max) = (cx.config.backoff_base_ms, cx.config.backoff_max_ms);
        let delay = full_jitter_ms(&mut cx.rng, base, max, attempts);
        self.resync.state = State::Waiting(cx.now.at + delay);
    }

    /// Fetches again when that is due.
    pub(in crate::sync) fn on_resync_time(&mut self, cx: &mut Context) {
        if self.resync.deadline().is_some_and(|at| at <= cx.now.at) {
            self.begin_resync(cx);
        }
    }
}
