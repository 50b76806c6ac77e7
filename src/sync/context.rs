//! The state that all parts of the machine share: current time, limits, counters, source of jitter and
//! the queue of effects.

use super::backoff::full_jitter_ms;
use super::config::{BACKOFF_MAX_MS, Config, RECOVERY_DEADLINE_MS};
use super::effect::Effect;
use super::encryption::Encryption;
use super::input::{ConnectionId, Ticket};
use super::log::{Level, LogRecord, LogSubject};
use super::notice::{Detail, Notice};
use super::queue::Queue;
use super::rng::Rng;
use super::time::{Now, Timestamp};
use crate::protocol::json::RawStr;
use crate::protocol::write::push_decimal;
use crate::protocol::{CampaignId, SequenceNumber};

use super::metrics::Metrics;

/// The record of a campaign, in [`ViewChange::content`].
pub const RECORD: u8 = 1;
/// The rows of a campaign, in [`ViewChange::content`].
pub const ROWS: u8 = 2;

/// A campaign whose view changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewChange {
    /// The campaign.
    pub campaign_id: CampaignId,
    /// The content that changed after the last invalidation of all cached data: [`RECORD`], [`ROWS`], both
    /// or 0.
    pub content: u8,
}

/// Identifies one request to the server, within this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId(u64);

impl RequestId {
    /// The id on the wire.
    pub fn text(self) -> String {
        let mut id = String::from("r");
        push_decimal(&mut id, self.0);
        id
    }

    /// Whether `answered`, which the server sent, is this id.
    pub fn is(self, answered: RawStr<'_>) -> bool {
        answered.is(&self.text())
    }
}

/// The shared state of one machine.
#[derive(Clone, Debug)]
pub struct Context {
    /// The current time.
    pub now: Now,
    /// Limits and delays.
    pub config: Config,
    /// Counters.
    pub metrics: Metrics,
    /// The source of jitter.
    pub rng: Rng,
    /// Whether content is sealed, and the keys.
    pub encryption: Encryption,
    /// The socket that is open and acknowledged, if there is one. Only the connection changes it.
    pub(super) socket: Option<ConnectionId>,
    effects: Queue<Effect>,
    changed: Vec<ViewChange>,
    catalogue_changed: bool,
    ping_requested: bool,
    tickets: u64,
    requests: u64,
    sessions: u64,
}

impl Context {
    /// Creates a context. The seed affects only jitter.
    pub fn new(config: Config, seed: u64) -> Self {
        Self {
            now: Now::default(),
            config,
            metrics: Metrics::default(),
            rng: Rng::new(seed),
            encryption: Encryption::default(),
            socket: None,
            effects: Queue::new(),
            changed: Vec::new(),
            catalogue_changed: false,
            ping_requested: false,
            tickets: 0,
            requests: 0,
            sessions: 0,
        }
    }

    /// Requests a ping before the next heartbeat, so that freshness is proven sooner.
    pub const fn request_ping(&mut self) {
        self.ping_requested = true;
    }

    /// Whether a ping was requested since the last call.
    pub const fn take_requested_ping(&mut self) -> bool {
        core::mem::replace(&mut self.ping_requested, false)
    }

    /// Queues an effect.
    pub fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Whether a socket is open and acknowledged.
    pub const fn is_connected(&self) -> bool {
        self.socket.is_some()
    }

    /// Sends on the open socket, if there is one.
    pub fn send(&mut self, message: String) {
        if let Some(connection) = self.socket {
            self.effect(Effect::Send(connection, message));
        }
    }

    /// Queues a notice for listeners.
    pub fn notify(&mut self, campaign_id: Option<&CampaignId>, detail: Detail) {
        self.effects.push(Effect::Notify(Notice { campaign_id: campaign_id.cloned(), detail }));
    }

    /// Queues a log record about the connection, if logging is enabled.
    pub fn log(
        &mut self,
        level: Level,
        event: &'static str,
        detail: Option<&'static str>,
        value: Option<u64>,
    ) {
        self.log_about(LogSubject::default(), level, event, detail, value);
    }

