//! The machine: one connection, many campaigns, three verbs.

use super::campaigns::Campaigns;
use super::connection::{Attempts, Connection};
use super::context::Context;
use super::effect::Effect;
use super::input::{Input, Wake};
use super::metrics::Metrics;
use super::outcome::Outcome;
use super::polling::Fetches;
use super::status::Status;
use super::subscription::{Fate, Subscription};
use super::{Config, Now, Timestamp};
use crate::protocol::{CampaignId, Code, client};
use crate::store::query::{DomainPage, DomainQuery, page};
use crate::store::{CampaignView, ViewContext};

/// The machine. See the module documentation of [`crate::sync`].
#[derive(Clone, Debug)]
pub struct Machine {
    pub(super) cx: Context,
    pub(super) connection: Connection,
    pub(super) attempts: Attempts,
    pub(super) subscriptions: Campaigns,
    pub(super) connections: u64,
    pub(super) fetches: Fetches,
    timer: Option<Timestamp>,
}

impl Machine {
    /// A machine at rest. The seed is for jitter only.
    pub fn new(config: Config, seed: u64) -> Self {
        Self {
            cx: Context::new(config, seed),
            connection: Connection::Idle,
            attempts: Attempts::default(),
            subscriptions: Campaigns::default(),
            connections: 0,
            fetches: Fetches::default(),
            timer: None,
        }
    }

    /// Takes in one input, at the time `now`. Drain [`Machine::poll_effect`] afterwards.
    pub fn handle(&mut self, now: Now, input: Input<'_>) -> Outcome {
        self.note_time(now);
        let outcome = match input {
            Input::Received(connection, frame) => return self.on_frame(connection, frame),
            other => self.on_rare(other),
        };
        self.on_time();
        outcome
    }

