//! Worlds in which the pages also show the list of campaigns. A page shows exactly the list that the server
//! wrote at the number that the client states, for the user that the client knows. While the list is `live`,
//! the server had it less than ten seconds ago.

use campaign_sync::protocol::Code;
use campaign_sync::protocol::catalogue::Summary;
use campaign_sync::sync::{Input, Status};

use super::client::Client;
use super::faults::{Fault, Plan};
use super::invariants::{Check, Violation, demand};
use super::kinds;
use super::network::LinkId;
use super::oracle;
use super::regressions;
use super::rng::Rng;
use super::server::catalogue::List;
use super::server::{Document, Kind, ServerEnd, Storage};
use super::world::World;
use super::written::WrittenLists;

/// While the list is `live`, it is at most this old.
const LIVE_AGE_MS: u64 = 10_000;

/// Whether the pages of that seed show the list of campaigns.
pub(crate) fn has_list(seed: u64) -> bool {
    let (mut rng, mut apart, mut third) = (Rng::new(seed), Rng::apart(seed), Rng::third(seed));
    let plan = Plan::of(seed, &mut rng, &mut apart, &mut third);
    is_in(seed, plan.levels.of(Fault::Revert) > 0)
}

/// Whether the pages of that seed show the list. A seed that failed before there were lists does not.
fn is_in(seed: u64, plan_reverts: bool) -> bool {
    let kind = kinds::Kind::of(seed) != kinds::Kind::Sealed;
    // A log that goes back under the same name breaks the contract of the list beyond repair.
    kind && !seed.is_multiple_of(3) && !plan_reverts && !regressions::is_known(seed)
}

/// The lists of a world.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    /// Draws what concerns the lists; `None` in a world without them.
    pub(crate) rng: Option<Rng>,
    /// The lists that the server wrote.
    written: WrittenLists,
    /// The first mistake of the server.
    mistake: Option<Violation>,
}

/// The lists of that seed's world.
pub(crate) fn lists(seed: u64, plan_reverts: bool) -> Lists {
    let rng = is_in(seed, plan_reverts).then(|| Rng::third(seed ^ 0x0CA7_A106));
    Lists { rng, ..Lists::default() }
}

impl World {
    /// The page retains the list, or releases it for a while.
    pub(crate) fn act_on_list(&mut self, number: usize) -> Check {
        let Some(rng) = &mut self.lists.rng else { return Ok(()) };
        let holds = self.clients[number].holds_list;
        let turns = if holds { rng.chance(40) } else { rng.chance(500) };
        if turns {
            self.clients[number].holds_list = !holds;
            let input = if holds { Input::ReleaseCatalogue } else { Input::RetainCatalogue };
            self.feed(number, input)?;
        }
        Ok(())
    }

    /// The page shows the list after the faults.
    pub(crate) fn settle_list(&mut self, number: usize) -> Check {
        if self.lists.rng.is_none() || self.clients[number].holds_list {
            return Ok(());
        }
        self.clients[number].holds_list = true;
        self.feed(number, Input::RetainCatalogue)
    }

    /// Access to a campaign is withdrawn from all sessions, or granted again. Only the list knows of it.
    pub(crate) fn withdraw(&mut self, id: &str) {
        let Some(rng) = self.lists.rng.as_mut().filter(|_| self.server.core.is_none()) else {
            return;
        };
        if rng.chance(30) {
            self.totals.met("list", "access");
            let hidden = &mut self.server.storage.catalogue.hidden;
            if !hidden.remove(id) {
                hidden.insert(id.to_owned());
            }
            self.server.storage.note_list(self.now_ms);
        }
    }

    /// Prepares the list of the world.
    pub(crate) fn begin_list(&mut self) {
        if let Some(rng) = &mut self.lists.rng {
            self.totals.met("world", "list");
            self.server.storage.catalogue.remembered = rng.between(1, 40);
        }
    }

    /// Records what a server writes of its list, before the network damages it.
    pub(crate) fn note_written(&mut self, link: LinkId, documents: &[Document]) {
        let speaker = self.server.sessions.get(&link).map(|it| &it.speaker);
        let user = match speaker {
            Some(ServerEnd::Model(session)) => session.user,
            Some(ServerEnd::Core(_)) | None => None,
        };
        for document in documents.iter().filter(|it| matches!(it.kind, Kind::Catalogue)) {
            let noted = self.lists.written.note(self.now_ms, (link, user), &document.text);
            self.lists.mistake = self.lists.mistake.take().or_else(|| noted.err());
        }
    }

    /// Checks the lists of all pages that are awake, and what the server wrote.
    pub(crate) fn check_lists(&mut self) -> Check {
        if let Some(mistake) = self.lists.mistake.take() {
            return Err(mistake);
        }
        for number in 0..self.clients.len() {
            if self.clients[number].asleep_since_ms.is_none() {
                self.check_list(number)?;
            }
        }
        Ok(())
    }

    /// Whether a page shows the present list as `live`.
    pub(crate) fn list_converged(&self, client: &Client) -> Result<(), String> {
        let status = client.machine.catalogue_status(client.clock.now(self.now_ms));
        let garbles = self.plan.levels.of(Fault::GarbleGreeting) > 0;
        converged(client, &self.server.storage, status, garbles)
    }

