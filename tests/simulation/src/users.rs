//! Worlds in which users change on one page. Each campaign belongs to one of two users or to both. A page
//! has the cookie of one user at a time; another one logs in, with or without a reset of the client, and
//! campaigns are given away.
//!
//! G14: a page shows a campaign only while the user whose session brought it is the one that the client
//! knows.

use std::collections::BTreeMap;

use campaign_sync::protocol::Code;
use campaign_sync::sync::connection::ConnectionState;
use campaign_sync::sync::input::Ticket;
use campaign_sync::sync::{Effect, Input, Status};
use serde_json::json;

use super::client::Client;
use super::invariants::{Check, demand};
use super::kinds::Kind;
use super::network::LinkId;
use super::rng::Rng;
use super::server::catalogue::Catalogue;
use super::server::{Document, ServerEnd};
use super::world::{ScheduledEvent, World};

/// The users, by the subjects of their sessions. No damage of one byte turns one into the other.
const SUBJECTS: [&str; 2] = ["subject-of-ada", "session-of-bob"];

/// For how long the network of a page blocks sockets, in milliseconds, so that the client polls.
const BLOCKED_MS: (u64, u64) = (10_000, 120_000);
/// The longest additional delay of a fetch, in which the user of the page may change.
const FETCH_MS: u64 = 10_000;

/// A user, as an index of [`SUBJECTS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct User(usize);

impl User {
    /// The subject of the user's sessions.
    pub(crate) const fn subject(self) -> &'static str {
        SUBJECTS[self.0]
    }

    const fn other(self) -> Self {
        Self(1 - self.0)
    }
}

/// Abilities of the application of a page.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Abilities {
    /// Whether it renews its session.
    pub(crate) renews: bool,
    /// Whether it fetches snapshots, in addition to those pages that do in every world.
    pub(crate) polls: bool,
}

impl Abilities {
    /// Draws the abilities. Only worlds with users have any.
    pub(crate) fn draw(kind: Kind, rng: &mut Rng) -> Self {
        let has_users = kind == Kind::Users;
        Self { renews: has_users && rng.chance(500), polls: has_users && rng.chance(600) }
    }
}

/// The owners of campaigns. A campaign without an owner is visible to everybody.
#[derive(Debug, Default)]
pub(crate) struct Owners(BTreeMap<String, User>);

impl Owners {
    /// Whether a session of this user may see the campaign.
    pub(crate) fn show(&self, campaign: &str, user: Option<User>) -> bool {
        let owner = self.0.get(campaign);
        user.is_none_or(|user| owner.is_none_or(|owner| *owner == user))
    }
}

/// The users of one page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageUser {
    /// The user whose cookie the browser has.
    pub(crate) cookie: User,
    /// The user whose session brings what arrives now.
    pub(crate) source: Option<User>,
    /// The user whose subject the client knows.
    known: Option<User>,
    /// How often the client has dropped everything.
    pub(crate) sign_outs: u64,
    /// Whether the connection was open before the step.
    was_open: bool,
    /// Until this time the network lets no socket pass.
    blocked_until_ms: u64,
}

impl Client {
    /// Gives the page a user, in a world with users.
    pub(crate) fn assign_user(&mut self, cookie: User) {
        let (source, known) = (None, None);
        let (sign_outs, was_open, blocked_until_ms) = (0, false, 0);
        self.page_user =
            Some(PageUser { cookie, source, known, sign_outs, was_open, blocked_until_ms });
    }

    /// The user whose subject the client knows.
    pub(crate) fn known_user(&self) -> Option<User> {
        self.page_user.and_then(|page_user| page_user.known)
    }

    /// Whether the network of the page lets no socket pass.
    pub(crate) fn is_blocked(&self, now_ms: u64) -> bool {
        self.page_user.is_some_and(|page_user| now_ms < page_user.blocked_until_ms)
    }

    /// The network lets sockets pass again.
    pub(crate) fn unblock(&mut self) {
        if let Some(page_user) = &mut self.page_user {
            page_user.blocked_until_ms = 0;
        }
    }

    /// The user whose cookie the browser has.
    pub(crate) fn cookie(&self) -> Option<User> {
        self.page_user.map(|page_user| page_user.cookie)
    }

    fn is_open(&self) -> bool {
        matches!(self.machine.connection().state(), ConnectionState::Open(_))
    }

    /// Records the state before a step.
    pub(crate) fn before_step(&mut self) {
        let is_open = self.is_open();
        if let Some(page_user) = &mut self.page_user {
            page_user.was_open = is_open;
        }
    }

    /// Records whose subject the client knows after a step. `fetched` says that the client took a
    /// document that it fetched, and `reset` that the application reset it.
    pub(crate) fn after_step(&mut self, effects: &[Effect], fetched: bool, reset: bool) -> Check {
        let is_open = self.is_open();
        let signed_out = effects.iter().position(|effect| *effect == Effect::SignedOut);
        let Some(page_user) = &mut self.page_user else { return Ok(()) };
        if (is_open && !page_user.was_open) || (fetched && !is_open) {
            page_user.known = page_user.source;
        }
        if reset {
            page_user.known = None;
        }
        let Some(at) = signed_out else { return Ok(()) };
        page_user.sign_outs += 1;
        let early = effects[..at].iter().find(
            |effect| matches!(effect, Effect::Notify(notice) if notice.campaign_id.is_some()),
        );
        demand(early.is_none(), "G14", || format!("{early:?} comes before the end of the session"))
    }

