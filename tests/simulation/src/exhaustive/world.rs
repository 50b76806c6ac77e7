//! The small world: the real machine, a server, and the messages in flight between them.

use std::hash::{Hash, Hasher};

use campaign_sync::protocol::CampaignId;
use campaign_sync::protocol::frame::Frame;
use campaign_sync::sync::input::{ConnectionId, Wake};
use campaign_sync::sync::{Config, Input, Machine, Now, Status, Timestamp};
use campaign_sync_support::socket_effects::{SocketEffect, next_socket_effect};

use super::script::{CAMPAIGNS, shown};
use super::server::Server;

/// While a campaign is `live`, no event that is older than this may be missing (G4).
const LIVE_MS: u64 = 10_000;
/// The most recovery requests of one campaign within [`BURST_MS`] (G8).
const BURST: usize = 5;
const BURST_MS: u64 = 500;
/// Both campaigns must be live at the server's head within this many steps once faults have stopped
/// (G9). That is twenty heartbeats, each with its consequences.
const CALM_STEPS: u32 = 400;

/// The faults that may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    /// Messages that may be lost, duplicated or overtaken.
    pub(crate) faults: u8,
    /// Timers that may fire while messages are in flight.
    pub(crate) early_timers: u8,
    /// Timers that may fire in total.
    pub(crate) timers: u8,
    /// Restarts of the server.
    pub(crate) restarts: u8,
    /// Truncations of the first log.
    pub(crate) truncations: u8,
}

/// One state of the whole world.
#[derive(Clone, Debug)]
pub(crate) struct World {
    machine: Machine,
    now: Now,
    socket: Option<ConnectionId>,
    /// Messages in flight to the server, oldest first.
    pub(crate) up: Vec<String>,
    /// Documents in flight to the client, oldest first.
    pub(crate) down: Vec<String>,
    pub(crate) server: Server,
    pub(crate) budget: Budget,
    /// The times of the latest recovery requests, by campaign.
    requests: [Vec<Timestamp>; 2],
    /// The first guarantee that was broken.
    pub(crate) broken: Option<&'static str>,
    /// The situations that occurred on the way to this state, for the properties that something must
    /// happen.
    pub(crate) met: Coverage,
}

/// Situations that occurred on the way to a state. They are not part of its identity.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Coverage {
    pub(crate) gap: bool,
    pub(crate) duplicate: bool,
    pub(crate) snapshot: bool,
    pub(crate) retry: bool,
    pub(crate) reconnect: bool,
}

impl World {
    /// A world in which both campaigns are live. The search still covers the way there, because every
    /// restart repeats it.
    pub(crate) fn live(budget: Budget) -> Self {
        let mut world = Self::new(budget);
        for _ in 0..CALM_STEPS {
            if world.is_quiet() && world.has_converged() {
                break;
            }
            world.calm_step();
        }
        world.met = Coverage::default();
        world
    }

    /// A world whose client has requested both campaigns and a connection.
    fn new(budget: Budget) -> Self {
        // Jitter decides when something happens, not what happens. Without jitter, states that differ in
        // nothing else are the same state.
        let config = Config { backoff_base_ms: 0, ..Config::default() };
        let mut world = Self {
            machine: Machine::new(config, 1),
            now: Now { at: Timestamp(1_000), wall_ms: 1_900_000_000_000 },
            socket: None,
            up: Vec::new(),
            down: Vec::new(),
            server: Server::new(),
            budget,
            requests: [Vec::new(), Vec::new()],
            broken: None,
            met: Coverage::default(),
        };
        for id in CAMPAIGNS {
            if let Ok(id) = CampaignId::new(id) {
                world.handle(Input::Retain(id));
            }
        }
        world.handle(Input::Connect);
        world
    }

    /// Whether the machine has set a timer.
    pub(crate) fn has_timer(&self) -> bool {
        self.machine.clone().poll_timeout().is_some()
    }

    /// Moves the time to the machine's deadline and fires its timer.
    pub(crate) fn fire(&mut self) {
        let Some(due) = self.machine.poll_timeout() else { return };
        let wait = due.since(self.now.at);
        self.now.at = self.now.at + wait;
        self.now.wall_ms += wait as i64;
        self.handle(Input::Woke(Wake::Timer));
    }

    /// Delivers a message to the server and sends the answers.
    pub(crate) fn hear(&mut self, message: &str) {
        let documents = self.server.hear(message);
        self.down.extend(documents);
    }

    /// Delivers a document to the client.
    pub(crate) fn arrive(&mut self, document: &str) {
        if let Some(socket) = self.socket {
            self.handle(Input::Received(socket, Frame::Text(document)));
        }
    }

    /// Commits the next event of a campaign.
    pub(crate) fn commit(&mut self, campaign: usize) {
        let documents = self.server.commit(campaign, self.now.at.0);
        self.down.extend(documents);
    }

    /// Restarts the server. All messages in flight are lost.
    pub(crate) fn restart(&mut self) {
        self.server.restart();
        self.up.clear();
        self.down.clear();
        if let Some(socket) = self.socket.take() {
            self.handle(Input::Closed(socket, 1006));
        }
    }

    /// Whether no message is in flight.
    pub(crate) fn is_quiet(&self) -> bool {
        self.up.is_empty() && self.down.is_empty()
    }

    /// Whether the search also visits the state that follows without any more faults. Then convergence
    /// is checked for that state instead of this one.
    pub(crate) fn is_followed_further(&self) -> bool {
        !self.is_quiet() || (self.budget.timers > 0 && self.has_timer())
    }

