//! A page that faces a server of the original dialect, which sends everybody everything, numbers
//! nothing that could be relied on, and replays nothing. Nothing can be proven there; what holds all
//! the same is checked after every step.

use std::collections::{BTreeMap, BTreeSet};

use campaign_sync::protocol::frame::Frame;
use campaign_sync::protocol::{CampaignId, EventHash};
use campaign_sync::sync::input::{ConnectionId, Ticket, Wake};
use campaign_sync::sync::{
    Config, Effect, Input, Machine, Notice, Now, StaleReason, Status, Timestamp,
};
use serde_json::{Value, json};

use super::faults::{Fault, Levels, Plan};
use super::invariants::{self, Check, Violation, demand};
use super::journal::{Journal, Keep};
use super::kinds::Kind;
use super::network::Schedule;
use super::reduction::Reduction;
use super::report::Tally;
use super::rng::Rng;
use super::server::wire::timestamp;
use super::world::End;

/// The campaign that the page holds, and one whose events reach it all the same.
const CAMPAIGNS: [&str; 2] = ["c1", "c2"];
/// Phases in the order in which campaigns go through them.
const PHASES: [&str; 4] =
    ["domain_generation", "dns_validation", "http_keyword_validation", "analysis"];
const WORDS: [&str; 3] = ["resolved", "failed", "timeout"];
/// Everything must be shown this long after faults stop: dead link, reconnect, negotiation, and a
/// fetch that was put off.
const CONVERGE_MS: u64 = 90_000;
/// Fetches of one campaign within a minute: one per refresh, reconnect, and failure.
const FETCHES_MAX: usize = 90;

/// What the server has of a campaign, and what it ever had.
#[derive(Debug)]
struct Campaign {
    phase: usize,
    status: &'static str,
    rows: BTreeMap<String, Option<&'static str>>,
    phases: BTreeSet<usize>,
    outcomes: BTreeSet<(String, Option<&'static str>)>,
}

#[derive(Debug)]
enum Happening {
    Open(u64),
    Arrive(u64, String),
    Closed(u64),
    Timer(u64),
    Fetched(Ticket, Option<String>),
    Work,
    Strike(Fault),
    Refresh,
    Wake,
    Quiet,
    Verify,
}

#[derive(Debug)]
struct World {
    now_ms: u64,
    rng: Rng,
    plan: Plan,
    levels: Levels,
    quiet_since_ms: Option<u64>,
    schedule: Schedule<Happening>,
    machine: Machine,
    campaigns: [Campaign; 2],
    /// The socket that carries something; a dead one is none.
    socket: Option<u64>,
    last_ms: u64,
    asleep: bool,
    missed: Vec<Happening>,
    timer: u64,
    idle_timers: u32,
    seen: BTreeSet<String>,
    fetches: Vec<u64>,
    serial: u64,
    journal: Journal,
    tally: Tally,
}

/// Simulates one seed.
pub(crate) fn simulate(seed: u64, reduction: &Reduction, keep: Keep) -> End {
    let mut rng = Rng::new(seed);
    let mut plan = Plan::draw(&mut rng);
    reduction.apply(&mut plan);
    let config = Config { has_fetch_snapshot: true, ..Config::default() };
    let mut world = World {
        now_ms: 0,
        plan,
        levels: plan.levels,
        quiet_since_ms: None,
        schedule: Schedule::new(),
        machine: Machine::new(config, rng.next()),
        campaigns: [Campaign::new(), Campaign::new()],
        socket: None,
        last_ms: 0,
        asleep: false,
        missed: Vec::new(),
        timer: 0,
        idle_timers: 0,
        seen: BTreeSet::new(),
        fetches: Vec::new(),
        serial: 0,
        journal: Journal::new(keep),
        tally: Tally::default(),
        rng,
    };
    let violation = world.run(seed).err();
    world.tally.seeds = 1;
    world.tally.met("world", Kind::Original.name());
    End { violation, tally: world.tally, journal: world.journal }
}

impl Campaign {
    fn new() -> Self {
        Self {
            phase: 0,
            status: "in_progress",
            rows: BTreeMap::new(),
            phases: BTreeSet::from([0]),
            outcomes: BTreeSet::new(),
        }
    }