    /// G14: checks that everything that the page shows belongs to the user that the client knows, and that
    /// a campaign without access is empty.
    pub(crate) fn check_users(&self, true_ms: u64) -> Check {
        let now = self.clock.now(true_ms);
        for (id, watch) in &self.watches {
            let Some(held) = self.machine.subscription(id) else { continue };
            let store = held.store();
            let empty = store.record().is_none()
                && store.position().is_none()
                && store.table().is_empty()
                && store.unconfirmed().is_empty();
            let status = self.machine.status(id, now);
            let denied = [Code::Forbidden, Code::UnknownCampaign].map(Status::Failed);
            demand(empty || !denied.map(Some).contains(&status), "G14", || {
                format!("{id} is {status:?} and has a state")
            })?;
            let Some(page_user) = &self.page_user else { continue };
            let known = page_user.known;
            demand(empty || watch.source == known, "G14", || {
                format!("{id} shows what {:?} loaded to {known:?}", watch.source)
            })?;
        }
        Ok(())
    }
}

impl World {
    /// Gives each page a user and two of three campaigns an owner.
    pub(crate) fn assign_users(&mut self) {
        for client in &mut self.clients {
            client.assign_user(User(0));
        }
        let users = (0..SUBJECTS.len()).map(|index| Some(User(index)));
        self.server.storage.catalogue = Catalogue::new(users);
    }

    /// Gives a new campaign its owner.
    pub(crate) fn give(&mut self, campaign: &str, number: u64) {
        let users = SUBJECTS.len() as u64;
        if self.clients.iter().any(|client| client.page_user.is_some()) && !number.is_multiple_of(3)
        {
            let owner = User(((number - 1) % users) as usize);
            self.server.storage.owners.0.insert(campaign.to_owned(), owner);
        }
    }

    /// Another user takes over a page, or a campaign, now and then.
    pub(crate) fn act_as_user(&mut self, number: usize) -> Check {
        let Some(PageUser { cookie, .. }) = self.clients[number].page_user else { return Ok(()) };
        match self.users_rng.below(100) {
            0..6 => self.log_in(number, cookie.other(), true),
            6..12 => self.log_in(number, cookie.other(), false),
            12..15 => self.log_in(number, cookie, true),
            15..20 => self.give_away(),
            20..27 => {
                self.block(number);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The network of a page lets no socket pass for a while.
    fn block(&mut self, number: usize) {
        let until_ms = self.now_ms + self.users_rng.between(BLOCKED_MS.0, BLOCKED_MS.1);
        if let Some(page_user) = &mut self.clients[number].page_user {
            page_user.blocked_until_ms = until_ms;
        }
        for link in self.links_of(number) {
            self.cut(link, "sockets_blocked");
        }
    }

    /// The additional delay of a fetch, in a world with users.
    pub(crate) fn fetch_delay_ms(&mut self, number: usize) -> u64 {
        let has_user = self.clients[number].page_user.is_some();
        if has_user { self.users_rng.below(FETCH_MS) } else { 0 }
    }

    /// The sessions of a page.
    fn links_of(&self, number: usize) -> Vec<LinkId> {
        let page_load = self.clients[number].page_load;
        let is_own = |link: &&LinkId| link.client == number && link.page_load == page_load;
        self.server.sessions.keys().filter(is_own).copied().collect()
    }

    /// A user logs in. The server ends the former session of the page.
    fn log_in(&mut self, number: usize, user: User, resets: bool) -> Check {
        self.totals.fault(if resets { "user_reset" } else { "user_replaced" });
        self.note(format_args!("client {number} user {}", user.subject()));
        if resets {
            self.feed(number, Input::Reset)?;
        }
        if let Some(page_user) = &mut self.clients[number].page_user {
            page_user.cookie = user;
        }
        for link in self.links_of(number) {
            self.hang_up(link, 4401);
        }
        if resets { self.feed(number, Input::Connect) } else { Ok(()) }
    }

    /// A campaign gets another owner. The sessions of the former one lose it, with a notice.
    fn give_away(&mut self) -> Check {
        let owners = &mut self.server.storage.owners.0;
        let index = self.users_rng.below(owners.len() as u64) as usize;
        let Some((campaign, owner)) = owners.iter_mut().nth(index) else { return Ok(()) };
        *owner = owner.other();
        let campaign = campaign.clone();
        self.server.storage.note_list(self.now_ms);
        self.totals.fault("given_away");
        let mut losing = Vec::new();
        for (link, connection) in &mut self.server.sessions {
            if let ServerEnd::Model(session) = &mut connection.speaker
                && !self.server.storage.owners.show(&campaign, session.user)
                && session.revoke(&campaign)
            {
                losing.push(*link);
            }
        }
        for link in losing {
            let data = json!({"campaignId": campaign, "reason": "revoked"});
            let notice = Document::control(self.now_ms, "subscription_ended", &data);
            self.send_down(link, vec![notice]);
        }
        Ok(())
    }

    /// The application renews a session, or declines, fails or hangs.
    pub(crate) fn renew(&mut self, number: usize, ticket: Ticket) {
        self.totals.fault("renewal");
        let page_load = self.clients[number].page_load;
        let answer = match self.users_rng.below(10) {
            0 => return,
            1 => None,
            2 => Some(false),
            _ => Some(true),
        };
        let at_ms = self.now_ms + self.users_rng.below(20_000);
        self.schedule.plan(at_ms, ScheduledEvent::Renewed(number, page_load, ticket, answer));
    }

    /// Delivers the application's answer about its session.
    pub(crate) fn renewed(
        &mut self,
        number: usize,
        page_load: u64,
        ticket: Ticket,
        answer: Option<bool>,
    ) -> Check {
        if self.clients[number].page_load != page_load {
            return Ok(());
        }
        self.feed(number, Input::Renewed(ticket, answer))
    }
}
