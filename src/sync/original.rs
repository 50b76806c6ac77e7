//! The machine facing a server of the original dialect: filter, apply, and resynchronise whenever
//! something may have been missed, because nothing on this wire could prove that it was not.

use super::backoff::full_jitter_ms;
use super::connection::{Connection, Dialect};
use super::context::Context;
use super::log::{Facts, Level};
use super::machine::Machine;
use super::notice::Notice;
use super::outcome::Verdict;
use super::session::close;
use super::subscription::{Fate, Subscription};
use super::{Config, Timestamp};
use crate::protocol::limits::PROTOCOL_V1;
pub(super) use crate::protocol::original::snapshot::read as read_fetched;
use crate::protocol::original::{self, Document, Message};
use crate::protocol::snapshot::RestSnapshot;
use crate::protocol::{CampaignId, Code, EventHash};
use crate::store::Claim;
use crate::store::original::OriginalChange;

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

    /// Whether the state holds what no position covers: nothing in a log joins it.
    pub const fn is_unplaced(&self) -> bool {
        self.unplaced
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
    fn buffer(&mut self, config: &Config, document: &str) -> bool {
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
    fn note_hash(&mut self, config: &Config, hash: EventHash) -> bool {
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

impl Machine {
    /// The server has acknowledged, and does not speak v1. One that names a protocol of this family
    /// is no server of the original dialect either.
    pub(super) fn on_ack_without_v1(&mut self, protocol: Option<&str>) {
        if protocol.is_some_and(|it| it.starts_with("campaign-sync.")) {
            if matches!(self.connection, Connection::Negotiating { .. }) {
                self.give_up(Code::UnsupportedDialect);
            }
            return;
        }
        self.settle_dialect(Dialect::Original);
    }

    /// The server has said nothing for as long as a server of v1 may take to acknowledge.
    pub(super) fn on_negotiation_timeout(&mut self) {
        if self.cx.sealing.is_on() {
            return self.drop_socket(close::NORMAL);
        }
        self.settle_dialect(Dialect::Original);
    }

    /// Anything but an acknowledgement of v1 comes from a server of the original dialect.
    pub(super) fn on_first_word_of_original(&mut self, document: &str) -> Verdict {
        if self.cx.sealing.is_on() {
            return self.refuse(Code::InvalidMessage, None);
        }
        self.settle_dialect(Dialect::Original);
        self.on_original_document(document)
    }

    /// One document of the original dialect.
    pub(super) fn on_original_document(&mut self, text: &str) -> Verdict {
        let document = match original::decode(text) {
            Ok(document) => document,
            Err(Code::HashMismatch) => {
                self.cx.metrics.corrupt += 1;
                return Verdict::Corrupt;
            }
            Err(code) => return self.refuse(code, None),
        };
        match &document.message {
            Message::Ack { protocol: Some(protocol) } if protocol == PROTOCOL_V1 => {
                // It was only slow. Nobody else says this, so it is believed at any time.
                self.settle_dialect(Dialect::V1);
                return Verdict::Control;
            }
            Message::Pong | Message::Ack { .. } => return Verdict::Control,
            Message::SessionExpired => {
                self.on_session_expired();
                return Verdict::Control;
            }
            Message::Unknown => {
                self.cx.metrics.unknown_types += 1;
                return Verdict::Ignored;
            }
            Message::Ignored => return Verdict::Ignored,
            Message::SubscriptionConfirmed
            | Message::Event(_)
            | Message::Progress(_)
            | Message::LegacyTransition(_)
            | Message::PhaseComplete(_)
            | Message::CampaignComplete(_)
            | Message::StateSync(_)
            | Message::Error { .. } => {}
        }
        let Some(campaign_id) = document.campaign_id.as_deref() else { return Verdict::Ignored };
        self.with(campaign_id, |subscription, cx| subscription.on_original(cx, text, &document))
    }

    /// Starts the fetches that campaigns wish for.
    pub(super) fn start_wished_fetches(&mut self) {
        for campaign_id in self.cx.take_fetch_wishes() {
            if !self.is_fetching(&campaign_id) {
                self.fetch(campaign_id);
            } else if let Some(subscription) = self.subscriptions.get_mut(campaign_id.as_str()) {
                // That one began before something was missed.
                subscription.begin_resync(&mut self.cx);
            }
        }
    }

    /// Facing a server of this dialect, what arrives during a refresh is kept as well. Tells whether
    /// it is one.
    pub(super) fn resyncs(&mut self, campaign_id: &CampaignId) -> bool {
        let is_original =
            matches!(self.connection, Connection::Open { dialect: Dialect::Original, .. });
        if is_original && let Some(it) = self.subscriptions.get_mut(campaign_id.as_str()) {
            it.begin_resync(&mut self.cx);
        }
        is_original
    }

    /// A fetch failed: campaigns of this dialect try again, later and later.
    pub(super) fn on_fetch_failed(&mut self, campaign_id: &CampaignId) {
        if let Some(subscription) = self.subscriptions.get_mut(campaign_id.as_str()) {
            subscription.on_fetch_failed(&mut self.cx);
        }
    }
}

impl Subscription {
    /// Something may have been missed. If another fetch is due anyway, that one will do. When answers
    /// do not help, because they lag or always differ, the next one is asked for later and later.
    fn wish_resync(&mut self, cx: &mut Context) {
        let resync = &mut self.resync;
        let lately = |at: Timestamp| cx.now.at.since(at) <= cx.config.backoff_max_ms;
        match resync.state {
            State::Waiting(_) => return,
            State::Idle if resync.answered.is_some_and(lately) => {
                resync.wishes = resync.wishes.saturating_add(1);
                if let Some(wishes) = resync.wishes.checked_sub(2) {
                    return self.fetch_after(cx, wishes);
                }
            }
            State::Idle => resync.wishes = 0,
            State::Fetching { .. } => {}
        }
        self.begin_resync(cx);
    }

    /// Another socket is open. What the one before told is not newer than what is fetched from now on.
    pub(super) fn on_open_original(&mut self, cx: &mut Context) {
        self.resync.forget_buffered();
        self.begin_resync(cx);
    }

    /// After every connect, when it is due, and when somebody asks.
    pub(super) fn begin_resync(&mut self, cx: &mut Context) {
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

    fn on_original(&mut self, cx: &mut Context, text: &str, document: &Document<'_>) -> Verdict {
        if let Some(hash) = document.content_hash {
            if !document.hash_matches {
                cx.metrics.corrupt += 1;
                let number = document.sequence.as_ref().map_or(0, |it| it.number.get());
                let campaign_id = self.id.clone();
                cx.notify(Notice::Corrupt { campaign_id, sequence_number: number });
                self.wish_resync(cx);
                return Verdict::Corrupt;
            }
            if !self.resync.note_hash(&cx.config, hash) {
                cx.metrics.duplicates += 1;
                return Verdict::Duplicate;
            }
        }
        let fetching = matches!(self.resync.state, State::Fetching { .. });
        if fetching && !self.resync.buffer(&cx.config, text) {
            cx.metrics.held_overflows += 1;
        }
        let verdict = self.apply_original(cx, document);
        if !fetching && matches!(self.resync.state, State::Fetching { .. }) {
            // What it asks for may be older than itself.
            let _first = self.resync.buffer(&cx.config, text);
        }
        verdict
    }

    fn apply_original(&mut self, cx: &mut Context, document: &Document<'_>) -> Verdict {
        match self.store.apply_original(&document.message, document.timestamp) {
            Ok(done) => {
                self.resync.unplaced = true;
                cx.metrics.applied += 1;
                cx.mark_changed(&self.id);
                self.announce_original(cx, done, document.timestamp);
                Verdict::Applied
            }
            Err(code) => {
                cx.metrics.refused.count(code);
                cx.notify(Notice::Rejected { code, campaign_id: Some(self.id.clone()) });
                self.wish_resync(cx);
                Verdict::Refused(code)
            }
        }
    }

    fn announce_original(&mut self, cx: &mut Context, done: OriginalChange, timestamp: &str) {
        if let Some(transition) = &done.transition {
            self.announce_transition(cx, transition, &done.change, timestamp);
        }
        if let Some((level, message)) = done.change.notification {
            cx.notify(Notice::Notification { campaign_id: self.id.clone(), level, message });
        }
        if let Some(claim) = done.change.claim {
            self.compare_original(cx, claim);
        }
        if done.change.transition {
            self.resync.noticed = false;
        }
        if done.unannounced && !self.resync.noticed {
            self.resync.noticed = true;
            self.on_unannounced_phase(cx);
        }
        if done.change.ended {
            self.end(cx, "deleted");
        }
    }

    /// Somebody speaks of a phase that we are not in: a transition was missed.
    fn on_unannounced_phase(&mut self, cx: &mut Context) {
        cx.metrics.divergences += 1;
        cx.log(
            Level::Warn,
            "unannounced_phase",
            Facts { campaign_id: Some(&self.id), ..Facts::default() },
        );
        self.invalidate(cx, "divergence");
        let campaign_id = self.id.clone();
        cx.notify(Notice::Divergence { campaign_id, kind: "phase", sequence_number: 0 });
        self.wish_resync(cx);
    }

    /// A count without a digest and without a number: a difference is repaired by a snapshot.
    fn compare_original(&mut self, cx: &mut Context, claim: Claim) {
        match claim.compare(self.store.table()) {
            None => cx.metrics.consistency_checks_passed += 1,
            Some(discrepancy) => {
                cx.metrics.consistency_checks_failed += 1;
                self.announce_discrepancy(cx, discrepancy);
                self.wish_resync(cx);
            }
        }
    }

    /// A fetched snapshot without a position: taken in, and what arrived meanwhile applied again.
    ///
    /// # Errors
    /// [`Code::InvalidContent`] where it cannot be applied; nothing has changed then.
    pub(super) fn resynchronise(
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
        self.rejoin(cx);
        Ok(())
    }

    /// A fetched snapshot with a position replaced everything: what arrived meanwhile is applied again.
    pub(super) fn end_resync(&mut self, cx: &mut Context) {
        self.resync.unplaced = false;
        self.rejoin(cx);
    }

    /// Applies again what arrived while a snapshot was fetched.
    fn rejoin(&mut self, cx: &mut Context) {
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

    /// It failed, or its answer does not count.
    pub(super) fn on_fetch_failed(&mut self, cx: &mut Context) {
        if matches!(self.resync.state, State::Fetching { .. }) {
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
    pub(super) fn on_resync_time(&mut self, cx: &mut Context) {
        if self.resync.deadline().is_some_and(|at| at <= cx.now.at) {
            self.begin_resync(cx);
        }
    }
}
