//! One campaign that the application holds: its replica, who holds it, and its status.
//!
//! This module routes: it decides by what the parts of the replica return. The parts own their states.

mod announce;
mod answers;
mod cursor;
pub mod dedupe;
mod events;
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

pub use recovery::Recovery;
use replica::Replica;
pub use replica::SubscriptionState;

#[cfg(feature = "encrypted")]
use crate::protocol::client::Reason;
use crate::protocol::envelope::{Envelope, RawSequence};
use crate::protocol::server::{Head, ServerMessage};
use crate::protocol::snapshot::RestSnapshot;
use crate::protocol::{CampaignId, Code, Position, SequenceNumber};
use crate::store::CampaignStore;
use crate::store::query::{DomainPage, DomainQuery, OrderCache, page};
use crate::sync::config::Config;
use crate::sync::encryption::Undecryptable;
use crate::sync::input::Ticket;
use crate::sync::notice::Notice;
use crate::sync::outcome::Verdict;
use crate::sync::scope::Scope;
use crate::sync::status::{StaleReason, Status};
use crate::sync::time::{Now, Timestamp};

/// One campaign that the application holds.
#[derive(Clone, Debug)]
pub struct Subscription {
    replica: Replica,
    /// Orders of the last row queries.
    sort_caches: [OrderCache; 2],
    holders: Holders,
    last_refresh: Option<Timestamp>,
    last_status: Status,
}

/// What the connection means for a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// No connection is wanted, or it was given up.
    Off,
    /// One is wanted.
    Connecting,
    /// A socket is open and acknowledged.
    Connected,
}

/// How often the application holds the campaign.
#[derive(Clone, Copy, Debug)]
enum Holders {
    /// So many times.
    Held(u32),
    /// Not any more: it is kept until then.
    Lingering(Timestamp),
}

impl Subscription {
    /// A campaign that nobody holds yet.
    pub fn new(id: CampaignId, config: &Config) -> Self {
        Self {
            replica: Replica::new(id, config),
            sort_caches: Default::default(),
            holders: Holders::Held(0),
            last_refresh: None,
            last_status: Status::Idle,
        }
    }

    /// Which campaign.
    pub const fn id(&self) -> &CampaignId {
        &self.replica.id
    }

    /// Its details.
    pub const fn store(&self) -> &CampaignStore {
        &self.replica.store
    }

    /// The last applied number; 0 before the first.
    pub fn applied(&self) -> SequenceNumber {
        self.replica.applied()
    }

    /// How many events are held beyond a gap, and their bytes.
    pub fn held(&self) -> (usize, usize) {
        self.replica.sequencer.held()
    }

    /// The recovery, for diagnostics and tests.
    pub const fn recovery(&self) -> &Recovery {
        &self.replica.recovery
    }

