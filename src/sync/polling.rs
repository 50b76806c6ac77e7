//! Snapshots that the application fetches: while no socket can be had, and on request.

use super::connection::Connection;
use super::effect::Effect;
use super::input::Ticket;
use super::machine::Machine;
use super::outcome::Outcome;
use super::subscription::Fate;
use super::{Timestamp, status::Status};
use crate::protocol::snapshot::RestSnapshot;
use crate::protocol::{CampaignId, Code, Position};
use crate::store::Staging;

/// Fetches that the application is busy with, and when the next round is due.
#[derive(Clone, Debug, Default)]
pub struct Fetches {
    under_way: Vec<Fetch>,
    next_poll: Option<Timestamp>,
}

/// One fetch.
#[derive(Clone, Debug)]
struct Fetch {
    ticket: Ticket,
    campaign_id: CampaignId,
    began: Timestamp,
}

impl Machine {
    /// When the next round of polling is due, or a fetch is given up.
    pub(super) fn polling_deadline(&self) -> Option<Timestamp> {
        let round = self.fetches.next_poll.filter(|_| self.polls());
        let timeout = self.cx.config.fetch_timeout_ms;
        let fetches = self.fetches.under_way.iter().map(|fetch| fetch.began + timeout);
        fetches.chain(round).min()
    }

    /// Without a socket for so long that people should see something rather than nothing new.
    fn polls(&self) -> bool {
        self.cx.config.has_fetch_snapshot
            && self.attempts.failures >= self.cx.config.polling_after_attempts
            && self.cx.socket.is_none()
            && self.connection.is_wanted()
    }

    /// Fetches what is due.
    pub(super) fn on_polling_time(&mut self) {
        let now = self.cx.now.at;
        let timeout = self.cx.config.fetch_timeout_ms;
        let is_late = |fetch: &Fetch| fetch.began + timeout <= now;
        self.fetches.under_way.retain(|fetch| !is_late(fetch));
        if !self.polls() {
            self.fetches.next_poll = None;
            return;
        }
        if self.fetches.next_poll.is_some_and(|due| due > now) {
            return;
        }
        let half = self.cx.config.polling_ms / 2;
        let jitter = self.cx.rng.up_to(2 * half);
        self.fetches.next_poll = Some(now + half + jitter);
        let ids: Vec<CampaignId> = self.subscriptions.values().map(|it| it.id.clone()).collect();
        for id in ids {
            self.fetch(id);
        }
    }

    /// Whether the application is busy with that campaign's snapshot.
    pub(super) fn is_fetching(&self, campaign_id: &CampaignId) -> bool {
        self.fetches.under_way.iter().any(|it| it.campaign_id == *campaign_id)
    }

    /// Asks the application for a campaign's snapshot, unless it is busy with it already.
    pub(super) fn fetch(&mut self, campaign_id: CampaignId) {
        if self.is_fetching(&campaign_id) || !self.cx.config.has_fetch_snapshot {
            return;
        }
        let ticket = self.cx.ticket();
        let fetch = Fetch { ticket, campaign_id: campaign_id.clone(), began: self.cx.now.at };
        self.fetches.under_way.push(fetch);
        self.cx.effect(Effect::FetchSnapshot(ticket, campaign_id));
    }

    /// The application's answer.
    pub(super) fn on_fetched(&mut self, ticket: Ticket, json: Option<&str>) -> Outcome {
        let mut outcome = Outcome::default();
        let Some(at) = self.fetches.under_way.iter().position(|it| it.ticket == ticket) else {
            outcome.stale = true;
            return outcome;
        };
        let Fetch { campaign_id, began, .. } = self.fetches.under_way.swap_remove(at);
        let opened = json.ok_or(Code::FetchFailed);
        let opened = opened.and_then(|json| self.cx.sealing.open_fetched(&campaign_id, json));
        let read = opened.as_deref().map_err(|code| *code).and_then(RestSnapshot::read);
        let taken = read.and_then(|snapshot| self.take_fetched(&campaign_id, began, &snapshot));
        if let Err(code) = taken {
            outcome.refused = Some(code);
            self.refuse(code, Some(campaign_id));
        }
        outcome
    }

    fn take_fetched(
        &mut self,
        id: &CampaignId,
        began: Timestamp,
        snapshot: &RestSnapshot<'_>,
    ) -> Result<(), Code> {
        if snapshot.campaign_id.as_deref().is_some_and(|theirs| theirs != id.as_str()) {
            return Err(Code::InvalidContent);
        }
        let connected = matches!(self.connection, Connection::Open { .. });
        let Some(subscription) = self.subscriptions.get_mut(id.as_str()) else { return Ok(()) };
        if subscription.fate != Fate::Open {
            return Ok(());
        }
        // The socket is the better source: it will bring this state, or a newer one.
        if connected {
            return Ok(());
        }
        let staging = Staging::complete(snapshot)?;
        // The answer may be older than what something else told of since: of two logs, only who asked
        // while following the one learns that the other has replaced it.
        let is_other = |here: &Position| here.epoch != snapshot.position.epoch;
        let is_late = subscription.store.position().is_some_and(is_other)
            && subscription.is_newer_than(began);
        if is_late || (subscription.would_go_back(&staging) && !planted!(FetchGoesBack)) {
            return Ok(());
        }
        subscription.polled = true;
        subscription.install(&mut self.cx, staging);
        subscription.settle_reached(&mut self.cx);
        Ok(())
    }

    /// The application wants fresh data. Tells whether it is obeyed: once a second.
    pub(super) fn on_refresh(&mut self, campaign_id: &CampaignId) -> bool {
        let now = self.cx.now.at;
        let every = self.cx.config.refresh_ms;
        let Some(subscription) = self.subscriptions.get_mut(campaign_id.as_str()) else {
            return false;
        };
        if subscription.last_refresh.is_some_and(|last| now.since(last) < every) {
            return false;
        }
        subscription.last_refresh = Some(now);
        subscription.invalidate(&mut self.cx, "force_refresh");
        self.cx.ping_wanted = true;
        let status = self.status(campaign_id.as_str(), self.cx.now);
        if status != Some(Status::Live) {
            self.fetch(campaign_id.clone());
        }
        true
    }
}
