//! Answers requests in the order of arrival.

use campaign_sync::protocol::{CampaignId, Code};

use super::context::PollContext;
use super::cursor::Cursor;
use super::message::{CatalogueRequest, ClientMessage, Recover, StateQuery};
use super::{Frame, Request, Session, Step, reply};
use crate::access::Secret;
use crate::campaign::BUSY_RETRY_MS;
use crate::clock::Moment;
use crate::log::{Head, LogError, Result};

/// Heads in the answers to pings of one connection, per second. Each head has about 300 bytes.
const HEADS_PER_SECOND: u32 = 512;

/// The shortest delay for a session over its rate limit, in milliseconds.
const SESSION_PAUSE_MS: u64 = 1_000;

impl Session {
    pub(super) fn answer(&mut self, now: Moment, request: Request) -> Result<Option<Step>> {
        let message = match request {
            Request::Greet { token, binary } => {
                let reply = self.authenticate(now, token.as_ref().map(Secret::expose), binary);
                return Ok(Some(Step::Frame(Frame::control(reply))));
            }
            Request::Reply(text) => return Ok(Some(Step::Frame(Frame::control(text)))),
            Request::Close(code, reason) => return Ok(Some(Step::Close(code, reason))),
            Request::Client(message) => message,
        };
        let reply = match message {
            // A second `connection_init` was refused on arrival.
            ClientMessage::Init { .. } => None,
            ClientMessage::Ping(echo) => return Ok(Some(Step::Frame(self.pong(now, echo)))),
            ClientMessage::Subscribe(campaign) => Some(self.subscribe(now, &campaign)?),
            ClientMessage::Unsubscribe(campaign) => {
                self.unsubscribe(&campaign);
                Some(reply::ended(now, &campaign, "unsubscribed"))
            }
            ClientMessage::SubscribeCatalogue(request) => self.subscribe_catalogue(now, request)?,
            ClientMessage::UnsubscribeCatalogue => {
                self.unsubscribe_catalogue(now.monotonic_ms);
                None
            }
            ClientMessage::Recover(recover) => self.seek(now, recover)?,
            ClientMessage::StateQuery(query) => self.queue_query(now, query),
        };
        Ok(reply.map(|text| Step::Frame(Frame::control(text))))
    }

    /// Whether a ping must wait because its answer has too many heads. The pings behind it wait, too.
    pub(super) fn must_wait(&mut self, now: Moment, request: &Request) -> bool {
        if !matches!(request, Request::Client(ClientMessage::Ping(_))) {
            return false;
        }
        let (now_ms, heads) = (now.monotonic_ms, self.cursors.len());
        let own = self.heads.take_many(now_ms, HEADS_PER_SECOND, 4, heads as f64);
        let of_user = |()| self.quota.as_ref().map_or(Ok(()), |quota| quota.heads(now_ms, heads));
        let Err(after_ms) = own.and_then(of_user) else { return false };
        self.postponed.wait_until(now_ms, now_ms + after_ms);
        self.metrics().rate_limited.get_or_create(&[("what", "heads")]).inc();
        true
    }

    /// Waits with a request for which the server is busy, or refuses it.
    pub(super) fn postpone(
        &mut self,
        now: Moment,
        error: LogError,
        request: &Request,
    ) -> Result<Option<Step>> {
        let Request::Client(request) = request else { return Err(error) };
        let refuse = match request {
            ClientMessage::Recover(Recover { campaign, request, .. }) => {
                reply::rate_limited(now, campaign, request.as_deref(), BUSY_RETRY_MS)
            }
            ClientMessage::SubscribeCatalogue(CatalogueRequest { request, .. }) => {
                reply::catalogue_busy(now, request.as_deref(), BUSY_RETRY_MS)
            }
            ClientMessage::Init { .. }
            | ClientMessage::Subscribe(_)
            | ClientMessage::Unsubscribe(_)
            | ClientMessage::StateQuery(_)
            | ClientMessage::UnsubscribeCatalogue
            | ClientMessage::Ping(_) => return Err(error),
        };
        match error {
            LogError::Busy if self.postponed.wait(now.monotonic_ms) => Ok(None),
            LogError::Busy | LogError::QuotaExceeded => {
                self.metrics().rate_limited.get_or_create(&[("what", "snapshots")]).inc();
                Ok(Some(Step::Frame(Frame::control(refuse))))
            }
            LogError::Conflict { .. }
            | LogError::UnknownCampaign
            | LogError::Rejected(_)
            | LogError::Storage(_) => Err(error),
        }
    }

    /// The head of a campaign, if it exists for this session.
    fn visible(&self, campaign: &CampaignId) -> Result<Option<Head>> {
        let hub = &self.context.hub;
        let Some(identity) = &self.identity else { return Ok(None) };
        if hub.is_visible(campaign, identity)? { hub.head(campaign) } else { Ok(None) }
    }

