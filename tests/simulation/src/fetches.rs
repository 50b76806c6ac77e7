//! Snapshots that a page fetches outside the socket: what a plain request would be answered, and what
//! goes wrong with that.

use std::rc::Rc;

use campaign_sync::sync::Input;
use campaign_sync::sync::input::Ticket;

use super::faults::Fault;
use super::invariants::Check;
use super::server::state::State;
use super::server::wire;
use super::world::World;

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Fetched {
    json: String,
    campaign: String,
    /// The state, where the answer does not say of which number it is.
    unplaced: Option<Rc<State>>,
}

impl World {
    /// The state as a plain request would get it; it may be old when it arrives, or even before.
    pub(crate) fn fetch(&mut self, id: &str) -> Option<Fetched> {
        if self.now_ms < self.server.down_until_ms
            || self.rng.chance(self.levels.of(Fault::Refuse) / 2)
        {
            return None;
        }
        let lags = self.apart_rng.chance(self.levels.of(Fault::LagFetch));
        let view = self.server.shelf.campaigns.get(id)?.view(
            self.now_ms,
            if lags { self.plan.lag_ms } else { 0 },
            false,
        );
        if view.head < view.log.head() {
            self.tally.fault(Fault::LagFetch.counted_as());
        }
        let place = wire::Place {
            campaign: id,
            epoch: &view.log.epoch,
            number: view.head,
            event: view.log.event_id(view.head),
            previous: None,
        };
        let (campaign, state) = (id.to_owned(), view.state());
        if self.apart_rng.chance(self.levels.of(Fault::Unplaced)) {
            self.tally.fault(Fault::Unplaced.counted_as());
            let json = wire::answer_without_place(id, state)?;
            return Some(Fetched { json, campaign, unplaced: Some(state.clone()) });
        }
        Some(Fetched { json: wire::answer(place, state)?, campaign, unplaced: None })
    }

    /// A fetch ends, well or not.
    pub(crate) fn fetched(
        &mut self,
        number: usize,
        visit: u64,
        ticket: Ticket,
        answer: Option<Fetched>,
    ) -> Check {
        let client = &mut self.clients[number];
        if client.visit != visit {
            return Ok(());
        }
        let Some(Fetched { json, campaign, unplaced }) = answer else {
            return self.feed(number, Input::Snapshot(ticket, None));
        };
        // Once v1 is spoken nothing is taken that cannot be placed in its log; nor, where content is
        // sealed, what anybody could have written.
        let may_be_taken = !client.conversation.is_greeted() && !self.server.shelf.manners.seals;
        if let Some(watch) = client.watches.get_mut(&campaign).filter(|_| may_be_taken) {
            watch.offered = unplaced;
        }
        let check = self.feed(number, Input::Snapshot(ticket, Some(&json)));
        if let Some(watch) = self.clients[number].watches.get_mut(&campaign) {
            watch.offered = None;
        }
        check
    }
}
