//! The local copy of one campaign, and the steps that change it. Each step leaves its parts consistent.
//! The order is: first the store, then the position, then caches, then listeners.
//!
//! Each component (`sequencer`, `recovery`, `freshness`, `repair`, `snapshot`, `waiters`) changes only
//! its state and does not use the others. A step of this module passes the result of one component to
//! the others. Only this module and its children access the components. `lifecycle`, `answers` and
//! `events` contain further steps, which use the steps of this module.

mod announce;
mod answers;
mod events;
mod lifecycle;

use crate::protocol::client::{self, Reason};
use crate::protocol::violation::Violation;
use crate::protocol::{CampaignId, Code, Epoch, Position, SequenceNumber};
use crate::store::{CampaignStore, ExpectedDigest, Staging};
use crate::sync::config::Config;
use crate::sync::context::Context;
use crate::sync::context::RECORD;
use crate::sync::log::Level;
use crate::sync::notice::Detail;
use crate::sync::outcome::Verdict;
use crate::sync::subscription::freshness::Freshness;
use crate::sync::subscription::recovery::{Recovery, RequestTarget};
use crate::sync::subscription::repair::Repair;
use crate::sync::subscription::sequencer::Sequencer;
use crate::sync::subscription::snapshot::SnapshotDownload;
use crate::sync::subscription::waiters::Waiters;

/// Whether the campaign can be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SubscriptionState {
    /// The campaign can be followed.
    Active,
    /// The campaign is gone.
    Ended,
    /// The campaign cannot be followed, for this reason.
    Failed(Code),
}

/// The local copy of one campaign.
#[derive(Clone, Debug)]
pub(in crate::sync) struct Replica {
    id: CampaignId,
    state: SubscriptionState,
    store: CampaignStore,
    sequencer: Sequencer,
    recovery: Recovery,
    freshness: Freshness,
    repair: Repair,
    download: SnapshotDownload,
    waiters: Waiters,
    /// Whether listeners received the phase that the campaign had when it was loaded.
    introduced: bool,
    /// The server refused the subscription, because it has too many (R14.16).
    lacks_place: bool,
}

impl Replica {
    pub(super) fn new(id: CampaignId, config: &Config) -> Self {
        Self {
            id,
            state: SubscriptionState::Active,
            store: CampaignStore::default(),
            sequencer: Sequencer::new(config),
            recovery: Recovery::default(),
            freshness: Freshness::default(),
            repair: Repair::default(),
            download: SnapshotDownload::default(),
            waiters: Waiters::default(),
            introduced: false,
            lacks_place: false,
        }
    }

    pub(super) const fn id(&self) -> &CampaignId {
        &self.id
    }

    pub(super) const fn store(&self) -> &CampaignStore {
        &self.store
    }

    /// The number of events held beyond a gap, and their size in bytes.
    pub(super) fn held(&self) -> (usize, usize) {
        self.sequencer.held()
    }

    pub(super) const fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    pub(super) fn is_active(&self) -> bool {
        matches!(self.state, SubscriptionState::Active)
    }

    /// The last applied number; 0 before the first.
    pub(super) fn applied(&self) -> SequenceNumber {
        self.store.position().map_or(SequenceNumber::ZERO, |position| position.sequence_number)
    }

    /// Requests a cursor from the server.
    fn subscribe(&self, cx: &mut Context) {
        cx.send(client::subscribe_campaign(&self.id, self.store.position()));
    }

    /// Requests missing data, unless that is already done.
    fn request_recovery(&mut self, cx: &mut Context, reason: Reason, snapshot: bool) {
        self.recovery.request(cx.now.at, reason, snapshot);
        self.send_due_request(cx);
    }

    /// The snapshot that is arriving, if there is one.
    pub(in crate::sync) fn loading(&self) -> Option<&Staging> {
        self.download.staging()
    }

    /// Discards the parts of a snapshot that have arrived.
    fn discard_download(&mut self, cx: &mut Context) {
        if self.download.discard() {
            cx.mark_changed(&self.id);
        }
    }

    /// Sends the request if it is due, a socket is open and the rate allows it.
    fn send_due_request(&mut self, cx: &mut Context) {
        if cx.is_connected() && self.is_active() && !self.lacks_place {
            let target = RequestTarget {
                campaign_id: &self.id,
                position: self.store.position(),
                staging: self.download.staging(),
            };
            if let Some(reason) = self.recovery.send_due(cx, target) {
                self.announce_request(cx, reason.as_str());
            }
        }
    }

