//! Answering what was asked, in the order in which it was.

use campaign_sync::protocol::{CampaignId, Code};

use super::answer::Ask;
use super::cursor::Cursor;
use super::limits::Bucket;
use super::message::Recover;
use super::{Frame, Request, Session, Step, reply};
use crate::clock::Moment;
use crate::log::{Head, LogError};

impl Session {
    pub(super) fn answer(
        &mut self,
        now: Moment,
        request: Request,
    ) -> Result<Option<Step>, LogError> {
        let said = match request {
            Request::Say(text) => Some(text),
            Request::Pong(echo) => return Ok(Some(Step::Frame(self.pong(now, echo)))),
            Request::Close(code, reason) => return Ok(Some(Step::Close(code, reason))),
            Request::Subscribe(campaign) => self.subscribe(now, campaign)?,
            Request::Unsubscribe(campaign) => {
                self.leave(&campaign);
                Some(reply::ended(now, &campaign, "unsubscribed"))
            }
            Request::Seek(wanted) => self.seek(now, wanted)?,
            Request::Ask(campaign, ask) => self.ask(now, &campaign, ask),
        };
        Ok(said.map(|text| Step::Frame(Frame::control(text))))
    }

    /// The head of a campaign, if it exists for this session.
    fn visible(&self, campaign: &CampaignId) -> Result<Option<Head>, LogError> {
        let hub = &self.context.hub;
        let Some(identity) = &self.identity else { return Ok(None) };
        if hub.is_visible(campaign, identity)? { hub.head(campaign) } else { Ok(None) }
    }

    fn leave(&mut self, campaign: &CampaignId) {
        if let Ok(at) = self.find(campaign) {
            self.cursors.remove(at);
            self.left(campaign);
        }
    }

    /// A subscription has ended.
    pub(super) fn left(&self, campaign: &CampaignId) {
        self.metrics().subscriptions.dec();
        self.context.hub.unfollow(campaign, &self.wake);
    }

    /// The place of a campaign's cursor, or where it would be.
    fn find(&self, campaign: &CampaignId) -> Result<usize, usize> {
        self.cursors.binary_search_by(|cursor| cursor.campaign.cmp(campaign))
    }

    fn cursor(&mut self, campaign: &CampaignId) -> Option<&mut Cursor> {
        self.find(campaign).ok().map(|at| &mut self.cursors[at])
    }

    fn subscribe(&mut self, now: Moment, campaign: CampaignId) -> Result<Option<String>, LogError> {
        let Some(head) = self.visible(&campaign)? else {
            let text = "there is no such campaign";
            return Ok(Some(reply::error(now, Code::UnknownCampaign, text, Some(&campaign), None)));
        };
        if let Err(at) = self.find(&campaign) {
            if self.cursors.len() >= self.context.delivery.max_subscriptions {
                let text = "too many subscriptions on this connection";
                let error = reply::error(now, Code::TooMany, text, Some(&campaign), None);
                return Ok(Some(error));
            }
            self.context.hub.follow(&campaign, &self.wake)?;
            self.metrics().subscriptions.inc();
            let burst = 4 * self.context.delivery.recoveries_per_second;
            let seeks = Bucket::full(now.monotonic_ms, burst);
            self.cursors.insert(at, Cursor::new(campaign.clone(), seeks));
        }
        let confirmed = reply::confirmed(now, &campaign, self.context.hub.epoch(), &head);
        Ok(Some(confirmed))
    }

    fn seek(&mut self, now: Moment, wanted: Recover) -> Result<Option<String>, LogError> {
        let request = wanted.request.as_deref();
        if let Ok(at) = self.find(&wanted.campaign) {
            let cursor = &mut self.cursors[at];
            // What failed is tried again without being counted again.
            if self.failures == 0
                && let Err(after_ms) = cursor.may_seek(now, &self.context)
            {
                self.metrics().rate_limited.get_or_create(&[("what", "recoveries")]).inc();
                return Ok(Some(reply::rate_limited(now, &wanted.campaign, request, after_ms)));
            }
            return cursor.seek(now, &self.context, wanted);
        }
        if self.visible(&wanted.campaign)?.is_none() {
            return Ok(Some(reply::unknown_campaign(now, &wanted.campaign, request)));
        }
        Ok(Some(not_subscribed(now, &wanted.campaign, request)))
    }

    fn ask(&mut self, now: Moment, campaign: &CampaignId, ask: Ask) -> Option<String> {
        match self.cursor(campaign) {
            Some(cursor) => {
                cursor.ask(ask);
                None
            }
            None => Some(not_subscribed(now, campaign, ask.request.as_deref())),
        }
    }

    pub(super) fn pong(&self, now: Moment, echo: Option<u64>) -> Frame {
        let hub = &self.context.hub;
        let heads = self.cursors.iter().filter_map(|cursor| {
            let campaign = &cursor.campaign;
            let (head, written) = (hub.known_head(campaign)?, cursor.written()?);
            hub.metrics.lag_events.observe(head.number.saturating_sub(written) as f64);
            Some(reply::head(campaign, hub.epoch(), written, &head))
        });
        Frame::control(reply::pong(now, echo, heads.collect()))
    }
}

fn not_subscribed(now: Moment, campaign: &CampaignId, request: Option<&str>) -> String {
    let text = "this connection is not subscribed to the campaign";
    reply::error(now, Code::InvalidMessage, text, Some(campaign), request)
}
