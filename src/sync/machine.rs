//! The machine: one connection, many campaigns, and three functions that drive it.

use super::catalogue::{Catalogue, CatalogueView};
use super::config::{Config, POLLING_AFTER_ATTEMPTS, WAKE_JUMP_MS};
use super::connection::{Connection, ConnectionState};
use super::context::{Context, ViewChange};
use super::effect::Effect;
use super::input::{Input, Ticket, Wake};
use super::metrics::Metrics;
use super::notice::{Detail, Notice};
use super::outcome::{Outcome, Verdict};
use super::polling::{Fetch, Polling};
use super::router::Router;
use super::status::{LinkState, Status};
use super::subscription::Subscription;
use super::time::{Now, Timestamp};
use crate::protocol::json::Reader;
use crate::protocol::snapshot::RestSnapshot;
use crate::protocol::{CampaignId, Code, Position};
use crate::store::query::{DomainPage, DomainQuery};
use crate::store::{CampaignView, Staging, ViewContext};

/// The machine. See the module documentation of [`crate::sync`].
#[derive(Clone, Debug)]
pub struct Machine {
    router: Router,
    polling: Polling,
    /// The timeout that the driver polled last.
    timer: Timestamp,
}

impl Machine {
    /// Creates an idle machine. The seed affects only jitter.
    pub fn new(config: Config, seed: u64) -> Self {
        let router = Router::new(Context::new(config, seed));
        Self { router, polling: Polling::default(), timer: Timestamp::NEVER }
    }

    /// Handles one input at the time `now`. The driver drains [`Machine::poll_effect`] afterwards.
    pub fn handle(&mut self, now: Now, input: Input<'_>) -> Outcome {
        self.note_time(now);
        if let Input::Received(connection, frame) = input {
            let outcome = self.router.on_frame(connection, frame);
            if outcome.verdicts.iter().any(|it| matches!(it, Verdict::Control)) {
                self.on_time();
            } else {
                self.router.poll_heartbeat();
            }
            return outcome;
        }
        let outcome = self.handle_control_input(input);
        self.on_time();
        outcome
    }

    /// Returns the next effect to perform, or `None` if there is no more. A change of a status is
    /// reported as the status is by then, so that a listener never contradicts [`Machine::status`].
    pub fn poll_effect(&mut self) -> Option<Effect> {
        loop {
            let mut effect = self.router.cx.next_effect()?;
            let Effect::Notify(Notice {
                campaign_id: Some(campaign_id),
                detail: detail @ Detail::StatusChange { .. },
            }) = &mut effect
            else {
                return Some(effect);
            };
            let subscription = self.router.subscriptions.get_mut(campaign_id.as_str());
            if let Some(change) = subscription.and_then(Subscription::take_status_change) {
                *detail = change;
                return Some(effect);
            }
        }
    }

    /// Whether [`Machine::poll_effect`] may return an effect.
    pub const fn has_effects(&self) -> bool {
        self.router.cx.has_effects()
    }

    /// Returns the time at which the driver must report [`Wake::Timer`], unless another input comes
    /// first.
    pub fn poll_timeout(&mut self) -> Option<Timestamp> {
        let Router { cx, connection, subscriptions, catalogue, .. } = &self.router;
        let polling = self.polling.deadline(self.wants_polling());
        let own = polling.min(connection.deadline()).min(catalogue.deadline(cx));
        self.timer = subscriptions.values().fold(own, |soonest, it| soonest.min(it.deadline(cx)));
        Some(self.timer).filter(|timer| *timer < Timestamp::NEVER)
    }

    /// The counters.
    pub const fn metrics(&self) -> &Metrics {
        &self.router.cx.metrics
    }

    /// Returns the campaigns whose view changed since the last call.
    pub fn take_changes(&mut self) -> Vec<ViewChange> {
        self.router.cx.take_changes()
    }

    /// Returns whether the view of the catalogue changed since the last call.
    pub const fn take_catalogue_change(&mut self) -> bool {
        self.router.cx.take_catalogue_change()
    }

    /// Returns a campaign's status at `now`; `None` if there is no subscription for it.
    pub fn status(&self, campaign_id: &str, now: Now) -> Option<Status> {
        let subscription = self.subscription(campaign_id)?;
        Some(subscription.status(self.router.link_state(), now))
    }

