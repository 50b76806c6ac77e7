//! A page that faces a server of the original dialect, which sends everybody everything, numbers
//! nothing that could be relied on, and replays nothing. Nothing can be proven there; what holds all
//! the same is checked after every step.

mod campaign;
mod oracle;

use std::collections::{BTreeSet, VecDeque};

use campaign_sync::protocol::CampaignId;
use campaign_sync::protocol::frame::Frame;
use campaign_sync::sync::input::{ConnectionId, Ticket, Wake};
use campaign_sync::sync::{Config, Effect, Input, Machine, Notice, Now, Timestamp};
use serde_json::json;

use super::faults::{Fault, Levels, Plan};
use super::invariants::{self, Check, Violation, demand};
use super::journal::{Journal, Keep};
use super::kinds::Kind;
use super::network::Schedule;
use super::reduction::Reduction;
use super::regressions;
use super::report::Tally;
use super::rng::Rng;
use super::server::wire::timestamp;
use super::world::End;
use campaign::Campaign;

/// The campaign that the page holds, and one whose events reach it all the same.
const CAMPAIGNS: [&str; 2] = ["c1", "c2"];
/// So many pages of a thousand keep next to nothing while they fetch.
const KEEPS_LITTLE: u64 = 250;
/// Fetches of one campaign within a minute that nobody asked for, no connect and no failure.
const WISHED_MAX: usize = 25;
/// A refresh or a connect during a fetch, which began before it, leads to another after it.
const FETCHES_EACH: usize = 2;
/// How often a talkative server tells how far a campaign is.
const CHAT_MS: u64 = 300;

#[derive(Debug)]
enum Happening {
    Open(u64),
    Arrive(u64, String),
    Closed(u64),
    Timer(u64),
    Fetched(Ticket, Option<String>),
    Work,
    Chat,
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
    /// When people, connections and failures asked for fetches, and for how many.
    occasions: Vec<(u64, usize)>,
    serial: u64,
    well_since_ms: Option<u64>,
    /// A fetch takes up to so long.
    fetch_ms: u64,
    /// The server tells of progress even where there is none.
    is_talkative: bool,
    /// In the end the socket is lost once more, and nobody asks for fresh data any more.
    comes_back: bool,
    /// An interface that lags does so by this.
    lag_ms: u64,
    /// What the campaign was like, and since when.
    former: VecDeque<(u64, Campaign)>,
    journal: Journal,
    tally: Tally,
}