    /// Queues a log record, if logging is enabled.
    pub fn log_about(
        &mut self,
        subject: LogSubject<'_>,
        level: Level,
        event: &'static str,
        detail: Option<&'static str>,
        value: Option<u64>,
    ) {
        if self.config.log {
            self.effects.push(Effect::Log(LogRecord {
                level,
                event,
                campaign_id: subject.campaign_id.cloned(),
                sequence_number: subject.sequence_number.map(SequenceNumber::get),
                event_id: subject.event_id.map(str::to_owned),
                detail,
                value,
            }));
        }
    }

    /// Records that a campaign's view changed. The driver receives one [`Effect::Changed`] until it
    /// takes the changes.
    pub fn mark_changed(&mut self, campaign_id: &CampaignId) {
        self.mark_content(campaign_id, 0);
    }

    /// Like [`Context::mark_changed`], for a change of the content: [`RECORD`], [`ROWS`] or both. Cached
    /// data of that content is void.
    pub fn mark_content(&mut self, campaign_id: &CampaignId, content: u8) {
        if let Some(change) = self.change_of(campaign_id) {
            change.content |= content;
            return;
        }
        if self.changed.is_empty() {
            self.effects.push(Effect::Changed);
        }
        self.changed.push(ViewChange { campaign_id: campaign_id.clone(), content });
    }

    /// Forgets which content of a campaign changed, because all its cached data is invalidated now.
    pub fn clear_content(&mut self, campaign_id: &CampaignId) {
        if let Some(change) = self.change_of(campaign_id) {
            change.content = 0;
        }
    }

    fn change_of(&mut self, campaign_id: &CampaignId) -> Option<&mut ViewChange> {
        self.changed.iter_mut().find(|it| it.campaign_id == *campaign_id)
    }

    /// Records that the view of the catalogue changed, as [`Context::mark_changed`] does.
    pub fn mark_catalogue_changed(&mut self) {
        if !core::mem::replace(&mut self.catalogue_changed, true) {
            self.effects.push(Effect::Changed);
        }
    }

    /// Returns the campaigns whose view changed since the last call.
    pub fn take_changes(&mut self) -> Vec<ViewChange> {
        core::mem::take(&mut self.changed)
    }

    /// Returns whether the view of the catalogue changed since the last call.
    pub const fn take_catalogue_change(&mut self) -> bool {
        core::mem::replace(&mut self.catalogue_changed, false)
    }

    /// Begins the data of another session: first the driver empties its side. The queued notices about
    /// campaigns belong to the former session, so listeners do not receive them.
    pub fn sign_out(&mut self) {
        self.void_fetches();
        let of_campaign = |effect: &Effect| matches!(effect, Effect::Notify(notice) if notice.campaign_id.is_some());
        self.effects.retain(|effect| !of_campaign(effect));
        self.effect(Effect::SignedOut);
    }

    /// Makes the client ignore the answers to all fetches that have begun.
    pub const fn void_fetches(&mut self) {
        self.sessions += 1;
    }

    /// The number of sessions whose data was dropped, and of refusals.
    pub const fn sessions(&self) -> u64 {
        self.sessions
    }

    /// The next effect to perform.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop()
    }

    /// Whether there are effects to perform.
    pub const fn has_effects(&self) -> bool {
        !self.effects.is_empty()
    }

    /// Returns the time of the next attempt after a server requested a pause of `ms` milliseconds. The
    /// pause is at most [`Config::retry_after_max_ms`]. Jitter of up to half the pause is added, so
    /// that clients do not return all at once.
    pub fn retry_at(&mut self, ms: u64) -> Timestamp {
        let ms = ms.min(self.config.retry_after_max_ms);
        self.now.at + ms + self.rng.up_to(ms / 2)
    }

    /// Returns the delay before an attempt after so many failures, as [`full_jitter_ms`] does.
    pub fn backoff_ms(&mut self, failures: u32) -> u64 {
        full_jitter_ms(&mut self.rng, self.config.backoff_base_ms, BACKOFF_MAX_MS, failures)
    }

    /// Returns a new ticket.
    pub const fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    /// Returns the id of a new request to the server.
    pub const fn request_id(&mut self) -> RequestId {
        self.requests += 1;
        RequestId(self.requests)
    }

    /// When a request is given up that the server does not answer from now on.
    pub fn request_deadline(&self) -> Timestamp {
        self.now.at + RECOVERY_DEADLINE_MS
    }
}