    /// The next effect to perform, until there is none.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.cx.next_effect()
    }

    /// Whether [`Machine::poll_effect`] has something to say.
    pub const fn has_effects(&self) -> bool {
        self.cx.has_effects()
    }

    /// When to say [`Wake::Timer`], if nothing else happens before.
    pub fn poll_timeout(&mut self) -> Option<Timestamp> {
        let connection = match &self.connection {
            Connection::Waiting { until } => Some(*until),
            Connection::AskingToken { deadline, .. } | Connection::Opening { deadline, .. } => {
                Some(*deadline)
            }
            Connection::Negotiating { deadline, .. } => Some(*deadline),
            Connection::Open { link, .. } => Some(link.deadline(&self.cx.config)),
            Connection::Idle | Connection::Failed(_) | Connection::Closed => None,
        };
        let campaigns = self.subscriptions.values().filter_map(|it| it.deadline(&self.cx)).min();
        let polling = self.polling_deadline();
        self.timer = [connection, campaigns, polling].into_iter().flatten().min();
        self.timer
    }

    /// The counters.
    pub const fn metrics(&self) -> &Metrics {
        &self.cx.metrics
    }

    /// The campaigns whose view changed since this was last asked.
    pub fn take_changes(&mut self) -> Vec<CampaignId> {
        self.cx.take_changes()
    }

    /// A campaign's status at `now`; `None` if nobody holds it.
    pub fn status(&self, campaign_id: &str, now: Now) -> Option<Status> {
        let subscription = self.subscriptions.get(campaign_id)?;
        if let Connection::Failed(code) = self.connection {
            return Some(Status::Failed(code));
        }
        Some(subscription.status(&self.cx, self.connection.is_wanted(), now))
    }

    /// A campaign as it is at `now`; `None` if nobody holds it.
    pub fn view(&self, campaign_id: &str, now: Now) -> Option<CampaignView<'_>> {
        let subscription = self.subscriptions.get(campaign_id)?;
        let status = self.status(campaign_id, now)?;
        let failed = matches!(status, Status::Failed(_));
        Some(CampaignView::new(
            &subscription.store,
            ViewContext {
                campaign_id: subscription.id.as_str(),
                status: status.as_str(),
                stale_reason: status.reason().filter(|_| !failed),
                code: status.reason().filter(|_| failed),
            },
        ))
    }

    /// One page of a campaign's rows; `None` if nobody holds it.
    pub fn domains(&mut self, campaign_id: &str, query: &DomainQuery) -> Option<DomainPage<'_>> {
        let subscription = self.subscriptions.get_mut(campaign_id)?;
        let tables = [subscription.store.table(), subscription.store.unconfirmed()];
        Some(page(tables, &mut subscription.orders, query))
    }

    /// The state of one campaign, for tests and diagnostics.
    pub fn subscription(&self, campaign_id: &str) -> Option<&Subscription> {
        self.subscriptions.get(campaign_id)
    }

    /// The campaigns that are held.
    pub fn campaigns(&self) -> impl Iterator<Item = &CampaignId> {
        self.subscriptions.values().map(|it| &it.id)
    }

    /// The connection, for tests and diagnostics.
    pub const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Everything but frames, which have their own, faster way.
    fn on_rare(&mut self, input: Input<'_>) -> Outcome {
        let mut outcome = Outcome::default();
        match input {
            Input::Connect => self.on_connect(),
            Input::Close => self.on_close(),
            Input::Retain(campaign_id) => self.on_retain(campaign_id),
            Input::Release(campaign_id) => outcome.stale = !self.on_release(&campaign_id),
            Input::Opened(connection) if self.connection.socket() == Some(connection) => {
                self.on_opened();
            }
            Input::Closed(connection, code) if self.connection.socket() == Some(connection) => {
                self.on_closed(code);
            }
            Input::Opened(_) | Input::Closed(..) => outcome.stale = true,
            Input::Received(connection, frame) => return self.on_frame(connection, frame),
            Input::Woke(wake) => self.on_wake(wake),
            Input::Token(ticket, token) => outcome.stale = !self.on_token(ticket, token),
            Input::Snapshot(ticket, json) => return self.on_fetched(ticket, json),
            Input::Await(campaign_id, position, ticket) => {
                self.on_await(&campaign_id, position, ticket);
            }
            Input::Refresh(campaign_id) => outcome.stale = !self.on_refresh(&campaign_id),
            #[cfg(feature = "encrypted")]
            Input::Seal => self.on_seal(),
            #[cfg(feature = "encrypted")]
            Input::AddKey(kid, key) => self.on_key(kid, key),
            Input::DiscardUnconfirmed(campaign_id) => {
                if let Some(subscription) = self.subscriptions.get_mut(campaign_id.as_str())
                    && subscription.store.discard_unconfirmed() > 0
                {
                    self.cx.mark_changed(&campaign_id);
                }
            }
        }
        outcome
    }

    /// Moves the present on. The monotonic clock is never believed to go back; a wall that ran
    /// ahead of it, or a timer that fired late, means that the page slept.
    fn note_time(&mut self, now: Now) {
        let before = self.cx.now;
        let at = now.at.max(before.at);
        self.cx.now = Now { at, wall_ms: now.wall_ms };
        if before == Now::default() {
            return;
        }
        let jump_ms = self.cx.config.wake_jump_ms;
        let jumped = now.jump_since(before) > jump_ms as i64;
        let late = self.timer.is_some_and(|timer| at > timer + jump_ms);
        if jumped || late {
            self.timer = None;
            self.on_wake(Wake::Visible);
        }
    }

    /// Acts on everything that is due.
    pub(super) fn on_time(&mut self) {
        self.on_connection_time();
        let now = self.cx.now.at;
        let expired = |it: &Subscription| it.linger_until.is_some_and(|until| until <= now);
        while let Some(mut subscription) = self.subscriptions.remove(expired) {
            subscription.waiters.fail(&mut self.cx, Code::Closed);
            self.cx.send(client::unsubscribe_campaign(&subscription.id));
        }
        for subscription in self.subscriptions.values_mut() {
            subscription.on_time(&mut self.cx);
        }
        self.on_polling_time();
        let wanted = self.connection.is_wanted();
        for subscription in self.subscriptions.values_mut() {
            subscription.announce_status(&mut self.cx, wanted);
        }
        self.beat();
    }

    fn on_retain(&mut self, campaign_id: CampaignId) {
        let Self { cx, subscriptions, .. } = self;
        cx.mark_changed(&campaign_id);
        if subscriptions.get(campaign_id.as_str()).is_none() {
            let mut subscription = Subscription::new(campaign_id.clone(), &cx.config);
            if cx.socket.is_some() {
                subscription.on_open(cx);
            }
            subscriptions.insert(subscription);
        }
        let Some(subscription) = subscriptions.get_mut(campaign_id.as_str()) else { return };
        subscription.holders += 1;
        subscription.linger_until = None;
    }

    /// Tells whether anybody held it.
    fn on_release(&mut self, campaign_id: &CampaignId) -> bool {
        let Some(subscription) = self.subscriptions.get_mut(campaign_id.as_str()) else {
            return false;
        };
        if subscription.holders == 0 {
            return false;
        }
        subscription.holders -= 1;
        if subscription.holders == 0 {
            subscription.linger_until = Some(self.cx.now.at + self.cx.config.linger_ms);
        }
        true
    }

    fn on_await(
        &mut self,
        campaign_id: &CampaignId,
        position: crate::protocol::Position,
        ticket: super::input::Ticket,
    ) {
        let Some(subscription) = self.subscriptions.get_mut(campaign_id.as_str()) else {
            self.cx.effect(Effect::Settle(ticket, Some(Code::UnknownCampaign)));
            return;
        };
        subscription.waiters.add(&mut self.cx, position, ticket);
        subscription.settle_reached(&mut self.cx);
        let hopeless = match (&self.connection, subscription.fate) {
            (Connection::Closed, _) => Some(Code::Closed),
            (_, Fate::Ended) => Some(Code::UnknownCampaign),
            (_, Fate::Failed(code)) => Some(code),
            (_, Fate::Open) => None,
        };
        if let Some(code) = hopeless {
            subscription.waiters.fail(&mut self.cx, code);
        }
    }
}