    /// Checks the list that a page shows.
    pub(crate) fn check_list(&mut self, number: usize) -> Check {
        if self.lists.rng.is_none() {
            return Ok(());
        }
        let client = &mut self.clients[number];
        let status = client.machine.catalogue_status(client.clock.now(self.now_ms));
        self.totals.met("list", status.as_str());
        client.follow_list(&self.lists.written, self.plan.levels.of(Fault::Lie) > 0)?;
        let oldest_ms = self.now_ms.saturating_sub(LIVE_AGE_MS);
        let since_ms = if status == Status::Live { oldest_ms } else { 0 };
        check(client, &self.server.storage, since_ms)
    }
}

impl Client {
    /// Checks that the page shows the list that the server wrote at the client's position, or still the former
    /// one if the client has dropped its position. A server that `lies` about the name of its feed seems to have
    /// been replaced by one that lags. No campaign goes back then, so some may be newer than in the list.
    fn follow_list(&mut self, written: &WrittenLists, lies: bool) -> Check {
        let store = self.machine.catalogue().store();
        if let Some((epoch, number)) = store.position() {
            let list = written.at(epoch.as_str(), number.get());
            demand(list.is_some(), "list", || {
                format!("the server wrote no list {epoch}/{number}")
            })?;
            self.shown_list = list.cloned();
        } else if !store.is_loaded() {
            self.shown_list = None;
        }
        let (user, list) = self.shown_list.clone().unwrap_or_default();
        let same = store.summaries().count() == list.len()
            && store.summaries().all(|it| has(&list, it) || lies && has_older(&list, it));
        demand(same, "list", || {
            let position = store.position();
            let ours: Vec<_> =
                store.summaries().map(|it| (&it.campaign_id, it.sequence_number)).collect();
            format!("the page shows {ours:?} at {position:?}, the server wrote {list:?}")
        })?;
        demand(list.is_empty() || user == self.known_user(), "G14", || {
            format!("the page shows the list of {user:?} to {:?}", self.known_user())
        })
    }
}

/// Checks each shown campaign, and each that is not shown: some list since `since_ms` has it so.
fn check(client: &Client, storage: &Storage, since_ms: u64) -> Check {
    let store = client.machine.catalogue().store();
    let user = client.shown_list.as_ref().and_then(|(user, _)| *user);
    let Some(feed) = storage.catalogue.feed(user) else { return Ok(()) };
    let first = feed.index_at(since_ms);
    for summary in store.summaries() {
        let id = summary.campaign_id.as_str();
        let (epoch, number) = (summary.epoch.as_str(), summary.sequence_number.get());
        demand(feed.had(first, id, epoch, number), "list", || {
            format!("no server since {since_ms} ms had {id} at {number}")
        })?;
        let campaign = storage.campaigns.get(id);
        let logs = campaign.into_iter().flat_map(|it| it.logs());
        let states = logs
            .filter(|log| *log.epoch == *epoch)
            .filter_map(|log| log.states_at(number))
            .flatten();
        let is_ours = |record| oracle::is_record(&summary.record, record);
        let mut states = states.map(|state| &state.record);
        demand(states.any(is_ours), "list", || format!("{summary:?} was never true"))?;
    }
    if !store.is_loaded() {
        return Ok(());
    }
    let shown = |id: &str| store.summaries().any(|it| it.campaign_id.as_str() == id);
    for id in storage.campaigns.keys().filter(|id| !shown(id)) {
        demand(feed.lacked(first, id), "list", || {
            format!("{id} is missing from the list, and was in all lists since {since_ms} ms")
        })?;
    }
    Ok(())
}

fn has(list: &List, summary: &Summary) -> bool {
    number_in(list, summary) == Some(summary.sequence_number.get())
}

fn has_older(list: &List, summary: &Summary) -> bool {
    number_in(list, summary).is_some_and(|number| number < summary.sequence_number.get())
}

/// The number of the campaign in the list, if it is of the same log.
fn number_in(list: &List, summary: &Summary) -> Option<u64> {
    let place = list.get(summary.campaign_id.as_str());
    place.filter(|(epoch, _)| **epoch == *summary.epoch.as_str()).map(|(_, number)| *number)
}

/// Compares the list of a page with the present one.
///
/// A damaged acknowledgement may hide that the server has a list. The next one shows it.
fn converged(
    client: &Client,
    storage: &Storage,
    status: Status,
    garbles: bool,
) -> Result<(), String> {
    let is_hidden = garbles && status == Status::Failed(Code::UnknownType);
    if !client.holds_list || is_hidden {
        return Ok(());
    }
    let store = client.machine.catalogue().store();
    let feed = storage.catalogue.feed(client.cookie());
    let list = feed.and_then(|feed| feed.lists.last()).map(|(_, list)| list);
    let same = list.is_some_and(|list| {
        store.summaries().count() == list.len() && store.summaries().all(|it| has(list, it))
    });
    if status == Status::Live && same {
        return Ok(());
    }
    let shown: Vec<_> =
        store.summaries().map(|it| (it.campaign_id.as_str(), it.sequence_number.get())).collect();
    Err(format!("its list is {status} with {shown:?}, the server has {list:?}"))
}