    /// Whether both campaigns become live at the server's head without any more faults.
    pub(crate) fn converges(&self) -> bool {
        let mut calm = self.clone();
        for _ in 0..CALM_STEPS {
            if calm.broken.is_some() {
                return false;
            }
            if calm.is_quiet() && calm.has_converged() {
                return true;
            }
            calm.calm_step();
        }
        false
    }

    /// Executes the next step of a run without faults.
    fn calm_step(&mut self) {
        if !self.up.is_empty() {
            let message = self.up.remove(0);
            self.hear(&message);
        } else if !self.down.is_empty() {
            let document = self.down.remove(0);
            self.arrive(&document);
        } else {
            self.fire();
        }
    }

    /// Whether both campaigns are live at the server's head.
    pub(crate) fn has_converged(&self) -> bool {
        (0..2).all(|campaign| {
            let status = self.machine.status(CAMPAIGNS[campaign], self.now);
            let number = self.number(campaign);
            status == Some(Status::Live) && number == u64::from(self.server.heads[campaign])
        })
    }

    fn number(&self, campaign: usize) -> u64 {
        let subscription = self.machine.subscription(CAMPAIGNS[campaign]);
        subscription.map_or(0, |it| it.applied().get())
    }

    fn handle(&mut self, input: Input<'_>) {
        let before = (self.counted(), [self.number(0), self.number(1)]);
        let _ = self.machine.handle(self.now, input);
        while let Some(effect) = next_socket_effect(&mut self.machine) {
            self.perform(effect);
        }
        self.check(before);
    }

    fn perform(&mut self, effect: SocketEffect) {
        match effect {
            SocketEffect::Open(socket) => {
                self.socket = Some(socket);
                self.up.clear();
                self.down.clear();
                self.server.restart();
                self.handle(Input::Opened(socket));
            }
            SocketEffect::Send(text) => {
                self.note_request(&text);
                self.up.push(text);
            }
            SocketEffect::Close => {
                self.socket = None;
                self.up.clear();
                self.down.clear();
                self.server.restart();
            }
        }
    }

    /// G8: checks that a campaign requests recovery at a bounded rate.
    fn note_request(&mut self, text: &str) {
        if !text.contains("request_event_recovery") {
            return;
        }
        let named = |id: &str| text.contains(&format!("\"campaignId\":\"{id}\""));
        let Some(campaign) = CAMPAIGNS.iter().position(|id| named(id)) else { return };
        let sent = &mut self.requests[campaign];
        sent.retain(|at| self.now.at.since(*at) < BURST_MS);
        sent.push(self.now.at);
        if sent.len() > BURST {
            self.broken = Some("G8");
        }
    }

    fn counted(&self) -> [u64; 5] {
        let it = self.machine.metrics();
        [it.applied, it.snapshots, it.gaps, it.duplicates + it.redelivered, it.retries]
    }

    /// Checks every guarantee that a step may have broken.
    fn check(&mut self, (before, numbers): ([u64; 5], [u64; 2])) {
        let after = self.counted();
        let [applied, snapshots, gaps, duplicates, retries] =
            [0, 1, 2, 3, 4].map(|index| after[index] - before[index]);
        self.met.gap |= gaps > 0;
        self.met.duplicate |= duplicates > 0;
        self.met.snapshot |= snapshots > 0;
        self.met.retry |= retries > 0;
        self.met.reconnect |= self.machine.metrics().connects > 1;
        let moved: u64 = (0..2).map(|it| self.number(it).saturating_sub(numbers[it])).sum();
        let broken = if (0..2).any(|it| self.number(it) < numbers[it]) {
            Some("G3")
        } else if snapshots == 0 && moved != applied {
            Some("G2")
        } else {
            (0..2).find_map(|campaign| self.wrong(campaign))
        };
        self.broken = self.broken.or(broken);
    }

    /// G1, G5: the shown state is the server's state at that number. G4: a `live` state is fresh.
    fn wrong(&self, campaign: usize) -> Option<&'static str> {
        let subscription = self.machine.subscription(CAMPAIGNS[campaign])?;
        let number = self.number(campaign);
        if number > u64::from(self.server.heads[campaign]) {
            return Some("G1");
        }
        let truth = shown(campaign, number as u8);
        let table = subscription.store().table();
        let mut rows: Vec<&str> = (0..table.len()).map(|row| table.id(row)).collect();
        rows.sort_unstable();
        let phase = subscription.store().record().map(|record| record.phase);
        if phase != truth.phase || rows != truth.rows {
            return Some("G5");
        }
        let live = self.machine.status(CAMPAIGNS[campaign], self.now) == Some(Status::Live);
        let next = usize::try_from(number).ok()? + 1;
        let missing = number < u64::from(self.server.heads[campaign]);
        let old = missing && self.server.committed_ms[campaign][next] + LIVE_MS < self.now.at.0;
        (live && old).then_some("G4")
    }

    /// The identity of this state: everything but counters, limits and jitter.
    fn identity(&self) -> String {
        let machine = format!("{:?}", self.machine);
        let counters = machine.find("config: ").zip(machine.find("effects: "));
        let (limits, rest) = counters.expect("counters stand between the limits and the outbox");
        format!(
            "{}{}{:?}{:?}{:?}{:?}{:?}",
            &machine[..limits],
            &machine[rest..],
            self.now,
            self.up,
            self.down,
            self.requests,
            self.broken
        )
    }
}

impl PartialEq for World {
    fn eq(&self, other: &Self) -> bool {
        self.server == other.server
            && self.budget == other.budget
            && self.identity() == other.identity()
    }
}

impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
        (&self.server, self.budget).hash(state);
    }
}
