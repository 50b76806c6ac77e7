//! One simulation: pages, a server and the network between them, on one virtual clock.
//!
//! First, faults happen as the plan says, and every step is checked. Then the faults stop, and within
//! [`CONVERGE_MS`] every page must show the server's state.

use std::collections::BTreeMap;

use campaign_sync::protocol::write::to_json;
use campaign_sync::sync::Input;
use campaign_sync::sync::input::{ConnectionId, Ticket};

use super::catalogue::{self, Lists};
use super::client::Client;
use super::faults::{Fault, Levels, Plan};
use super::fetches::Fetched;
use super::invariants::{Check, Violation};
use super::journal::{Journal, JournalMode};
use super::kinds::{self, Kind};
use super::network::{Link, LinkId, Schedule};
use super::oracle;
use super::reduction::Reduction;
use super::reference::{self, Core, Setup};
use super::report::RunTotals;
use super::rng::Rng;
use super::sealed;
use super::server::log::Campaign;
use super::server::session::HEARTBEAT_MS;
use super::server::state::{Change, State};
use super::server::{Replays, Server, ServerBehaviour};
use super::users::Abilities;
use super::workload::Workload;

/// Every page must show the server's state this long after the faults stop. The transfer comes on top.
const CONVERGE_MS: u64 = 60_000;
/// A loss just before the end of the faults may still show for this long: two heartbeats and the age of
/// a proof.
const SETTLE_MS: u64 = 20_000;
/// Every page must then keep showing the server's state for this long.
const STAY_MS: u64 = 12_000;
/// The longest additional delay with which a replica writes an event.
const LAG_SPARE_MS: u64 = 200;
/// A simulation with more steps than this is in a loop.
const STEPS_MAX: u64 = 400_000;

/// An event at its time.
#[derive(Clone, Debug)]
pub(crate) enum ScheduledEvent {
    /// A frame reaches a client.
    Arrive(LinkId, Vec<u8>),
    /// A message reaches the server.
    Hear(LinkId, String),
    /// A socket opens or fails to open.
    Open(LinkId),
    /// A client notices that a socket closed.
    Closed(LinkId, u16),
    /// The server notices that a client closed the socket.
    Left(LinkId),
    /// The server writes the next frames of a session.
    Write(LinkId),
    /// A session may be due.
    Beat(LinkId),
    /// The server receives a client's answer to a WebSocket ping.
    Pong(LinkId),
    /// A client's timer fires.
    Timer(usize, u64),
    /// A client wakes up.
    Wake(usize),
    /// The token provider answers, with or without a token.
    Token(usize, u64, Ticket, Option<String>),
    /// A fetch outside the socket ends, with or without a snapshot.
    Fetched(usize, u64, Ticket, Option<Fetched>),
    /// The application answers whether it renewed its session.
    Renewed(usize, u64, Ticket, Option<bool>),
    /// A user acts on a page.
    Act(usize),
    /// A client's timers are no longer throttled.
    Unthrottle(usize),
    /// The next change of a campaign happens.
    Work(String),
    /// A fault of the world.
    Fault(Fault),
    /// Faults stop.
    Quiet,
    /// The simulation checks whether every page shows the server's state.
    Verify,
}

impl ScheduledEvent {
    /// The client to which the event happens, if any. A sleeping client handles it after it wakes.
    const fn client(&self) -> Option<usize> {
        match self {
            Self::Arrive(link, _) | Self::Open(link) | Self::Closed(link, _) => Some(link.client),
            Self::Timer(client, _)
            | Self::Token(client, ..)
            | Self::Fetched(client, ..)
            | Self::Renewed(client, ..)
            | Self::Act(client) => Some(*client),
            Self::Hear(..)
            | Self::Left(_)
            | Self::Write(_)
            | Self::Beat(_)
            | Self::Pong(_)
            | Self::Wake(_)
            | Self::Unthrottle(_)
            | Self::Work(_)
            | Self::Fault(_)
            | Self::Quiet
            | Self::Verify => None,
        }
    }
}