    /// Repeats the request in flight at once, because it cannot complete.
    fn retry_now(&mut self, cx: &mut Context) {
        self.recovery.retry_now(cx, self.applied().next());
        self.send_due_request(cx);
    }

    /// Repeats the request in flight after a delay.
    fn retry_with_backoff(&mut self, cx: &mut Context) {
        self.recovery.retry_with_backoff(cx);
        self.send_due_request(cx);
    }

    /// Requests the next event again, because it did not arrive as it was sent.
    fn retry_current(&mut self, cx: &mut Context) {
        let next = self.applied().next();
        if self.recovery.retry_current(cx, next) {
            self.send_due_request(cx);
        }
    }

    /// Sets the position before the first event of a log.
    fn begin_log(&mut self, cx: &mut Context, epoch: Epoch) {
        self.store.begin_at(epoch);
        self.freshness.clear(cx.now);
        cx.mark_changed(&self.id);
    }

    /// Handles a history of the server that contradicts the applied events. The client applies nothing
    /// and requests a snapshot.
    fn diverge(&mut self, cx: &mut Context, kind: &'static str, number: SequenceNumber) -> Verdict {
        cx.metrics.divergences += 1;
        self.announce_divergence(cx, kind, number);
        self.request_recovery(cx, Reason::Divergence, true);
        Verdict::Divergence
    }

    /// Compares the local rows with the count and digest that the server states for exactly the local
    /// position.
    fn compare(&mut self, cx: &mut Context, expected: ExpectedDigest) {
        let Some(discrepancy) = expected.compare(self.store.table()) else {
            cx.metrics.consistency_checks_passed += 1;
            if expected.digest.is_some() {
                self.clear_mismatch(cx);
            }
            return;
        };
        cx.metrics.consistency_checks_failed += 1;
        self.repair.note_mismatch();
        if discrepancy.is_large() {
            self.store.raise(Code::LargeDiscrepancy);
            cx.mark_changed(&self.id);
        }
        self.announce_discrepancy(cx, discrepancy);
        self.begin_repair(cx);
    }

    /// Records that both sides hold the same rows. Notifies listeners if they received a difference
    /// before.
    fn clear_mismatch(&mut self, cx: &mut Context) {
        let differed = self.repair.note_agreement();
        self.end_mismatch(cx, differed);
    }

    fn end_mismatch(&mut self, cx: &mut Context, differed: bool) {
        if self.store.error().is_some() {
            self.store.clear_error();
            cx.mark_changed(&self.id);
        }
        if differed {
            self.announce_agreement(cx);
        }
    }

    /// Requests the bucket digests if rows differ. Waits while events are missing, because they may be
    /// the difference.
    fn begin_repair(&mut self, cx: &mut Context) {
        let Some(position) = self.store.position() else { return };
        if cx.is_connected() && self.recovery.is_idle() {
            self.repair.begin(cx, &self.id, position);
        }
    }

    /// Replaces the rows of the buckets that differed.
    fn finish_repair(&mut self, cx: &mut Context, staging: Staging, buckets: &[u8]) {
        let Position { epoch, sequence_number, .. } = &staging.position;
        let is_here = |it: &&Position| it.is_at(epoch, *sequence_number);
        let Some(position) = self.store.position().filter(is_here) else { return };
        let (position, rows) = (position.clone(), staging.table.len() as u64);
        let sound = staging.completes(self.store.table(), buckets);
        let applied = if sound { self.store.repair(staging, buckets).ok() } else { None };
        let Some(applied) = applied else {
            // A whole snapshot proves itself. If the server's claims contradict that snapshot too, the
            // client tries no other repair at this position.
            self.repair.exhaust(position);
            self.request_recovery(cx, Reason::Divergence, true);
            return;
        };
        cx.metrics.repairs += 1;
        self.invalidate(cx, "divergence");
        self.announce_snapshot_applied(cx, &applied);
        self.clear_mismatch(cx);
        self.notify(cx, Detail::Repaired { buckets: buckets.len() as u64, rows });
    }