/// Simulates one seed.
pub(crate) fn simulate(seed: u64, reduction: &Reduction, keep: Keep) -> End {
    let mut rng = Rng::new(seed);
    let mut apart_rng = Rng::apart(seed);
    let mut plan = Plan::draw(&mut rng, &mut apart_rng);
    let older = regressions::is_older(seed);
    if older {
        plan.keep_older();
    }
    reduction.apply(&mut plan);
    let mut config = Config { has_fetch_snapshot: true, ..Config::default() };
    // Drawn apart, so that seeds that failed once still play the same world.
    if Rng::new(!seed).chance(KEEPS_LITTLE) {
        config.held_events_max = 3;
    }
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
        occasions: Vec::new(),
        serial: 0,
        well_since_ms: None,
        fetch_ms: if older { 2_000 } else { *apart_rng.pick(&[20, 2_000, 2_000]) },
        comes_back: apart_rng.chance(500) && !older,
        is_talkative: apart_rng.chance(400) && !older,
        lag_ms: *apart_rng.pick(&[1_500, 6_000, 60_000]),
        former: VecDeque::from([(0, Campaign::new())]),
        journal: Journal::new(keep),
        tally: Tally::default(),
        rng,
    };
    let violation = world.run(seed).err();
    if world.machine.metrics().held_overflows > 0 {
        world.tally.fault("held_overflow");
    }
    world.tally.seeds = 1;
    world.tally.met("world", Kind::Original.name());
    End { violation, tally: world.tally, journal: world.journal }
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
        if self.is_talkative {
            self.schedule.plan(1, Happening::Chat);
        }
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
                self.occasions.push((self.now_ms, FETCHES_EACH));
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
                self.occasions.extend(json.is_none().then_some((self.now_ms, 1)));
                self.feed(Input::Snapshot(ticket, json.as_deref()))?;
            }
            Happening::Work => self.work(),
            Happening::Chat => self.chat(),
            Happening::Strike(fault) => self.strike(fault),
            Happening::Refresh => self.refresh()?,
            Happening::Wake => self.wake()?,
            Happening::Quiet => {
                self.levels = Levels::NONE;
                self.quiet_since_ms = Some(self.now_ms);
                self.wake()?;
                if self.comes_back
                    && let Some(socket) = self.socket.take()
                {
                    self.schedule.plan(self.now_ms + 5, Happening::Closed(socket));
                }
                self.schedule.plan(self.now_ms + 1_000, Happening::Verify);
            }
            Happening::Verify => return self.verify(),
        }
        Ok(false)
    }

    /// Somebody asks for fresh data, now and then; when nothing else goes on, again and again.
    fn refresh(&mut self) -> Check {
        let quiet = self.quiet_since_ms.is_some();
        if quiet && self.comes_back {
            return Ok(());
        }
        let id = CampaignId::new(CAMPAIGNS[0]);
        let id = id.unwrap_or_else(|_| unreachable!("the name is made here"));
        self.occasions.push((self.now_ms, FETCHES_EACH));
        self.feed(Input::Refresh(id))?;
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
        self.serial += 1;
        let (campaign, now) = (&mut self.campaigns[index], timestamp(self.now_ms));
        let document = campaign.change(CAMPAIGNS[index], self.serial, &now, &mut self.rng);
        self.remember();
        self.send(&document);
        let at_ms = self.now_ms + self.rng.around(self.plan.work_ms);
        self.schedule.plan(at_ms, Happening::Work);
    }

    /// The server tells again how far the campaign is.
    fn chat(&mut self) {
        if self.quiet_since_ms.is_none() {
            let progress = self.campaigns[0].progress(CAMPAIGNS[0], &timestamp(self.now_ms));
            self.send(&progress);
            let at_ms = self.now_ms + self.rng.around(CHAT_MS);
            self.schedule.plan(at_ms, Happening::Chat);
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

    fn count_fetch(&mut self) -> Check {
        self.fetches.push(self.now_ms);
        self.fetches.retain(|at| at + 60_000 > self.now_ms);
        self.occasions.retain(|(at, _)| at + 60_000 > self.now_ms);
        let most = self.occasions.iter().map(|(_, fetches)| fetches).sum::<usize>() + WISHED_MAX;
        demand(self.fetches.len() <= most, "G8", || {
            format!("{} fetches within a minute, and {most} are many", self.fetches.len())
        })
    }

    /// What a fetch brings, from an interface that lags perhaps: then always, for a page that an answer
    /// does not help must not ask all the time.
    fn snapshot(&mut self) -> String {
        let then_ms = self.now_ms.saturating_sub(self.lag_ms);
        let lags = self.levels.of(Fault::LagFetch) > 0;
        let former = self.former.iter().rev().find(|(at_ms, _)| *at_ms <= then_ms);
        match former.filter(|_| lags) {
            Some((_, campaign)) => {
                self.tally.fault(Fault::LagFetch.counted_as());
                campaign.snapshot(CAMPAIGNS[0])
            }
            None => self.campaigns[0].snapshot(CAMPAIGNS[0]),
        }
    }

    /// What the campaign is like now is what an interface that lags tells later.
    fn remember(&mut self) {
        if self.levels.of(Fault::LagFetch) == 0 {
            return;
        }
        let then_ms = self.now_ms.saturating_sub(self.lag_ms);
        // The newest of those that are old enough is kept.
        while self.former.get(1).is_some_and(|(at_ms, _)| *at_ms <= then_ms) {
            self.former.pop_front();
        }
        self.former.push_back((self.now_ms, self.campaigns[0].clone()));
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
                self.count_fetch()?;
                let fails = self.rng.chance(self.levels.of(Fault::Refuse) / 2);
                let json = (!fails).then(|| self.snapshot());
                let at_ms = self.now_ms + self.rng.below(self.fetch_ms);
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
}