    fn snapshot(&self, id: &str) -> String {
        let row = |(id, dns): (&String, &Option<&str>)| {
            json!({"id": id, "domainName": format!("{id}.example"), "offsetIndex": 1,
                "dnsStatus": dns})
        };
        let rows: Vec<Value> = self.rows.iter().map(row).collect();
        json!({
            "campaign": {"id": id, "name": "x", "currentPhase": PHASES[self.phase],
                "phaseStatus": self.status, "totalDomainCount": self.rows.len()},
            "domains": rows,
        })
        .to_string()
    }
}

impl World {
    fn run(&mut self, seed: u64) -> Check {
        let plan = self.plan;
        self.journal.note(0, format_args!("seed {seed} original {plan:?}"));
        let id = CampaignId::new(CAMPAIGNS[0]);
        let id = id.unwrap_or_else(|_| unreachable!("the name is made here"));
        self.feed(Input::Retain(id))?;
        self.feed(Input::Connect)?;
        self.schedule.plan(1, Happening::Work);
        for fault in [Fault::Cut, Fault::HalfOpen, Fault::Sleep, Fault::Restart] {
            self.plan_strike(fault);
        }
        self.schedule.plan(self.rng.around(plan.app_ms), Happening::Refresh);
        self.schedule.plan(plan.chaos_ms, Happening::Quiet);
        while let Some((at_ms, happening)) = self.schedule.next() {
            self.now_ms = at_ms;
            let noticed = matches!(
                happening,
                Happening::Open(_)
                    | Happening::Arrive(..)
                    | Happening::Closed(_)
                    | Happening::Timer(_)
                    | Happening::Fetched(..)
            );
            if self.asleep && noticed {
                self.missed.push(happening);
            } else if self.happen(happening)? {
                return Ok(());
            }
        }
        Ok(())
    }

    fn happen(&mut self, happening: Happening) -> Result<bool, Violation> {
        match happening {
            Happening::Open(socket) => {
                self.socket = Some(socket);
                self.feed(Input::Opened(ConnectionId(socket)))?;
                let ack = json!({"type": "connection_ack", "timestamp": timestamp(self.now_ms),
                    "data": {"connectionId": "k"}});
                self.send(&ack.to_string());
            }
            Happening::Arrive(socket, text) => {
                self.feed(Input::Received(ConnectionId(socket), Frame::Text(&text)))?;
            }
            Happening::Closed(socket) => self.feed(Input::Closed(ConnectionId(socket), 1006))?,
            Happening::Timer(timer) if timer == self.timer => {
                self.feed(Input::Woke(Wake::Timer))?
            }
            Happening::Timer(_) => {}
            Happening::Fetched(ticket, json) => {
                self.feed(Input::Snapshot(ticket, json.as_deref()))?;
            }
            Happening::Work => self.work(),
            Happening::Strike(fault) => self.strike(fault),
            Happening::Refresh => self.refresh()?,
            Happening::Wake => self.wake()?,
            Happening::Quiet => {
                self.levels = Levels::NONE;
                self.quiet_since_ms = Some(self.now_ms);
                self.wake()?;
                self.schedule.plan(self.now_ms + 1_000, Happening::Verify);
            }
            Happening::Verify => return self.verify(),
        }
        Ok(false)
    }

    /// Somebody asks for fresh data, now and then; when nothing else goes on, again and again.
    fn refresh(&mut self) -> Check {
        let id = CampaignId::new(CAMPAIGNS[0]);
        let id = id.unwrap_or_else(|_| unreachable!("the name is made here"));
        self.feed(Input::Refresh(id))?;
        let quiet = self.quiet_since_ms.is_some();
        let mean = if quiet { 3_000 } else { self.plan.app_ms };
        self.schedule.plan(self.now_ms + self.rng.around(mean), Happening::Refresh);
        Ok(())
    }