/// The world.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now_ms: u64,
    /// Draws user actions and faults of the world.
    pub(crate) rng: Rng,
    /// Draws faults of the network. It is separate, so that switching off one kind of fault changes
    /// little else.
    pub(crate) net_rng: Rng,
    work_rng: Rng,
    /// Draws everything that was added later, so that earlier seeds keep their meaning.
    pub(crate) later_rng: Rng,
    pub(crate) third_rng: Rng,
    /// Draws what users do, in a world with users.
    pub(crate) users_rng: Rng,
    /// The lists of campaigns.
    pub(crate) lists: Lists,
    pub(crate) plan: Plan,
    /// The levels of the plan until the faults stop.
    pub(crate) levels: Levels,
    pub(crate) quiet_since_ms: Option<u64>,
    pub(crate) schedule: Schedule<ScheduledEvent>,
    pub(crate) server: Server,
    pub(crate) clients: Vec<Client>,
    pub(crate) links: BTreeMap<LinkId, Link>,
    pub(crate) journal: Journal,
    pub(crate) totals: RunTotals,
    workloads: BTreeMap<String, Workload>,
    well_since_ms: Option<u64>,
}

/// The result of a simulation.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) violation: Option<Violation>,
    pub(crate) totals: RunTotals,
    pub(crate) journal: Journal,
}

/// Simulates one seed, with this reduction.
pub(crate) fn simulate(seed: u64, reduction: &Reduction, keep: JournalMode) -> End {
    let mut world = World::new(seed, reduction, keep);
    let violation = world.begin(seed).and_then(|()| world.run()).err();
    world.note_metrics();
    world.totals.seeds = 1;
    world.totals.met("module", kinds::MODULE);
    End { violation, totals: world.totals, journal: world.journal }
}

impl World {
    fn new(seed: u64, reduction: &Reduction, keep: JournalMode) -> Self {
        let (mut rng, mut later_rng) = (Rng::new(seed), Rng::apart(seed));
        let mut users_rng = Rng::fourth(seed);
        let mut third_rng = Rng::third(seed);
        let mut plan = Plan::of(seed, &mut rng, &mut later_rng, &mut third_rng);
        let kind = Kind::of(seed);
        let core = (kind == Kind::Core).then(|| {
            Core::new(Setup {
                single: plan.batch == 1,
                recoveries_per_second: if plan.replay_max < 10 { 1 } else { 10 },
                backs_up: plan.levels.of(Fault::Restore) > 0,
                defect: reduction.defect,
            })
        });
        reduction.apply(&mut plan);
        let seals = kind == Kind::Sealed;
        let behaviour = ServerBehaviour {
            part_rows: plan.part_rows as usize,
            batch: plan.batch,
            replay_max: plan.replay_max,
            replays: plan.replays,
            closes_laggards: plan.closes_laggards,
            seals,
        };
        let (net_rng, work_rng) = (rng.split(), rng.split());
        Self {
            now_ms: 0,
            plan,
            levels: plan.levels,
            quiet_since_ms: None,
            schedule: Schedule::new(),
            server: Server::new(behaviour, core),
            clients: (0..plan.clients)
                .map(|_| Client::new(&mut rng, seals, Abilities::draw(kind, &mut users_rng)))
                .collect(),
            links: BTreeMap::new(),
            journal: Journal::new(keep),
            totals: RunTotals::default(),
            workloads: BTreeMap::new(),
            well_since_ms: None,
            rng,
            net_rng,
            work_rng,
            later_rng,
            third_rng,
            users_rng,
            lists: catalogue::lists(seed, plan.levels.of(Fault::Revert) > 0),
        }
    }

    fn begin(&mut self, seed: u64) -> Check {
        for (order, client) in (seed..).zip(&mut self.clients) {
            client.page_order = order;
        }
        let plan = self.plan;
        let world = Kind::of(seed).name();
        self.note(format_args!("seed {seed} {world} {plan}"));
        self.totals.met("world", world);
        if Kind::of(seed) == Kind::Users {
            self.assign_users();
        }
        self.begin_list();
        for number in 1..=plan.campaigns {
            self.give(&format!("c{number}"), number);
            self.create(format!("c{number}"))?;
        }
        for client in 0..self.clients.len() {
            let at_ms = self.rng.below(2_000);
            self.schedule.plan(at_ms, ScheduledEvent::Act(client));
        }
        self.plan_faults();
        self.schedule.plan(plan.chaos_ms, ScheduledEvent::Quiet);
        Ok(())
    }

    pub(crate) fn note(&mut self, what: std::fmt::Arguments<'_>) {
        self.journal.note(self.now_ms, what);
    }

    /// Writes the metrics of all pages at the end into the journal.
    fn note_metrics(&mut self) {
        for (number, client) in self.clients.iter().enumerate() {
            let metrics = to_json(client.machine.metrics());
            self.journal.note(self.now_ms, format_args!("client {number} metrics {metrics}"));
        }
    }

