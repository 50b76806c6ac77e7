//! Snapshots that the application fetches: while no socket can be opened, and on request.

use super::config::{FETCH_TIMEOUT_MS, POLLING_MS};
use super::context::Context;
use super::effect::Effect;
use super::input::Ticket;
use super::time::Timestamp;
use crate::protocol::CampaignId;

/// The fetches in flight, and the time of the next round.
#[derive(Clone, Debug, Default)]
pub(super) struct Polling {
    in_flight: Vec<Fetch>,
    /// `None` until a round is wanted and time has passed.
    next_round: Option<Timestamp>,
}

/// A fetch in flight.
#[derive(Clone, Debug)]
pub(super) struct Fetch {
    ticket: Ticket,
    pub(super) campaign_id: CampaignId,
    pub(super) began: Timestamp,
    /// [`Context::sessions`] when it began. The answer to a former or refused session is ignored.
    session: u64,
}

impl Fetch {
    /// When the fetch is given up.
    fn deadline(&self) -> Timestamp {
        self.began + FETCH_TIMEOUT_MS
    }
}

impl Polling {
    /// The next deadline: the next round of fetches if rounds are `wanted`, or the timeout of a fetch.
    pub(super) fn deadline(&self, wanted: bool) -> Timestamp {
        let round = self.next_round.filter(|_| wanted).unwrap_or(Timestamp::NEVER);
        self.in_flight.iter().fold(round, |soonest, fetch| soonest.min(fetch.deadline()))
    }

    /// Drops fetches that take too long. Returns whether a round of fetches is due, if rounds are
    /// `wanted`.
    pub(super) fn on_time(&mut self, cx: &mut Context, wanted: bool) -> bool {
        let now = cx.now.at;
        self.in_flight.retain(|fetch| fetch.deadline() > now);
        if !wanted {
            self.next_round = None;
            return false;
        }
        if self.next_round.is_some_and(|due| due > now) {
            return false;
        }
        let half = POLLING_MS / 2;
        let jitter = cx.rng.up_to(2 * half);
        self.next_round = Some(now + half + jitter);
        true
    }

    /// Asks the application for a campaign's snapshot, unless such a fetch is in flight.
    pub(super) fn fetch(&mut self, cx: &mut Context, campaign_id: &CampaignId) {
        self.in_flight.retain(|it| it.session == cx.sessions());
        let is_busy = self.in_flight.iter().any(|it| it.campaign_id == *campaign_id);
        if is_busy || !cx.config.has_fetch_snapshot {
            return;
        }
        let ticket = cx.ticket();
        let (campaign_id, began, session) = (campaign_id.clone(), cx.now.at, cx.sessions());
        let fetch = Fetch { ticket, campaign_id: campaign_id.clone(), began, session };
        self.in_flight.push(fetch);
        cx.effect(Effect::FetchSnapshot(ticket, campaign_id));
    }

    /// Removes and returns the fetch that the application answers, if it is still in flight.
    pub(super) fn take(&mut self, cx: &Context, ticket: Ticket) -> Option<Fetch> {
        let at = self.in_flight.iter().position(|it| it.ticket == ticket)?;
        Some(self.in_flight.swap_remove(at)).filter(|it| it.session == cx.sessions())
    }
}