    fn wake(&mut self) -> Check {
        self.asleep = false;
        for happening in std::mem::take(&mut self.missed) {
            self.schedule.plan(self.now_ms, happening);
        }
        self.feed(Input::Woke(Wake::Visible))
    }

    fn plan_strike(&mut self, fault: Fault) {
        let period = self.levels.of(fault);
        if period > 0 {
            let at_ms = self.now_ms + self.rng.around(period);
            self.schedule.plan(at_ms, Happening::Strike(fault));
        }
    }

    fn strike(&mut self, fault: Fault) {
        if self.quiet_since_ms.is_some() {
            return;
        }
        self.journal.note(self.now_ms, format_args!("fault {}", fault.name()));
        self.tally.fault(if fault == Fault::Sleep { "sleep" } else { "original_socket_lost" });
        match fault {
            Fault::Sleep => {
                let at_ms = self.now_ms + self.rng.between(1_000, 60_000);
                self.asleep = true;
                self.schedule.plan(at_ms, Happening::Wake);
            }
            Fault::HalfOpen => self.socket = None,
            _ => {
                if let Some(socket) = self.socket.take() {
                    self.schedule.plan(self.now_ms + 5, Happening::Closed(socket));
                }
            }
        }
        self.plan_strike(fault);
    }

    /// Something happens to either campaign, and everybody is told, whoever asked for it.
    fn work(&mut self) {
        if self.quiet_since_ms.is_some() {
            return;
        }
        let index = usize::from(self.rng.chance(300));
        let document = self.change(index);
        self.send(&document);
        let at_ms = self.now_ms + self.rng.around(self.plan.work_ms);
        self.schedule.plan(at_ms, Happening::Work);
    }

    fn change(&mut self, index: usize) -> String {
        let (id, now) = (CAMPAIGNS[index], timestamp(self.now_ms));
        let (rng, campaign) = (&mut self.rng, &mut self.campaigns[index]);
        self.serial += 1;
        match rng.below(100) {
            0..6 => {
                let before = campaign.phase;
                campaign.phase = (before + 1) % PHASES.len();
                campaign.status = "not_started";
                campaign.phases.insert(campaign.phase);
                let data = json!({
                    "campaignId": id, "previousPhase": PHASES[before],
                    "newPhase": PHASES[campaign.phase], "newStatus": "not_started",
                    "transitionType": "manual", "triggerReason": "go", "prerequisitesMet": true,
                    "dataIntegrityCheck": true, "domainsCount": campaign.rows.len(),
                    "processedCount": 0, "successfulCount": 0, "failedItems": 0,
                });
                let (kind, data) = ("\"campaign.phase.transition\"", data.to_string());
                let hash = EventHash::of_original(kind, &format!("\"{now}\""), &data).to_string();
                let serial = self.serial;
                format!(
                    "{{\"type\":{kind},\"timestamp\":\"{now}\",\"data\":{data},\"sequence\":{{\
                     \"campaignId\":\"{id}\",\"eventId\":\"evt_{serial}\",\
                     \"sequenceNumber\":{serial},\"eventHash\":\"{}\",\"checkpointData\":true}}}}",
                    &hash[..16]
                )
            }
            6..20 => {
                campaign.status = if rng.chance(200) { "completed" } else { "in_progress" };
                let data = json!({
                    "campaignId": id, "totalItems": 9, "processedItems": 3, "successfulItems": 2,
                    "failedItems": 1, "progressPercent": 33.0,
                    "currentPhase": PHASES[campaign.phase], "phaseStatus": campaign.status,
                });
                json!({"type": "campaign.progress", "timestamp": now, "data": data}).to_string()
            }
            20..60 if !campaign.rows.is_empty() => {
                let at = rng.below(campaign.rows.len() as u64) as usize;
                let word = *rng.pick(&WORDS);
                let row = campaign.rows.keys().nth(at).cloned().unwrap_or_default();
                campaign.rows.insert(row.clone(), Some(word));
                campaign.outcomes.insert((row.clone(), Some(word)));
                let data = json!({
                    "campaignId": id, "domainId": row, "domain": format!("{row}.example"),
                    "validationStatus": word, "attempts": 1,
                });
                json!({"type": "dns.validation.result", "timestamp": now, "data": data}).to_string()
            }
            _ => {
                let row = format!("{id}-d{}", self.serial);
                campaign.rows.insert(row.clone(), None);
                campaign.outcomes.insert((row.clone(), None));
                let data = json!({
                    "campaignId": id, "domainId": row, "domain": format!("{row}.example"),
                    "offset": 1, "batchSize": 1, "totalGenerated": 1,
                });
                json!({"type": "domain.generated", "timestamp": now, "data": data}).to_string()
            }
        }
    }