    fn create(&mut self, id: String) -> Check {
        let mut workload = Workload::new();
        let record = Workload::record(&mut self.work_rng, 0);
        let change = Change::Record { action: "create", record: record.clone() };
        let prefix = if self.server.storage.behaviour.seals { sealed::PREFIX } else { "" };
        let own = format!("{prefix}{id}");
        let lineage = self.server.core.as_ref().map_or(own, |_| reference::EPOCH_PREFIX.to_owned());
        let campaign = Campaign::new(id.clone(), lineage, 0, State::new(record));
        self.server.storage.campaigns.insert(id.clone(), campaign);
        self.append(&id, &change, true)?;
        let mut rows = self.work_rng.below(self.plan.rows + 1);
        while rows > 0 {
            let some = rows.min(150);
            let change = workload.fill(&mut self.work_rng, some);
            self.append(&id, &change, true)?;
            rows -= some;
        }
        self.workloads.insert(id.clone(), workload);
        self.schedule.plan(self.work_rng.around(self.plan.work_ms), ScheduledEvent::Work(id));
        Ok(())
    }

    /// Commits an event of a campaign. The server publishes it, unless it dies first.
    pub(crate) fn append(&mut self, id: &str, change: &Change, published: bool) -> Check {
        let Server { core, storage, .. } = &mut self.server;
        let Some(campaign) = storage.campaigns.get_mut(id) else { return Ok(()) };
        match core {
            Some(core) => core.append(self.now_ms, campaign, change, published)?,
            None => campaign.append(self.now_ms, change),
        }
        storage.note_list(self.now_ms);
        Ok(())
    }

    fn run(&mut self) -> Check {
        while let Some((at_ms, event)) = self.schedule.next() {
            self.now_ms = at_ms;
            if let Some(client) = event.client()
                && self.clients[client].asleep_since_ms.is_some()
            {
                self.clients[client].missed.push(event);
                continue;
            }
            if self.handle(event)? {
                return Ok(());
            }
            let lags = self.plan.levels.of(Fault::Lag) > 0 && !self.plan.lag_known;
            let lag_ms = if lags { self.plan.lag_ms + LAG_SPARE_MS } else { 0 };
            for client in self.clients.iter().filter(|it| it.asleep_since_ms.is_none()) {
                oracle::check_live(client, &self.server.storage, lag_ms, self.now_ms)?;
            }
            self.check_lists()?;
            if self.totals.steps > STEPS_MAX {
                let detail = format!("{STEPS_MAX} steps, and no end");
                return Err(Violation { guarantee: "steps", detail });
            }
        }
        Ok(())
    }

    /// Executes one event. Returns whether the simulation is over.
    fn handle(&mut self, event: ScheduledEvent) -> Result<bool, Violation> {
        match event {
            ScheduledEvent::Arrive(link, bytes) => self.arrive(link, &bytes)?,
            ScheduledEvent::Hear(link, text) => self.hear(link, &text)?,
            ScheduledEvent::Open(link) => self.open(link)?,
            ScheduledEvent::Closed(link, code) => self.closed(link, code)?,
            ScheduledEvent::Left(link) => self.forget_link(link),
            ScheduledEvent::Write(link) => self.write(link)?,
            ScheduledEvent::Beat(link) => self.beat(link),
            ScheduledEvent::Pong(link) => self.pong(link),
            ScheduledEvent::Timer(client, timer) => self.timer(client, timer)?,
            ScheduledEvent::Wake(client) => self.wake(client)?,
            ScheduledEvent::Token(client, page_load, ticket, token) => {
                self.token(client, page_load, ticket, token)?;
            }
            ScheduledEvent::Fetched(client, page_load, ticket, answer) => {
                self.fetched(client, page_load, ticket, answer)?;
            }
            ScheduledEvent::Renewed(client, page_load, ticket, answer) => {
                self.renewed(client, page_load, ticket, answer)?;
            }
            ScheduledEvent::Act(client) => self.act(client)?,
            ScheduledEvent::Unthrottle(client) => self.clients[client].throttle_ms = 0,
            ScheduledEvent::Work(campaign) => self.work(campaign)?,
            ScheduledEvent::Fault(fault) => self.fault(fault)?,
            ScheduledEvent::Quiet => self.quiet()?,
            ScheduledEvent::Verify => return self.verify(),
        }
        Ok(false)
    }

