//! Requests of the catalogue.

use campaign_sync::protocol::Code;

use super::catalogue::{CatalogueCursor, is_offered};
use super::context::PollContext;
use super::message::CatalogueRequest;
use super::{Session, Step, reply};
use crate::catalogue::Source;
use crate::clock::Moment;
use crate::log::Result;

impl Session {
    /// Answers `subscribe_catalogue`. Blocks the first time for a user.
    pub(super) fn subscribe_catalogue(
        &mut self,
        now: Moment,
        request: CatalogueRequest,
    ) -> Result<Option<String>> {
        let id = request.request.as_deref();
        let hub = &self.context.hub;
        if !is_offered(hub) {
            let text = "this server has no catalogue";
            return Ok(Some(reply::error(now, Code::UnknownType, text, None, id)));
        }
        let (Some(identity), Some(quota)) = (&self.identity, &self.quota) else { return Ok(None) };
        // A retry is not counted again.
        if !std::mem::replace(&mut self.is_counted, true) {
            let rate = self.context.delivery.session_recoveries_per_second;
            let per_second = self.context.delivery.recoveries_per_second;
            let now_ms = now.monotonic_ms;
            let within = self.catalogue_requests.take(now_ms, per_second, 4);
            let within =
                within.and_then(|()| identity.try_query(now_ms, rate, &mut self.query_bucket));
            if let Err(after_ms) = within {
                hub.metrics.rate_limited.get_or_create(&[("what", "recoveries")]).inc();
                return Ok(Some(reply::catalogue_busy(now, id, after_ms)));
            }
        }
        let at = PollContext { now, context: &self.context, quota };
        let (log, epoch, in_flight) = (hub.log(), hub.epoch(), hub.in_flight());
        let source = Source { log, epoch, in_flight, quota };
        let turn = || self.context.snapshots.turn(Some(quota));
        let feed = hub.catalogues.take(source, identity, now.monotonic_ms, turn)?;
        let Some(feed) = feed else {
            let text = "there are too many campaigns for a catalogue";
            return Ok(Some(reply::error(now, Code::TooMany, text, None, id)));
        };
        let mut cursor = match self.catalogue.take() {
            Some(cursor) => cursor,
            None => CatalogueCursor::new(feed, self.wake.clone()),
        };
        let result = cursor.begin(at, request.from.as_ref(), (request.request, true));
        // A refused request leaves no subscription of which nothing was written.
        if result.is_ok() || cursor.has_written() {
            self.catalogue = Some(cursor);
        } else {
            cursor.end(now.monotonic_ms);
        }
        result.map(|()| None)
    }

    /// Handles `unsubscribe_catalogue`.
    pub(super) fn unsubscribe_catalogue(&mut self, now_ms: u64) {
        if let Some(cursor) = self.catalogue.take() {
            cursor.end(now_ms);
        }
    }

    /// The next frame of the catalogue.
    pub(super) fn next_of_catalogue(&mut self, now: Moment) -> Result<Step> {
        let (Some(cursor), Some(quota)) = (&mut self.catalogue, &self.quota) else {
            return Ok(Step::Idle);
        };
        cursor.poll(PollContext { now, context: &self.context, quota })
    }
}