    /// One page of its rows.
    pub fn domains(&mut self, query: &DomainQuery) -> DomainPage<'_> {
        let tables = [self.replica.store.table(), self.replica.store.unconfirmed()];
        page(tables, &mut self.sort_caches, query)
    }

    /// Whether the campaign can be followed at all.
    pub fn is_active(&self) -> bool {
        self.replica.is_active()
    }

    /// The application holds it, once more.
    pub fn retain(&mut self) {
        self.holders = match self.holders {
            Holders::Held(count) => Holders::Held(count + 1),
            Holders::Lingering(_) => Holders::Held(1),
        };
    }

    /// The application releases it, once. Returns whether it was held.
    pub fn release(&mut self, cx: &Scope<'_>) -> bool {
        match self.holders {
            Holders::Held(0) | Holders::Lingering(_) => return false,
            Holders::Held(1) => {
                self.holders = Holders::Lingering(cx.now.at + cx.config.linger_ms);
            }
            Holders::Held(count) => self.holders = Holders::Held(count - 1),
        }
        true
    }

    /// Whether it has been kept long enough.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        matches!(self.holders, Holders::Lingering(until) if until <= now)
    }

    /// Fails all waits for a position.
    pub fn fail_waiters(&mut self, cx: &mut Scope<'_>, code: Code) {
        self.replica.waiters.fail(cx, code);
    }

    /// The application drops the rows kept aside.
    pub fn discard_unconfirmed(&mut self, cx: &mut Scope<'_>) {
        if self.replica.store.discard_unconfirmed() > 0 {
            cx.mark_changed(&self.replica.id);
        }
    }

    /// The application waits for a position. `terminal` says why it cannot be reached, if so.
    pub fn wait_for(
        &mut self,
        cx: &mut Scope<'_>,
        position: Position,
        ticket: Ticket,
        terminal: Option<Code>,
    ) {
        self.replica.waiters.add(cx, position, ticket);
        self.replica.resolve_waiters(cx);
        let own = match self.replica.state() {
            SubscriptionState::Active => None,
            SubscriptionState::Ended => Some(Code::UnknownCampaign),
            SubscriptionState::Failed(code) => Some(code),
        };
        if let Some(code) = terminal.or(own) {
            self.replica.waiters.fail(cx, code);
        }
    }

    /// The application wants fresh data. Returns whether it is obeyed: once a second.
    pub fn refresh(&mut self, cx: &mut Scope<'_>) -> bool {
        let (now, every) = (cx.now.at, cx.config.refresh_ms);
        if self.last_refresh.is_some_and(|last| now.since(last) < every) {
            return false;
        }
        self.last_refresh = Some(now);
        self.replica.subject().invalidate(cx, "force_refresh");
        cx.want_ping();
        true
    }

    /// A socket is open and acknowledged: subscribes, and requests what was missed.
    pub fn on_open(&mut self, cx: &mut Scope<'_>) {
        if self.replica.state() == SubscriptionState::Ended {
            return;
        }
        self.replica.reactivate();
        self.replica.freshness.on_open(cx.now);
        self.replica.repair.abandon();
        self.replica.subscribe(cx);
        let has_position = self.replica.store.position().is_some();
        self.replica.recovery.on_open(cx.now.at, has_position);
        self.replica.send_due_request(cx);
    }

    /// The socket closed: what was in flight is requested again on the next one.
    pub fn on_lost(&mut self, now: Timestamp) {
        self.replica.recovery.requeue_in_flight(now);
    }

    /// A ping is sent.
    pub fn on_ping(&mut self, sent: Now) {
        self.replica.freshness.record_ping(sent, self.replica.recovery.next_expected());
    }

    /// One sequenced event of this campaign.
    pub fn on_event(
        &mut self,
        cx: &mut Scope<'_>,
        document: &str,
        envelope: &Envelope<'_>,
        sequence: &RawSequence<'_>,
    ) -> Verdict {
        self.replica.on_event(cx, document, envelope, sequence)
    }

    /// A control message about this campaign.
    pub fn on_message(&mut self, cx: &mut Scope<'_>, message: &ServerMessage<'_>) -> Verdict {
        let Self { replica, .. } = self;
        match message {
            ServerMessage::SubscriptionConfirmed { .. } => Verdict::Control,
            ServerMessage::SubscriptionEnded { reason, .. } => {
                match reason.as_ref() {
                    "unsubscribed" => return Verdict::Ignored,
                    "forbidden" | "revoked" => replica.fail(cx, Code::Forbidden),
                    reason => replica.end(cx, reason),
                }
                Verdict::Control
            }
            ServerMessage::EventRecovery(answer) => replica.on_recovery(cx, answer),
            ServerMessage::CampaignDigest(digest) => replica.on_digest(cx, digest),
            ServerMessage::SnapshotPart(part) => replica.on_snapshot_part(cx, part),
            ServerMessage::Error { code, request_id, retry_after_ms, .. } => {
                replica.on_error(cx, *code, request_id.as_deref(), *retry_after_ms);
                Verdict::Control
            }
            ServerMessage::ConnectionAck { .. }
            | ServerMessage::Pong { .. }
            | ServerMessage::SessionExpired
            | ServerMessage::ServerDraining { .. } => Verdict::Ignored,
        }
    }

    /// A snapshot part of this campaign whose content does not open.
    pub fn on_undecryptable_part(
        &mut self,
        cx: &mut Scope<'_>,
        request_id: Option<&str>,
        why: &Undecryptable,
    ) -> Verdict {
        self.replica.on_undecryptable_part(cx, request_id, why)
    }

    /// The head of this campaign in a `pong`, whose ping was sent at `sent`.
    pub fn on_head(&mut self, cx: &mut Scope<'_>, sent: Option<Now>, head: &Head<'_>) {
        self.replica.on_head(cx, sent, head);
    }

    /// A `pong` without a head of this campaign, whose ping was sent at `sent`.
    pub fn on_no_head(&mut self, cx: &mut Scope<'_>, sent: Now) {
        self.replica.on_no_head(cx, sent);
    }

    /// A snapshot that was fetched outside the socket since `began`.
    ///
    /// # Errors
    /// [`Code::InvalidSnapshot`], [`Code::InvalidContent`]; nothing has changed then.
    pub fn on_rest_snapshot(
        &mut self,
        cx: &mut Scope<'_>,
        began: Timestamp,
        snapshot: &RestSnapshot<'_>,
    ) -> Result<(), Code> {
        self.replica.on_rest_snapshot(cx, began, snapshot)
    }

    /// Another key is at hand. If one was missing, this goes on from where it stands.
    #[cfg(feature = "encrypted")]
    pub fn on_key(&mut self, cx: &mut Scope<'_>) {
        if self.replica.state() == SubscriptionState::Failed(Code::UnknownKey) {
            self.replica.reactivate();
            cx.mark_changed(&self.replica.id);
            self.replica.request_recovery(cx, Reason::Rejected, false);
        }
    }

    /// Whether the request of that name is one of this campaign that has not been answered.
    pub fn has_requested(&self, id: &str) -> bool {
        self.replica.recovery.awaits_answer(Some(id)) || self.replica.repair.awaits(id)
    }

    /// Acts on deadlines that have passed.
    pub fn on_time(&mut self, cx: &mut Scope<'_>) {
        let Self { replica, .. } = self;
        if replica.repair.deadline().is_some_and(|deadline| deadline <= cx.now.at) {
            replica.repair.abandon();
            replica.begin_repair(cx);
        }
        if replica.recovery.on_deadline(cx) {
            replica.send_due_request(cx);
        }
    }

    /// When something is due.
    pub fn deadline(&self, config: &Config, now: Timestamp, connected: bool) -> Option<Timestamp> {
        let Replica { recovery, repair, freshness, .. } = &self.replica;
        let recovery = recovery.deadline().filter(|_| connected && self.is_active());
        let can_go_stale = matches!(self.last_status, Status::Live | Status::Recovering);
        let linger = match self.holders {
            Holders::Held(_) => None,
            Holders::Lingering(until) => Some(until),
        };
        let expiry = freshness.expiry(config).filter(|at| can_go_stale && *at > now);
        [recovery, repair.deadline(), linger, expiry].into_iter().flatten().min()
    }

    /// How trustworthy the state is at `now`.
    pub fn status(&self, config: &Config, link: LinkState, now: Now) -> Status {
        let Replica { store, recovery, repair, freshness, .. } = &self.replica;
        match self.replica.state() {
            SubscriptionState::Ended => return Status::Ended,
            SubscriptionState::Failed(code) => return Status::Failed(code),
            SubscriptionState::Active => {}
        }
        let empty = store.record().is_none() && store.table().is_empty();
        match link {
            LinkState::Connected => {}
            LinkState::Connecting if empty => return Status::Connecting,
            LinkState::Off if empty => return Status::Idle,
            LinkState::Connecting | LinkState::Off if freshness.is_from_rest() => {
                return Status::Stale(StaleReason::Polling);
            }
            LinkState::Connecting | LinkState::Off => {
                return Status::Stale(StaleReason::Disconnected);
            }
        }
        if empty && !recovery.is_idle() {
            return Status::Loading;
        }
        if !recovery.is_idle() || freshness.is_lagging() || repair.is_in_flight() {
            return Status::Recovering;
        }
        if repair.is_mismatched() && !planted!(LiveThoughDiverged) {
            return Status::Stale(StaleReason::Diverged);
        }
        if freshness.is_fresh(config, now) || planted!(LiveUnproven) {
            Status::Live
        } else if freshness.is_pending(config, now) {
            Status::Recovering
        } else {
            Status::Stale(StaleReason::Unproven)
        }
    }

    /// Notifies listeners if the status is another than the last that they heard of.
    pub fn announce_status(&mut self, cx: &mut Scope<'_>, link: LinkState) {
        let status = self.status(&cx.config, link, cx.now);
        if status == self.last_status {
            return;
        }
        self.last_status = status;
        cx.mark_changed(&self.replica.id);
        cx.notify(Notice::StatusChange {
            campaign_id: self.replica.id.clone(),
            status: status.as_str(),
            reason: status.reason(),
        });
    }
}