    fn work(&mut self, id: String) -> Check {
        if self.quiet_since_ms.is_some() {
            return Ok(());
        }
        let rng = &mut self.work_rng;
        let burst = if rng.chance(20) { rng.between(2, 40) } else { 1 };
        self.commit(&id, burst, true)?;
        self.withdraw(&id);
        self.write_all();
        let at_ms = self.now_ms + self.work_rng.around(self.plan.work_ms);
        self.schedule.plan(at_ms, ScheduledEvent::Work(id));
        Ok(())
    }

    /// Commits events of a campaign, without writing them to sockets yet.
    pub(crate) fn commit(&mut self, id: &str, events: u64, published: bool) -> Check {
        for _ in 0..events {
            let (Some(campaign), Some(workload)) =
                (self.server.storage.campaigns.get(id), self.workloads.get_mut(id))
            else {
                break;
            };
            let state = campaign.state().clone();
            if state.deleted {
                break;
            }
            let mut change = workload.next(&mut self.work_rng, self.now_ms, &state);
            if matches!(change, Change::Deleted { .. }) && campaign.has_contradicted() {
                // No event would follow the deletion, so the server's lie could not be detected.
                change = Change::Nothing { kind: "proxy.status" };
            }
            let (number, kind) = (campaign.log().head() + 1, super::server::wire::kind(&change));
            self.append(id, &change, published)?;
            self.journal.note(self.now_ms, format_args!("{id} #{number} {kind}"));
        }
        Ok(())
    }

    fn verify(&mut self) -> Result<bool, Violation> {
        let since_ms = self.now_ms - self.quiet_since_ms.unwrap_or_default();
        for number in 0..self.clients.len() {
            // The end of a session just before may still arrive. The user then logs in again.
            let state = self.clients[number].machine.connection().state();
            let is_wanted = state.is_wanted();
            self.refuse_accidental_end(number)?;
            if !is_wanted && since_ms <= SETTLE_MS {
                self.feed(number, Input::Connect)?;
            }
        }
        let mut wrong = None;
        for (number, client) in self.clients.iter().enumerate() {
            let now = client.clock.now(self.now_ms);
            let shown = oracle::converged(client, &self.server.storage, now)
                .and_then(|()| self.list_converged(client));
            if let Err(what) = self.is_connected(number).and(shown) {
                wrong = Some(format!("client {number}, {since_ms} ms after the faults: {what}"));
                break;
            }
        }
        match (wrong, self.well_since_ms) {
            (None, Some(since)) if self.now_ms >= since + STAY_MS => return Ok(true),
            (None, well) => self.well_since_ms = well.or(Some(self.now_ms)),
            (Some(_), _) if since_ms <= SETTLE_MS => self.well_since_ms = None,
            (Some(detail), well) => {
                if since_ms > CONVERGE_MS + self.transfer_ms() || well.is_some() {
                    return Err(Violation { guarantee: "G9", detail });
                }
            }
        }
        self.schedule.plan(self.now_ms + 500, ScheduledEvent::Verify);
        Ok(false)
    }

    /// Checks that a page has an open connection over an intact link. A refusal holds for one
    /// connection, and the page tries again on the next one. So nothing is final on a socket that the
    /// page has yet to leave, or without a socket.
    fn is_connected(&self, number: usize) -> Result<(), String> {
        let client = &self.clients[number];
        let connection = client.machine.connection();
        let link = connection.socket().and_then(|ConnectionId(connection)| {
            self.links.get(&LinkId { client: number, page_load: client.page_load, connection })
        });
        let whole =
            link.is_some_and(|link| !link.is_broken()) && connection.state().as_str() == "open";
        if whole { Ok(()) } else { Err(format!("its connection is {:?}", connection.state())) }
    }

    /// The time that the transfer of everything takes at the server's pace. If replays are cut short,
    /// each replay brings half of the missing events, and the next `pong` reports the rest.
    fn transfer_ms(&self) -> u64 {
        let ServerBehaviour { part_rows, batch, replays, .. } = self.server.storage.behaviour;
        let campaigns = self.server.storage.campaigns.values();
        let (mut frames, mut head) = (0, 0);
        for campaign in campaigns {
            head = campaign.log().head().max(head);
            frames =
                (head / batch).max((campaign.state().rows.len() / part_rows) as u64).max(frames);
        }
        let halves = if replays == Replays::CutShort { u64::from(head.ilog2()) + 1 } else { 0 };
        frames * self.plan.pace_ms + halves * (HEARTBEAT_MS + 2 * self.plan.delay_ms)
    }
}
