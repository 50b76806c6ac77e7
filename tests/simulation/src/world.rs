//! One simulation: pages, a server and the network between them, on one virtual clock.
//!
//! First things go wrong as the plan says; after every step everything is checked. Then faults
//! stop, and within [`CONVERGE_MS`] every page must show what the server has.

use std::collections::BTreeMap;

use campaign_sync::sync::Input;
use campaign_sync::sync::input::{ConnectionId, Ticket};

use super::client::Client;
use super::faults::{Fault, Levels, Plan};
use super::fetches::Fetched;
use super::invariants::{Check, Violation};
use super::journal::{Journal, JournalMode};
use super::kinds::Kind;
use super::names::Json;
use super::network::{Link, LinkId, Schedule};
use super::oracle;
use super::reduction::Reduction;
use super::reference::{self, Core, Setup};
use super::regressions;
use super::report::RunTotals;
use super::rng::Rng;
use super::sealed;
use super::server::log::Campaign;
use super::server::session::HEARTBEAT_MS;
use super::server::state::{Change, State};
use super::server::{Replays, Server, ServerBehaviour};
use super::workload::Workload;

/// Everything must be well this long after the faults stop: dead link 10 s, reconnect 20 s,
/// negotiation 3 s, retry 20 s, rate 60 s. The transfer comes on top.
const CONVERGE_MS: u64 = 120_000;
/// What was lost just before may still show for this long: two heartbeats and the age of a proof.
const SETTLE_MS: u64 = 20_000;
/// And must stay well for this long.
const STAY_MS: u64 = 12_000;
/// What a replica has is written so much later at most.
const LAG_SPARE_MS: u64 = 200;
/// More steps than this in one simulation are a loop.
const STEPS_MAX: u64 = 400_000;

/// Something that happens at its time.
#[derive(Clone, Debug)]
pub(crate) enum ScheduledEvent {
    /// A frame reaches a client.
    Arrive(LinkId, Vec<u8>),
    /// A message reaches the server.
    Hear(LinkId, String),
    /// A socket opens, or fails to.
    Open(LinkId),
    /// A client notices that a socket closed.
    Closed(LinkId, u16),
    /// The server notices that a client closed the socket.
    Left(LinkId),
    /// The server writes what a session has to say.
    Write(LinkId),
    /// A session may be due to say something.
    Beat(LinkId),
    /// The server hears that a client answered a ping of the WebSocket.
    Pong(LinkId),
    /// A client's timer fires.
    Timer(usize, u64),
    /// A client wakes up.
    Wake(usize),
    /// A token is there, or not.
    Token(usize, u64, Ticket, Option<String>),
    /// A snapshot was fetched outside the socket, or not.
    Fetched(usize, u64, Ticket, Option<Fetched>),
    /// Somebody does something on a page.
    Act(usize),
    /// A client's timers are no longer throttled.
    Unthrottle(usize),
    /// A campaign moves.
    Work(String),
    /// A fault of the world.
    Fault(Fault),
    /// Faults stop.
    Quiet,
    /// Is everything well now?
    Verify,
}

