//! One campaign that the application retains: its replica, its reference count, and the status that
//! listeners received last.

mod cursor;
pub mod dedupe;
mod failures;
mod freshness;
pub mod gap;
mod rate;
mod recovery;
mod repair;
mod replica;
mod sequencer;
mod snapshot;
mod waiters;

pub use freshness::Freshness;
pub use recovery::Recovery;
use replica::Replica;

use crate::protocol::{CampaignId, SequenceNumber};
use crate::store::folding::FoldedNames;
use crate::store::query::{DomainPage, DomainQuery, OrderCache, page};
use crate::store::slice::SliceReader;
use crate::store::{CampaignStore, Staging};
use crate::sync::config::{Config, REFRESH_MS};
use crate::sync::context::Context;
use crate::sync::context::{RECORD, ROWS};
use crate::sync::holders::Holders;
use crate::sync::notice::Detail;
use crate::sync::status::{LinkState, Status};
use crate::sync::time::{Now, Timestamp};

/// One campaign that the application retains.
#[derive(Clone, Debug)]
pub struct Subscription {
    replica: Replica,
    /// The order of the last row query.
    sort_cache: OrderCache,
    folded: FoldedNames,
    reader: SliceReader,
    ref_count: Holders,
    /// Refresh requests before this time are ignored.
    next_refresh: Timestamp,
    last_status: Status,
    /// The status that listeners received last.
    announced: Status,
}

impl Subscription {
    /// Creates a subscription that the application does not retain yet.
    pub fn new(id: CampaignId, config: &Config) -> Self {
        Self {
            replica: Replica::new(id, config),
            sort_cache: Default::default(),
            folded: FoldedNames::default(),
            reader: SliceReader::default(),
            ref_count: Holders::default(),
            next_refresh: Timestamp::default(),
            last_status: Status::Idle,
            announced: Status::Idle,
        }
    }

    /// The campaign's id.
    pub const fn id(&self) -> &CampaignId {
        self.replica.id()
    }

    /// The campaign's record and rows.
    pub const fn store(&self) -> &CampaignStore {
        self.replica.store()
    }

    /// The last applied number; 0 before the first.
    pub fn applied(&self) -> SequenceNumber {
        self.replica.applied()
    }

    /// The number of events held beyond a gap, and their size in bytes.
    pub fn held(&self) -> (usize, usize) {
        self.replica.held()
    }

    /// The recovery, for diagnostics and tests.
    pub const fn recovery(&self) -> &Recovery {
        self.replica.recovery()
    }

    pub(in crate::sync) const fn replica(&self) -> &Replica {
        &self.replica
    }

    /// The snapshot that is arriving, if there is one.
    pub fn loading(&self) -> Option<&Staging> {
        self.replica.loading()
    }

    pub(in crate::sync) const fn replica_mut(&mut self) -> &mut Replica {
        &mut self.replica
    }

    /// Returns one page of the campaign's rows.
    pub fn domains(&mut self, query: &DomainQuery) -> DomainPage<'_> {
        let tables = [self.replica.store().table(), self.replica.store().unconfirmed()];
        page(tables, &mut self.sort_cache, &self.folded, query)
    }

    /// Returns the next slice of all confirmed rows, as [`SliceReader::slice`] does.
    pub fn slice(&mut self, reader: u64) -> DomainPage<'_> {
        self.reader.slice(self.replica.store().table(), reader)
    }

    /// The names that the driver must fold before a search.
    pub fn unfolded(&mut self) -> Vec<&str> {
        let store = self.replica.store();
        self.folded.missing([store.table(), store.unconfirmed()])
    }

    /// Takes the folded forms of names, as [`FoldedNames::add`] does.
    pub fn fold(&mut self, names: &str) {
        self.folded.add(names);
    }

    /// Whether the campaign can be followed.
    pub fn is_active(&self) -> bool {
        self.replica.is_active()
    }

    /// Increments the reference count. Changes since the last release were announced to nobody.
    pub fn retain(&mut self, cx: &mut Context) {
        if self.ref_count.is_lingering() {
            cx.mark_content(self.replica.id(), RECORD | ROWS);
        }
        self.ref_count.retain();
    }

    /// Decrements the reference count. Returns whether the application retained the campaign.
    pub fn release(&mut self, cx: &Context) -> bool {
        // A status that waits for listeners is reported again, to the handles that stay.
        self.last_status = self.announced;
        let retained = self.ref_count.release(cx.now.at + cx.config.linger_ms);
        if self.ref_count.is_lingering() {
            self.replica.forget_introduction();
        }
        retained
    }

    /// Whether a released campaign has been kept for long enough.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.ref_count.is_expired(now)
    }

    /// Drops everything of the former session. The application still retains the campaign.
    pub fn sign_out(&mut self, cx: &mut Context) {
        self.folded = FoldedNames::default();
        self.replica.sign_out(cx);
    }

    /// When the state was last proven current, by the wall clock.
    pub fn proven_at(&self) -> Option<i64> {
        self.replica.proven_at()
    }

    /// The notice of the present status; `None` if listeners received it already.
    pub fn take_status_change(&mut self) -> Option<Detail> {
        let status = self.last_status;
        let is_new = core::mem::replace(&mut self.announced, status) != status;
        is_new.then(|| self.status_change())
    }

    fn status_change(&self) -> Detail {
        let status = self.last_status;
        Detail::StatusChange { status: status.as_str(), reason: status.reason() }
    }

    /// Handles a refresh request. Returns whether it is accepted: at most once per
    /// [`REFRESH_MS`].
    pub fn refresh(&mut self, cx: &mut Context) -> bool {
        let now = cx.now.at;
        if now < self.next_refresh {
            return false;
        }
        self.next_refresh = now + REFRESH_MS;
        self.replica.invalidate(cx, "force_refresh");
        cx.request_ping();
        true
    }

    /// The time of the next action.
    pub fn deadline(&self, cx: &Context) -> Timestamp {
        self.replica.deadline(cx, self.last_status).min(self.ref_count.lingers_until())
    }

    /// How trustworthy the state is at `now`.
    pub fn status(&self, link: LinkState, now: Now) -> Status {
        self.replica.status(link, now)
    }

    /// Notifies listeners if the status differs from the last one that they received, and of the phase
    /// once the campaign is loaded. A campaign that the application has released has no listeners.
    pub fn announce_status(&mut self, cx: &mut Context, link: LinkState) {
        if !matches!(self.ref_count, Holders::Held(1..)) {
            return;
        }
        self.replica.introduce(cx);
        let status = self.status(link, cx.now);
        if status == self.last_status {
            return;
        }
        self.last_status = status;
        cx.mark_changed(self.replica.id());
        cx.notify(Some(self.replica.id()), self.status_change());
    }
}