    fn send(&mut self, document: &str) {
        let Some(socket) = self.socket else { return };
        let ack = document.contains("connection_ack");
        if !ack && self.rng.chance(self.levels.of(Fault::Lose)) {
            return self.tally.fault("event_lost");
        }
        let twice = !ack && self.rng.chance(self.levels.of(Fault::Duplicate));
        for _ in 0..1 + u8::from(twice) {
            let mut text = document.to_owned();
            if !ack && self.rng.chance(self.levels.of(Fault::LoseControl)) {
                self.tally.fault("control_cut_short");
                text.truncate(self.rng.below(text.len() as u64) as usize);
            }
            let stalled = self.rng.chance(self.levels.of(Fault::Stall));
            let delay = self.rng.below(self.plan.delay_ms + 1) + u64::from(stalled) * 5_000;
            let mut at_ms = self.now_ms + 1 + delay;
            if !self.rng.chance(self.levels.of(Fault::Reorder)) {
                self.last_ms = at_ms.max(self.last_ms);
                at_ms = self.last_ms;
            }
            self.schedule.plan(at_ms, Happening::Arrive(socket, text));
        }
    }

    fn feed(&mut self, input: Input<'_>) -> Check {
        self.tally.steps += 1;
        let now = self.now();
        let timer = matches!(input, Input::Woke(Wake::Timer));
        let before = self.machine.metrics().applied;
        let outcome = self.machine.handle(now, input);
        let effects: Vec<Effect> = std::iter::from_fn(|| self.machine.poll_effect()).collect();
        let applied = self.machine.metrics().applied - before;
        self.tally.events += applied;
        let _told = self.machine.take_changes();
        invariants::effects_are_bounded(effects.len(), outcome.verdicts.len(), applied)?;
        invariants::caches_come_first(&effects)?;
        let status = self.machine.status(CAMPAIGNS[0], now);
        self.journal.note(self.now_ms, format_args!("{status:?} {:?}", outcome.verdicts));
        self.check(status)?;
        for effect in effects {
            self.perform(effect)?;
        }
        let next = self.machine.poll_timeout();
        if timer {
            invariants::timers_move_on(&mut self.idle_timers, now.at, next)?;
        }
        self.timer += 1;
        if let Some(next) = next {
            let at_ms = self.now_ms + next.since(now.at).max(1) + self.rng.below(4);
            self.schedule.plan(at_ms, Happening::Timer(self.timer));
        }
        Ok(())
    }

    fn now(&self) -> Now {
        let at = Timestamp(1_000 + self.now_ms);
        Now { at, wall_ms: 1_772_323_200_000 + self.now_ms as i64 }
    }