impl ScheduledEvent {
    /// The client to which it happens, if to one: a sleeping one notices only afterwards.
    const fn client(&self) -> Option<usize> {
        match self {
            Self::Arrive(link, _) | Self::Open(link) | Self::Closed(link, _) => Some(link.client),
            Self::Timer(client, _)
            | Self::Token(client, ..)
            | Self::Fetched(client, ..)
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
    /// What people do and the world suffers.
    pub(crate) rng: Rng,
    /// What the network does. Apart, so that a kind of fault that is switched off changes little
    /// else.
    pub(crate) net_rng: Rng,
    work_rng: Rng,
    /// What was thought of later: seeds go on standing for what they stood for.
    pub(crate) apart_rng: Rng,
    pub(crate) plan: Plan,
    /// The plan's, until faults stop.
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

/// How a simulation ended.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) violation: Option<Violation>,
    pub(crate) totals: RunTotals,
    pub(crate) journal: Journal,
}

/// Simulates one seed, as far as it is not reduced.
pub(crate) fn simulate(seed: u64, reduction: &Reduction, keep: JournalMode) -> End {
    let mut world = World::new(seed, reduction, keep);
    let violation = world.begin(seed).and_then(|()| world.run()).err();
    world.note_metrics();
    world.totals.seeds = 1;
    End { violation, totals: world.totals, journal: world.journal }
}

impl World {
    fn new(seed: u64, reduction: &Reduction, keep: JournalMode) -> Self {
        let (mut rng, mut apart_rng) = (Rng::new(seed), Rng::apart(seed));
        let mut plan = Plan::draw(&mut rng, &mut apart_rng);
        if regressions::is_older(seed) {
            plan.keep_older();
        }
        let kind = Kind::of(seed);
        let core = (kind == Kind::Core).then(|| {
            plan.keep_contract();
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
            clients: (0..plan.clients).map(|_| Client::new(&mut rng, seals)).collect(),
            links: BTreeMap::new(),
            journal: Journal::new(keep),
            totals: RunTotals::default(),
            workloads: BTreeMap::new(),
            well_since_ms: None,
            rng,
            net_rng,
            work_rng,
            apart_rng,
        }
    }

    fn begin(&mut self, seed: u64) -> Check {
        let plan = self.plan;
        let world = Kind::of(seed).name();
        self.note(format_args!("seed {seed} {world} {plan}"));
        self.totals.met("world", world);
        for number in 1..=plan.campaigns {
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

    /// What the pages counted, as they were when it ended.
    fn note_metrics(&mut self) {
        for (number, client) in self.clients.iter().enumerate() {
            let metrics = Json(client.machine.metrics());
            self.journal.note(self.now_ms, format_args!("client {number} metrics {metrics}"));
        }
    }

    fn create(&mut self, id: String) -> Check {
        let mut workload = Workload::new();
        let record = Workload::record(&mut self.work_rng, 0);
        let change = Change::Record { action: "create", record: record.clone() };
        let prefix = if self.server.storage.behaviour.seals { sealed::PREFIX } else { "" };
        let own = format!("{prefix}{id}");
        let lineage = self.server.core.as_ref().map_or(own, |_| reference::LINEAGE.to_owned());
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

    /// Commits an event of a campaign; it is told to whoever waits for it, unless the server dies
    /// first.
    pub(crate) fn append(&mut self, id: &str, change: &Change, published: bool) -> Check {
        let Server { core, storage, .. } = &mut self.server;
        let Some(campaign) = storage.campaigns.get_mut(id) else { return Ok(()) };
        match core {
            Some(core) => core.append(self.now_ms, campaign, change, published),
            None => {
                campaign.append(self.now_ms, change);
                Ok(())
            }
        }
    }

    fn run(&mut self) -> Check {
        while let Some((at_ms, happening)) = self.schedule.next() {
            self.now_ms = at_ms;
            if let Some(client) = happening.client()
                && self.clients[client].asleep_since_ms.is_some()
            {
                self.clients[client].missed.push(happening);
                continue;
            }
            if self.happen(happening)? {
                return Ok(());
            }
            let lags = self.plan.levels.of(Fault::Lag) > 0 && !self.plan.lag_known;
            let lag_ms = if lags { self.plan.lag_ms + LAG_SPARE_MS } else { 0 };
            for client in self.clients.iter().filter(|it| it.asleep_since_ms.is_none()) {
                oracle::check_live(client, &self.server.storage, lag_ms, self.now_ms)?;
            }
            if self.totals.steps > STEPS_MAX {
                let detail = format!("{STEPS_MAX} steps, and no end");
                return Err(Violation { guarantee: "steps", detail });
            }
        }
        Ok(())
    }

    /// Lets one thing happen; tells whether the simulation is over.
    fn happen(&mut self, happening: ScheduledEvent) -> Result<bool, Violation> {
        match happening {
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
            ScheduledEvent::Token(client, visit, ticket, token) => {
                self.token(client, visit, ticket, token)?;
            }
            ScheduledEvent::Fetched(client, visit, ticket, answer) => {
                self.fetched(client, visit, ticket, answer)?;
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
        self.write_all();
        let at_ms = self.now_ms + self.work_rng.around(self.plan.work_ms);
        self.schedule.plan(at_ms, ScheduledEvent::Work(id));
        Ok(())
    }

    /// Commits events of a campaign, which nobody has written yet.
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
            if matches!(change, Change::Deleted { .. }) && campaign.lied() {
                // Nothing would come behind it from which the lie could be found out.
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
            // A session that was ended just before is still being heard of: somebody logs in again.
            let wanted = self.clients[number].machine.connection().state().is_wanted();
            if !wanted && since_ms <= SETTLE_MS {
                self.feed(number, Input::Connect)?;
            }
        }
        let mut wrong = None;
        for (number, client) in self.clients.iter().enumerate() {
            let now = client.clock.now(self.now_ms);
            let shown = oracle::converged(client, &self.server.storage, now);
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

    /// What a page was refused holds for one connection: on the next it asks again, so nothing is
    /// settled on a socket that it has yet to leave, or without one.
    fn is_connected(&self, number: usize) -> Result<(), String> {
        let client = &self.clients[number];
        let connection = client.machine.connection().state();
        let link = connection.socket().and_then(|ConnectionId(connection)| {
            self.links.get(&LinkId { client: number, visit: client.visit, connection })
        });
        let whole = link.is_some_and(|link| !link.is_broken()) && connection.as_str() == "open";
        if whole { Ok(()) } else { Err(format!("its connection is {connection:?}")) }
    }

    /// What the transfer of everything takes at the server's pace. Where replays are cut short, each
    /// brings half of what is missing, and the next `pong` tells of the rest.
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