    /// Returns a campaign's view at `now`; `None` if there is no subscription for it.
    pub fn view(&self, campaign_id: &str, now: Now) -> Option<CampaignView<'_>> {
        let subscription = self.subscription(campaign_id)?;
        let status = self.status(campaign_id, now)?;
        let failed = matches!(status, Status::Failed(_));
        // The parts that have arrived are kept for the next socket, and the client seeks none now, or it polls.
        let is_stopped = failed || matches!(status, Status::Idle | Status::Polling);
        Some(CampaignView::new(
            subscription.store(),
            ViewContext {
                campaign_id: subscription.id().as_str(),
                status: status.as_str(),
                stale_reason: status.reason().filter(|_| !failed),
                code: status.reason().filter(|_| failed),
                loading: subscription.loading().filter(|_| !is_stopped),
                proven_at: subscription.proven_at(),
            },
        ))
    }

    /// Returns the status of the catalogue at `now`.
    pub fn catalogue_status(&self, now: Now) -> Status {
        self.router.catalogue.status(self.router.link_state(), now)
    }

    /// Returns the view of the catalogue at `now`: its status, and what changed in the list since the last
    /// call, or the `whole` list.
    pub fn catalogue_view(&mut self, now: Now, whole: bool) -> CatalogueView {
        let status = self.catalogue_status(now);
        self.router.catalogue.view(status, whole)
    }

    /// The catalogue, for tests and diagnostics.
    pub const fn catalogue(&self) -> &Catalogue {
        &self.router.catalogue
    }

    /// Returns one page of a campaign's rows; `None` if there is no subscription for it.
    pub fn domains(&mut self, campaign_id: &str, query: &DomainQuery) -> Option<DomainPage<'_>> {
        Some(self.router.subscriptions.get_mut(campaign_id)?.domains(query))
    }

    /// Returns the next slice of a campaign's confirmed rows, as
    /// [`SliceReader::slice`](crate::store::slice::SliceReader::slice) does; `None` if there is no
    /// subscription for it.
    pub fn slice(&mut self, campaign_id: &str, reader: u64) -> Option<DomainPage<'_>> {
        Some(self.router.subscriptions.get_mut(campaign_id)?.slice(reader))
    }

    /// The names of a campaign that the driver must fold before a search: upper and lower case of letters
    /// beyond ASCII become equal.
    pub fn unfolded(&mut self, campaign_id: &str) -> Vec<&str> {
        let subscription = self.router.subscriptions.get_mut(campaign_id);
        subscription.map(Subscription::unfolded).unwrap_or_default()
    }

    /// Takes the folded forms of names: each name and its form, with U+0000 between them all.
    pub fn fold(&mut self, campaign_id: &str, names: &str) {
        if let Some(subscription) = self.router.subscriptions.get_mut(campaign_id) {
            subscription.fold(names);
        }
    }

    /// The state of one campaign, for tests and diagnostics.
    pub fn subscription(&self, campaign_id: &str) -> Option<&Subscription> {
        self.router.subscriptions.get(campaign_id)
    }

    /// The name of the campaign of a notice, if there is one and its name is known.
    pub fn campaign_name(&self, notice: &Notice) -> Option<&str> {
        let record = self.subscription(notice.campaign_id.as_ref()?.as_str())?.store().record()?;
        Some(record.name.as_str()).filter(|name| !name.is_empty())
    }

    /// The campaigns that have a subscription.
    pub fn campaigns(&self) -> impl Iterator<Item = &CampaignId> {
        self.router.subscriptions.values().map(Subscription::id)
    }

    /// The connection, for tests and diagnostics.
    pub const fn connection(&self) -> &Connection {
        &self.router.connection
    }

    /// The available keys, for opening content that the application receives outside the socket.
    #[cfg(feature = "encrypted")]
    pub const fn keys(&self) -> Option<&crate::protocol::seal::Keys> {
        self.router.cx.encryption.keys()
    }

    /// Handles every input except frames, which take a faster path.
    fn handle_control_input(&mut self, input: Input<'_>) -> Outcome {
        let mut outcome = Outcome::default();
        let Router { cx, connection, subscriptions, catalogue, .. } = &mut self.router;
        match input {
            Input::Connect => connection.connect(cx),
            Input::Pause => {
                let event = connection.pause(cx);
                self.router.on_connection_event(event);
            }
            Input::Close => {
                let event = connection.close(cx);
                self.router.on_connection_event(Some(event));
            }
            Input::Reset => self.router.reset(),
            Input::Retain(campaign_id) => self.on_retain(&campaign_id),
            Input::Release(campaign_id) => outcome.ignored_late = !self.on_release(&campaign_id),
            Input::RetainCatalogue => catalogue.retain(cx),
            Input::ReleaseCatalogue => outcome.ignored_late = !catalogue.release(cx),
            Input::Opened(id) if connection.socket() == Some(id) => {
                connection.on_opened(cx);
            }
            Input::Closed(id, code) if connection.socket() == Some(id) => {
                let event = connection.on_closed(cx, code);
                self.router.on_connection_event(Some(event));
            }
            Input::Opened(_) | Input::Closed(..) => outcome.ignored_late = true,
            Input::Received(connection, frame) => return self.router.on_frame(connection, frame),
            Input::Woke(wake) => connection.on_wake(cx, wake),
            Input::Token(ticket, token) if connection.awaits_token(ticket) => {
                let event = connection.on_token(cx, token);
                self.router.on_connection_event(event);
            }
            Input::Renewed(ticket, answer) if connection.awaits_renewal(ticket) => {
                let event = connection.on_renewed(cx, answer);
                self.router.on_connection_event(event);
            }
            Input::Token(..) | Input::Renewed(..) => outcome.ignored_late = true,
            Input::Snapshot(ticket, json) => return self.on_fetched(ticket, json),
            Input::WaitForPosition(campaign_id, position, ticket) => {
                self.on_wait_for_position(&campaign_id, position, ticket);
            }
            Input::CancelWait(campaign_id, ticket) => {
                if let Some(subscription) = subscriptions.get_mut(campaign_id.as_str()) {
                    subscription.replica_mut().cancel_wait(ticket);
                }
            }
            Input::Refresh(campaign_id) => outcome.ignored_late = !self.on_refresh(&campaign_id),
            #[cfg(feature = "encrypted")]
            Input::Seal => cx.encryption.enable(),
            #[cfg(feature = "encrypted")]
            Input::AddKey(kid, key) => {
                cx.encryption.add_key(kid, key);
                self.router.each(|subscription, cx| subscription.replica_mut().on_key(cx));
            }
            Input::DiscardUnconfirmed(campaign_id) => {
                if let Some(subscription) = subscriptions.get_mut(campaign_id.as_str()) {
                    subscription.replica_mut().discard_unconfirmed(cx);
                }
            }
        }
        outcome
    }

    /// Advances the current time. The monotonic clock never goes back: an earlier reading is ignored.
    /// If the wall clock ran ahead of the monotonic clock, or a timer fired late, the page has slept.
    fn note_time(&mut self, now: Now) {
        let Router { cx, connection, .. } = &mut self.router;
        let before = cx.now;
        let at = now.at.max(before.at);
        cx.now = Now { at, wall_ms: now.wall_ms };
        if before == Now::default() {
            return;
        }
        let jumped = now.jump_since(before) > WAKE_JUMP_MS as i64;
        let late = at > self.timer + WAKE_JUMP_MS;
        if jumped || late {
            self.timer = Timestamp::NEVER;
            connection.on_wake(cx, Wake::Visible);
        }
    }

    /// Runs everything whose deadline has passed.
    fn on_time(&mut self) {
        self.router.on_time();
        let wanted = self.wants_polling();
        if self.polling.on_time(&mut self.router.cx, wanted) {
            let Router { cx, subscriptions, .. } = &mut self.router;
            for subscription in subscriptions.values() {
                self.polling.fetch(cx, subscription.id());
            }
        }
        self.router.announce_statuses();
        self.router.poll_heartbeat();
    }

    /// Whether the machine polls snapshots. It does so when the connection has failed so often that
    /// users should see polled data rather than no new data.
    fn wants_polling(&self) -> bool {
        let Router { cx, connection, .. } = &self.router;
        cx.config.has_fetch_snapshot
            && connection.failures() >= POLLING_AFTER_ATTEMPTS
            && matches!(connection.state(), ConnectionState::Attempting { .. })
    }

    fn on_retain(&mut self, campaign_id: &CampaignId) {
        let Router { cx, subscriptions, .. } = &mut self.router;
        cx.mark_changed(campaign_id);
        let subscription = subscriptions.get_or_insert(campaign_id, || {
            let mut subscription = Subscription::new(campaign_id.clone(), &cx.config);
            if cx.is_connected() {
                subscription.replica_mut().on_open(cx);
            }
            subscription
        });
        subscription.retain(cx);
    }

    /// Returns whether the application retained the campaign.
    fn on_release(&mut self, campaign_id: &CampaignId) -> bool {
        let Router { cx, subscriptions, .. } = &mut self.router;
        let subscription = subscriptions.get_mut(campaign_id.as_str());
        subscription.is_some_and(|it| it.release(cx))
    }

    fn on_wait_for_position(
        &mut self,
        campaign_id: &CampaignId,
        position: Position,
        ticket: Ticket,
    ) {
        let Router { cx, connection, subscriptions, .. } = &mut self.router;
        match subscriptions.get_mut(campaign_id.as_str()) {
            Some(subscription) => {
                let terminal = connection.terminal();
                subscription.replica_mut().wait_for(cx, position, ticket, terminal);
            }
            None => cx.effect(Effect::Settle(ticket, Some(Code::UnknownCampaign))),
        }
    }

    /// Handles a refresh request. Returns whether it is accepted: at most once per
    /// [`REFRESH_MS`](super::config::REFRESH_MS).
    fn on_refresh(&mut self, campaign_id: &CampaignId) -> bool {
        let Router { cx, subscriptions, .. } = &mut self.router;
        let subscription = subscriptions.get_mut(campaign_id.as_str());
        let accepted = subscription.is_some_and(|it| it.refresh(cx));
        let status = self.status(campaign_id.as_str(), self.router.cx.now);
        if accepted && !matches!(status, Some(Status::Live)) {
            self.polling.fetch(&mut self.router.cx, campaign_id);
        }
        accepted
    }

    /// Handles the application's answer to a fetch.
    fn on_fetched(&mut self, ticket: Ticket, json: Option<&str>) -> Outcome {
        let mut outcome = Outcome::default();
        let Some(fetch) = self.polling.take(&self.router.cx, ticket) else {
            outcome.ignored_late = true;
            return outcome;
        };
        let opened = json.ok_or(Code::FetchFailed);
        let opened = opened
            .and_then(|json| self.router.cx.encryption.open_fetched(&fetch.campaign_id, json));
        let mut reader = Reader::new(opened.as_deref().unwrap_or_default());
        let read =
            opened.as_ref().map_err(|code| *code).and_then(|_| RestSnapshot::read(&mut reader));
        let taken = read.and_then(|snapshot| self.take_fetched(&fetch, &snapshot));
        if let Err(code) = taken {
            outcome.refused = Some(code);
            self.router.refuse_for(code, Some(&fetch.campaign_id), reader.violation);
        }
        outcome
    }

    fn take_fetched(&mut self, fetch: &Fetch, snapshot: &RestSnapshot<'_>) -> Result<(), Code> {
        let id = fetch.campaign_id.as_str();
        if snapshot.campaign_id.is_some_and(|theirs| !theirs.is(id)) {
            return Err(Code::InvalidContent);
        }
        // A fetched snapshot is ignored while a socket is open: the socket brings the same state or a
        // newer one. It is also ignored while the session is refused (R7.7).
        let link = self.router.link_state();
        if matches!(link, LinkState::Connected | LinkState::Failed(Code::Forbidden)) {
            return Ok(());
        }
        let staging = Staging::complete(snapshot)?;
        if let Some(subject) = snapshot.subject {
            self.router.identify(Some(&subject.value()));
        }
        let Router { cx, subscriptions, .. } = &mut self.router;
        if let Some(subscription) = subscriptions.get_mut(id)
            && subscription.is_active()
        {
            subscription.replica_mut().on_rest_snapshot(cx, fetch.began, staging);
        }
        Ok(())
    }
}
