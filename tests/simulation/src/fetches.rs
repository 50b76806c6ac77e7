//! Snapshots that a page fetches outside the socket, as REST answers them, and the faults of these
//! answers.

use campaign_sync::sync::Input;
use campaign_sync::sync::input::Ticket;

use super::faults::Fault;
use super::invariants::{Check, demand};
use super::oracle::Progress;
use super::server::wire;
use super::users::User;
use super::world::World;

/// The answer to a fetch.
#[derive(Clone, Debug)]
pub(crate) struct Fetched {
    json: String,
    /// Whether the answer lacks its position.
    no_position: bool,
    /// The user who fetched it, and how often the client had dropped everything until then.
    session: Option<(User, u64)>,
}

impl World {
    /// The state as REST answers it, or `None` if the request fails. The state may be outdated on
    /// arrival, or already when it is read.
    pub(crate) fn fetch(&mut self, number: usize, id: &str) -> Option<Fetched> {
        let session =
            self.clients[number].page_user.map(|page_user| (page_user.cookie, page_user.sign_outs));
        let user = session.map(|(user, _)| user);
        if self.now_ms < self.server.down_until_ms
            || self.rng.chance(self.levels.of(Fault::Refuse) / 2)
        {
            return None;
        }
        if !self.server.storage.owners.show(id, user) {
            return None;
        }
        let lags = self.later_rng.chance(self.levels.of(Fault::LagFetch));
        let view = self.server.storage.campaigns.get(id)?.view(
            self.now_ms,
            if lags { self.plan.lag_ms } else { 0 },
            false,
        );
        if view.head < view.log.head() {
            self.totals.fault(Fault::LagFetch.counted_as());
        }
        let place = wire::EventPosition {
            campaign: id,
            epoch: &view.log.epoch,
            number: view.head,
            event: view.log.event_id(view.head),
            previous: None,
        };
        let state = view.state();
        if self.later_rng.chance(self.levels.of(Fault::NoPosition)) {
            self.totals.fault(Fault::NoPosition.counted_as());
            let json = wire::answer_without_place(id, state)?;
            return Some(Fetched { json, no_position: true, session });
        }
        let mut json = wire::answer(place, state)?;
        if let Some(user) = user {
            json = json.replacen('{', &format!("{{\"subject\":\"{}\",", user.subject()), 1);
        }
        Some(Fetched { json, no_position: false, session })
    }

    /// Completes a fetch, successfully or not.
    pub(crate) fn fetched(
        &mut self,
        number: usize,
        page_load: u64,
        ticket: Ticket,
        answer: Option<Fetched>,
    ) -> Check {
        let client = &mut self.clients[number];
        if client.page_load != page_load {
            return Ok(());
        }
        let Some(Fetched { json, no_position, session }) = answer else {
            return self.feed(number, Input::Snapshot(ticket, None));
        };
        let before = Progress::of(client);
        let late = client
            .page_user
            .zip(session)
            .is_some_and(|(page_user, (_, sign_outs))| page_user.sign_outs != sign_outs);
        if let Some(page_user) = &mut client.page_user {
            page_user.source = session.map(|(user, _)| user);
        }
        self.feed(number, Input::Snapshot(ticket, Some(&json)))?;
        let step = Progress::of(&self.clients[number]).since(before);
        demand(!late || step == Progress::default(), "G14", || {
            format!("a fetch of a former session led to {step:?}")
        })?;
        demand(!no_position || step == Progress::default(), "G13", || {
            format!("a snapshot without a position led to {step:?}")
        })
    }
}
