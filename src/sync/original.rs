//! The machine facing a server of the original dialect: filter, apply, and resynchronise whenever
//! something may have been missed, because nothing on this wire could prove that it was not.

mod resync;

use super::connection::{Connection, Dialect};
use super::context::Context;
use super::log::{Facts, Level};
use super::machine::Machine;
use super::notice::Notice;
use super::outcome::Verdict;
use super::session::close;
use super::subscription::Subscription;
use crate::protocol::limits::PROTOCOL_V1;
pub(super) use crate::protocol::original::snapshot::read as read_fetched;
use crate::protocol::original::{self, Document, Message};
use crate::protocol::{CampaignId, Code};
use crate::store::Claim;
use crate::store::original::OriginalChange;
pub use resync::Resync;

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
        let fetching = self.resync.is_fetching();
        if fetching && !self.resync.buffer(&cx.config, text) {
            cx.metrics.held_overflows += 1;
        }
        let verdict = self.apply_original(cx, document);
        if !fetching && self.resync.is_fetching() {
            // What it asks for may be older than itself.
            let _first = self.resync.buffer(&cx.config, text);
        }
        verdict
    }

    fn apply_original(&mut self, cx: &mut Context, document: &Document<'_>) -> Verdict {
        match self.store.apply_original(&document.message, document.timestamp) {
            Ok(done) => {
                self.resync.note_unplaced();
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
            self.resync.note_transition();
        }
        if done.unannounced && self.resync.notices() {
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
}