    fn perform(&mut self, effect: Effect) -> Check {
        match effect {
            Effect::Open(ConnectionId(socket)) => {
                let refused = self.rng.chance(self.levels.of(Fault::Refuse));
                let at_ms = self.now_ms + 1 + self.rng.below(2 * self.plan.delay_ms + 1);
                let result =
                    if refused { Happening::Closed(socket) } else { Happening::Open(socket) };
                self.schedule.plan(at_ms, result);
            }
            Effect::Send(ConnectionId(socket), text) => {
                if self.socket == Some(socket) && text.contains("\"ping\"") {
                    self.send(r#"{"id":"","timestamp":"","type":"pong","sequenceNumber":9}"#);
                }
            }
            Effect::CloseSocket(ConnectionId(socket), _) => {
                self.socket = self.socket.filter(|open| *open != socket);
            }
            Effect::FetchSnapshot(ticket, _) => {
                self.fetches.retain(|at| at + 60_000 > self.now_ms);
                self.fetches.push(self.now_ms);
                demand(self.fetches.len() <= FETCHES_MAX, "G8", || {
                    format!("{} fetches within a minute", self.fetches.len())
                })?;
                let fails = self.rng.chance(self.levels.of(Fault::Refuse) / 2);
                let json = (!fails).then(|| self.campaigns[0].snapshot(CAMPAIGNS[0]));
                let at_ms = self.now_ms + self.rng.below(2_000);
                self.schedule.plan(at_ms, Happening::Fetched(ticket, json));
            }
            Effect::Notify(notice) => {
                self.tally.met("notice", notice.kind());
                if let Notice::PhaseTransition(it) = &notice {
                    let own = it.campaign_id.as_str() == CAMPAIGNS[0];
                    demand(own, "G1", || format!("a foreign campaign was told of: {it:?}"))?;
                }
                self.journal.note(self.now_ms, format_args!("{notice:?}"));
            }
            Effect::RequestToken(_) | Effect::Settle(..) | Effect::Changed | Effect::Log(_) => {}
        }
        Ok(())
    }

    /// What holds without any proof.
    fn check(&mut self, status: Option<Status>) -> Check {
        demand(status != Some(Status::Live), "G4", || "live without a proof".to_owned())?;
        let foreign = self.machine.subscription(CAMPAIGNS[1]).is_none();
        demand(foreign, "G1", || "a campaign that nobody holds is kept".to_owned())?;
        let Some(held) = self.machine.subscription(CAMPAIGNS[0]) else { return Ok(()) };
        let (store, campaign) = (&held.store, &self.campaigns[0]);
        let table = store.table();
        for row in (0..table.len()).map(|row| table.fields(row)) {
            let outcome = row.dns_status.and_then(|it| WORDS.iter().find(|word| **word == it));
            let known = (row.domain_id.to_owned(), outcome.copied());
            let genuine =
                campaign.outcomes.contains(&known) && outcome.is_some() == row.dns_status.is_some();
            demand(genuine, "G1", || format!("the server never had {row:?}"))?;
            if !self.seen.contains(row.domain_id) {
                self.seen.insert(row.domain_id.to_owned());
            }
        }
        demand(table.len() == self.seen.len(), "G5", || {
            format!("{} rows were there, {} are", self.seen.len(), table.len())
        })?;
        let Some(record) = store.record() else { return Ok(()) };
        let was = |index: &usize| PHASES[*index] == record.phase.as_str();
        // Before anything told of a phase the record has the first one of all.
        let genuine = campaign.phases.iter().any(was) || record.phase.as_str() == "setup";
        demand(genuine, "G3", || format!("the server never was in {:?}", record.phase))
    }

    fn verify(&mut self) -> Result<bool, Violation> {
        let since_ms = self.now_ms - self.quiet_since_ms.unwrap_or_default();
        let status = self.machine.status(CAMPAIGNS[0], self.now());
        let campaign = &self.campaigns[0];
        let store = self.machine.subscription(CAMPAIGNS[0]).map(|it| &it.store);
        let same = store.is_some_and(|store| {
            let (table, rows) = (store.table(), &campaign.rows);
            let fields = |row| table.fields(row);
            store.record().is_some_and(|record| {
                record.phase.as_str() == PHASES[campaign.phase]
                    && record.status.as_str() == campaign.status
                    && record.total_domain_count == rows.len() as u64
            }) && table.len() == rows.len()
                && (0..table.len())
                    .map(fields)
                    .all(|row| rows.get(row.domain_id).is_some_and(|dns| *dns == row.dns_status))
        });
        if same && status == Some(Status::Stale(StaleReason::Unproven)) {
            return Ok(true);
        }
        demand(since_ms <= CONVERGE_MS, "G9", || {
            format!("{status:?}, {since_ms} ms after the faults, and not as on the server")
        })?;
        self.schedule.plan(self.now_ms + 1_000, Happening::Verify);
        Ok(false)
    }
}