    /// Whether a snapshot would move the position backwards: within its epoch, or to a superseded
    /// epoch.
    fn would_go_back(&self, staging: &Staging) -> bool {
        self.sequencer.superseded().contains(&staging.position.epoch)
            || self.store.position().is_some_and(|position| {
                position.epoch == staging.position.epoch
                    && position.sequence_number > staging.position.sequence_number
            })
    }

    /// Installs a verified snapshot, and notifies caches, then listeners.
    fn install(&mut self, cx: &mut Context, staging: Staging) {
        let left = self.store.position().map(|position| position.epoch.clone());
        let new_log = left.filter(|epoch| *epoch != staging.position.epoch);
        let reason = if new_log.is_some() { "epoch" } else { "snapshot" };
        if let Some(epoch) = new_log {
            self.sequencer.supersede(epoch);
        }
        let applied = self.store.install(staging);
        self.sequencer.clear_window();
        let differed = self.repair.on_installed(self.store.position());
        self.recovery.clear_failures();
        self.freshness.clear(cx.now);
        cx.request_ping();
        cx.metrics.snapshots += 1;
        self.invalidate(cx, reason);
        self.announce_snapshot_applied(cx, &applied);
        self.end_mismatch(cx, differed);
    }

    /// Refuses a snapshot that does not add up: discards it and requests another.
    fn refuse_snapshot(&mut self, cx: &mut Context, code: Code) -> Verdict {
        self.discard_download(cx);
        self.announce_rejected(cx, code, None, Violation::default());
        self.retry_with_backoff(cx);
        Verdict::Refused(code)
    }

    /// Reactivates a failed campaign, because another session or server may grant the access that the
    /// former one refused. An ended campaign stays ended.
    fn reactivate(&mut self) {
        if matches!(self.state, SubscriptionState::Failed(_)) {
            self.state = SubscriptionState::Active;
        }
    }

    /// Empties the campaign for another session, which has to load it again.
    pub(in crate::sync) fn sign_out(&mut self, cx: &mut Context) {
        self.state = SubscriptionState::Active;
        self.waiters.fail(cx, Code::SignedOut);
        self.empty(cx);
    }

    /// Drops everything that the session may no longer see. The epochs that the log left are names of
    /// logs, not content, and stay.
    fn empty(&mut self, cx: &mut Context) {
        self.discard_download(cx);
        self.sequencer.clear_window();
        self.sequencer.clear_held();
        self.recovery.forget();
        self.repair = Repair::default();
        self.freshness = Freshness::default();
        self.introduced = false;
        cx.mark_changed(&self.id);
        if self.store.clear() {
            self.invalidate(cx, "signed_out");
        }
    }

    /// Drops everything if this code says that the session may not see the campaign (R7.7).
    pub(in crate::sync) fn empty_if_refused(&mut self, cx: &mut Context, code: Code) {
        if matches!(code, Code::Forbidden | Code::UnknownCampaign) {
            cx.void_fetches();
            self.empty(cx);
        }
    }

    /// Blocks the campaign at its position until the missing key is added. Nothing else helps.
    fn block_on_missing_key(&mut self, cx: &mut Context, code: Code, missing: Detail) -> Verdict {
        self.announce_rejected(cx, code, Some(self.applied().next()), Violation::default());
        self.notify(cx, missing);
        self.fail(cx, code);
        Verdict::Refused(code)
    }

    /// Ends the campaign: it is gone, or the server no longer serves it.
    fn end(&mut self, cx: &mut Context, reason: &str) {
        self.state = SubscriptionState::Ended;
        self.stop(cx, Code::UnknownCampaign);
        self.notify(cx, Detail::Ended { reason: reason.to_owned() });
    }

    /// Fails the campaign: it cannot be followed on this connection.
    fn fail(&mut self, cx: &mut Context, code: Code) {
        self.state = SubscriptionState::Failed(code);
        self.stop(cx, code);
        self.empty_if_refused(cx, code);
        self.log(cx, Level::Error, "failed", None, Some(code.as_str()), None);
    }

    fn stop(&mut self, cx: &mut Context, code: Code) {
        // If the campaign becomes active again, it still needs this recovery.
        self.recovery.requeue_in_flight(cx.now.at);
        self.repair.stop();
        self.discard_download(cx);
        self.sequencer.clear_held();
        self.waiters.fail(cx, code);
        cx.mark_content(&self.id, RECORD);
    }
}
