//! Reactions of a replica to the connection, the clock and the application, and its status.
//!
//! These steps use those of the parent module and of `events`.

use super::{Replica, SubscriptionState};
#[cfg(feature = "encrypted")]
use crate::protocol::client::Reason;
use crate::protocol::json::RawStr;
use crate::protocol::{Code, Position};
use crate::store::PhaseChange;
use crate::sync::config::PLACE_RETRY_MS;
use crate::sync::context::Context;
use crate::sync::context::ROWS;
use crate::sync::input::Ticket;
use crate::sync::status::{LinkState, Status};
use crate::sync::time::{Now, Timestamp};

impl Replica {
    /// Announces the phase, once, when the campaign is loaded for its first handle: by a replay, by a
    /// snapshot, or because it was kept since its last release.
    pub(in crate::sync) fn introduce(&mut self, cx: &mut Context) {
        let loaded = self.recovery.is_idle() || self.freshness.is_from_rest();
        let record = self.store.record().filter(|_| loaded && !self.introduced);
        if let Some(now) = record.map(PhaseChange::of) {
            self.introduced = true;
            self.announce_introduction(cx, now);
        }
    }

    /// The last handle was released. The next one begins with the phase that the campaign has then.
    pub(in crate::sync) const fn forget_introduction(&mut self) {
        self.introduced = false;
    }

    /// When the state was last proven current, by the wall clock.
    pub(in crate::sync) const fn proven_at(&self) -> Option<i64> {
        self.freshness.proven_at()
    }

    /// Fails all waits for a position.
    pub(in crate::sync) fn fail_waiters(&mut self, cx: &mut Context, code: Code) {
        self.waiters.fail(cx, code);
    }

    /// Discards the unconfirmed rows, because the application requested it.
    pub(in crate::sync) fn discard_unconfirmed(&mut self, cx: &mut Context) {
        if self.store.discard_unconfirmed() > 0 {
            cx.mark_content(&self.id, ROWS);
        }
    }

    /// Adds a wait for a position. `terminal` is the reason if the position can never be reached.
    pub(in crate::sync) fn wait_for(
        &mut self,
        cx: &mut Context,
        position: Position,
        ticket: Ticket,
        terminal: Option<Code>,
    ) {
        self.waiters.add(cx, position, ticket);
        self.resolve_waiters(cx);
        let own = match self.state {
            SubscriptionState::Active => None,
            SubscriptionState::Ended => Some(Code::UnknownCampaign),
            SubscriptionState::Failed(code) => Some(code),
        };
        if let Some(code) = terminal.or(own) {
            self.waiters.fail(cx, code);
        }
    }

    /// Drops a wait that the application gave up.
    pub(in crate::sync) fn cancel_wait(&mut self, ticket: Ticket) {
        self.waiters.cancel(ticket);
    }

    /// Handles an open and acknowledged socket: subscribes and requests the missed events.
    pub(in crate::sync) fn on_open(&mut self, cx: &mut Context) {
        if matches!(self.state, SubscriptionState::Ended) {
            return;
        }
        self.reactivate();
        self.lacks_place = false;
        self.subscribe(cx);
        self.begin_following(cx);
    }

    /// Requests the missed events of a new subscription.
    pub(super) fn begin_following(&mut self, cx: &mut Context) {
        self.freshness.on_open(cx.now);
        self.repair.abandon();
        let has_position = self.store.position().is_some();
        self.recovery.on_open(cx.now.at, has_position);
        self.send_due_request(cx);
    }

    /// Handles a closed socket: schedules the request in flight again, for the next socket.
    pub(in crate::sync) fn on_lost(&mut self, now: Timestamp) {
        self.recovery.requeue_in_flight(now);
    }

    /// Records a sent ping.
    pub(in crate::sync) fn on_ping(&mut self, sent: Now) {
        self.freshness.record_ping(sent, self.recovery.next_expected());
    }

    /// Handles an added key. A campaign that lacked a key continues at its position.
    #[cfg(feature = "encrypted")]
    pub(in crate::sync) fn on_key(&mut self, cx: &mut Context) {
        if self.state == SubscriptionState::Failed(Code::UnknownKey) {
            self.reactivate();
            cx.mark_changed(&self.id);
            self.request_recovery(cx, Reason::Rejected, false);
        }
    }

    /// Whether the server refused the subscription, because it has too many.
    pub(in crate::sync) const fn lacks_place(&self) -> bool {
        self.lacks_place
    }

    /// Subscribes again, because a place may be free. The recovery waits for the confirmation.
    pub(in crate::sync) fn retry_place(&mut self, cx: &mut Context) {
        self.subscribe(cx);
        self.recovery.postpone(cx, PLACE_RETRY_MS);
    }

    /// Whether the request with this id belongs to this campaign and has not been answered.
    pub(in crate::sync) fn has_requested(&self, id: RawStr<'_>) -> bool {
        self.recovery.awaits_answer(Some(id)) || self.repair.awaits(id)
    }

    /// Runs everything whose deadline has passed.
    pub(in crate::sync) fn on_time(&mut self, cx: &mut Context) {
        if self.repair.deadline() <= cx.now.at {
            self.repair.abandon();
            self.begin_repair(cx);
        }
        if self.recovery.on_deadline(cx) {
            if self.lacks_place {
                self.retry_place(cx);
            }
            self.send_due_request(cx);
        }
    }

    /// The next deadline of recovery and repair, or the time at which `status` is no longer true.
    pub(in crate::sync) fn deadline(&self, cx: &Context, status: Status) -> Timestamp {
        let deadline = self.repair.deadline().min(self.freshness.expiry(cx, status));
        if cx.is_connected() && self.is_active() {
            deadline.min(self.recovery.deadline())
        } else {
            deadline
        }
    }

    /// How trustworthy the state is at `now`.
    pub(in crate::sync) fn status(&self, link: LinkState, now: Now) -> Status {
        let Self { store, recovery, repair, freshness, .. } = self;
        match self.state {
            SubscriptionState::Ended => return Status::Ended,
            SubscriptionState::Failed(code) => return Status::Failed(code),
            SubscriptionState::Active => {}
        }
        let empty = store.record().is_none() && store.table().is_empty();
        match link.status(!empty) {
            None => {}
            Some(Status::Disconnected) if freshness.is_from_rest() => return Status::Polling,
            Some(status) => return status,
        }
        if self.lacks_place {
            return Status::Failed(Code::TooMany);
        }
        if empty && !recovery.is_idle() {
            return Status::Loading;
        }
        if !recovery.is_idle() || freshness.is_lagging() || repair.is_in_flight() {
            return Status::Recovering;
        }
        if repair.is_mismatched() {
            return Status::Diverged;
        }
        freshness.status(now)
    }
}