    fn unsubscribe(&mut self, campaign: &CampaignId) {
        if let Ok(at) = self.find(campaign) {
            self.cursors.remove(at);
            self.on_unsubscribed(campaign);
        }
    }

    /// Cleans up after a subscription that has ended.
    pub(super) fn on_unsubscribed(&self, campaign: &CampaignId) {
        self.metrics().subscriptions.dec();
        self.context.hub.unfollow(campaign, &self.wake);
    }

    /// The index of a campaign's cursor, or the index to insert it at.
    fn find(&self, campaign: &CampaignId) -> Result<usize, usize> {
        self.cursors.binary_search_by(|cursor| cursor.campaign.cmp(campaign))
    }

    fn subscribe(&mut self, now: Moment, campaign: &CampaignId) -> Result<String> {
        let Some(head) = self.visible(campaign)? else {
            let text = "there is no such campaign";
            return Ok(reply::error(now, Code::UnknownCampaign, text, Some(campaign), None));
        };
        if let Err(at) = self.find(campaign) {
            if self.cursors.len() >= self.context.delivery.max_subscriptions {
                let text = "too many subscriptions on this connection";
                return Ok(reply::error(now, Code::TooMany, text, Some(campaign), None));
            }
            self.context.hub.follow(campaign, &self.wake)?;
            self.metrics().subscriptions.inc();
            self.cursors.insert(at, Cursor::new(campaign.clone()));
        }
        Ok(reply::confirmed(now, campaign, self.context.hub.epoch(), &head))
    }

    fn seek(&mut self, now: Moment, recover: Recover) -> Result<Option<String>> {
        let request = recover.request.as_deref();
        if let Ok(at) = self.find(&recover.campaign) {
            // A retry is not counted again.
            if !std::mem::replace(&mut self.is_counted, true)
                && let Some(refused) = self.check_rate(now, at, request)
            {
                return Ok(Some(refused));
            }
            let Some(quota) = &self.quota else { return Ok(None) };
            self.cursors[at].stop_waiting();
            let at_now = PollContext { now, context: &self.context, quota };
            return self.cursors[at].seek(at_now, recover);
        }
        if self.visible(&recover.campaign)?.is_none() {
            return Ok(Some(reply::unknown_campaign(now, &recover.campaign, request)));
        }
        Ok(Some(not_subscribed(now, &recover.campaign, request)))
    }

    fn queue_query(&mut self, now: Moment, query: StateQuery) -> Option<String> {
        let Ok(at) = self.find(&query.campaign) else {
            return Some(not_subscribed(now, &query.campaign, query.request.as_deref()));
        };
        let refused = self.check_rate(now, at, query.request.as_deref());
        if refused.is_none() {
            self.cursors[at].queue_query(query);
        }
        refused
    }

    /// Counts a request that reads the log, for its subscription and for its session. Returns the refusal if
    /// there are too many.
    fn check_rate(&mut self, now: Moment, at: usize, request: Option<&str>) -> Option<String> {
        let (cursor, delivery) = (&mut self.cursors[at], &self.context.delivery);
        let (now_ms, rate) = (now.monotonic_ms, delivery.session_recoveries_per_second);
        let within = cursor.requests.take(now_ms, delivery.recoveries_per_second, 4);
        let within = within.and_then(|()| {
            let Some(identity) = &self.identity else { return Ok(()) };
            let within = identity.try_query(now_ms, rate, &mut self.query_bucket);
            // A session over its limit has many subscriptions, and all of them would get the same short
            // delay.
            within.map_err(|after_ms| after_ms.max(SESSION_PAUSE_MS))
        });
        let campaign = &cursor.campaign;
        let refused = |after_ms| reply::rate_limited(now, campaign, request, after_ms);
        let refused = within.err().map(refused)?;
        self.metrics().rate_limited.get_or_create(&[("what", "recoveries")]).inc();
        Some(refused)
    }

    pub(super) fn pong(&self, now: Moment, echo: Option<u64>) -> Frame {
        let hub = &self.context.hub;
        let heads = self.cursors.iter().filter_map(|cursor| {
            let campaign = &cursor.campaign;
            let (head, written) = (hub.known_head(campaign)?, cursor.written()?);
            hub.metrics.lag_events.observe(head.number.saturating_sub(written) as f64);
            Some(reply::head(campaign, hub.epoch(), written, &head))
        });
        let catalogue = self.catalogue.as_ref().and_then(|cursor| cursor.head(now));
        Frame::control(reply::pong(now, echo, heads.collect(), catalogue))
    }
}

fn not_subscribed(now: Moment, campaign: &CampaignId, request: Option<&str>) -> String {
    let text = "this connection is not subscribed to the campaign";
    reply::error(now, Code::InvalidMessage, text, Some(campaign), request)
}
