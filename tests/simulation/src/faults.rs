//! The fault plan: what may go wrong in one simulation, and how often.
//!
//! Swarm-like: each seed switches every kind of fault on or off for itself. With everything on at
//! once, most faults would hide behind the loudest ones.

use std::fmt::{self, Display, Formatter};

use super::rng::Rng;
use super::server::Replays;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    // What may happen to one message, by chance.
    Lose,
    Duplicate,
    Swap,
    Corrupt,
    Reorder,
    Stall,
    LoseControl,
    LoseUp,
    DuplicateUp,
    PutOff,
    Refuse,
    Expire,
    Equivocate,
    Lie,
    Lag,
    Ambush,
    // What may happen to the world, every so often.
    Cut,
    HalfOpen,
    OneWay,
    SlowReader,
    Forget,
    EndSession,
    Restart,
    Crash,
    Truncate,
    Restore,
    Replace,
    Revert,
    Mutate,
    Recut,
    Sleep,
    Throttle,
    SetClock,
    // What is drawn apart, by chance as well.
    LateGreeting,
    BareError,
    LagFetch,
    NoPosition,
}

/// How a kind of fault comes about.
#[derive(Clone, Copy, Debug)]
enum Comes {
    /// To every message with a chance of up to so many per mille.
    By(u64),
    /// To the world, with so many milliseconds on average between two.
    Every(u64, u64),
}

use Comes::{By, Every};

/// Every kind: its name, how it comes about, and what it is.
const TABLE: [(Fault, &str, Comes); Fault::COUNT] = [
    // An event is lost.
    (Fault::Lose, "lose", By(200)),
    // An event arrives twice.
    (Fault::Duplicate, "duplicate", By(200)),
    // An event changes places with its neighbour in the frame.
    (Fault::Swap, "swap", By(200)),
    // Random bytes of an event are damaged.
    (Fault::Corrupt, "corrupt", By(100)),
    // A frame overtakes those before it, or falls behind those after it.
    (Fault::Reorder, "reorder", By(150)),
    // A frame is held up for long.
    (Fault::Stall, "stall", By(30)),
    // A control message is lost or cut short, downwards.
    (Fault::LoseControl, "lose-control", By(100)),
    // A message is lost, upwards.
    (Fault::LoseUp, "lose-up", By(100)),
    // A message arrives twice, upwards.
    (Fault::DuplicateUp, "duplicate-up", By(100)),
    // A recovery request is put off, by however much.
    (Fault::PutOff, "put-off", By(300)),
    // A connection attempt is refused, or never answered.
    (Fault::Refuse, "refuse", By(500)),
    // A token turns out to be expired, or the application has none to give.
    (Fault::Expire, "expire", By(300)),
    // The server sends another event of that number, intact.
    (Fault::Equivocate, "equivocate", By(40)),
    // The server sends a snapshot that does not add up, or heads and digests that are not true.
    (Fault::Lie, "lie", By(200)),
    // A connection leads to a replica that has everything later.
    (Fault::Lag, "lag", By(700)),
    // Right behind an answer comes a fault of the world, or a burst of events.
    (Fault::Ambush, "ambush", By(150)),
    // A socket is cut.
    (Fault::Cut, "cut", Every(1_000, 30_000)),
    // A socket goes dead without a word.
    (Fault::HalfOpen, "half-open", Every(5_000, 60_000)),
    // A socket carries nothing any more in one direction.
    (Fault::OneWay, "one-way", Every(5_000, 60_000)),
    // A socket takes long between two frames.
    (Fault::SlowReader, "slow-reader", Every(5_000, 40_000)),
    // The server forgets a subscription.
    (Fault::Forget, "forget", Every(5_000, 40_000)),
    // The server ends a session, with or without a word before.
    (Fault::EndSession, "end-session", Every(10_000, 60_000)),
    // The server is killed and comes back.
    (Fault::Restart, "restart", Every(10_000, 60_000)),
    // The same, between the commit of some events and their publication.
    (Fault::Crash, "crash", Every(10_000, 60_000)),
    // History is truncated.
    (Fault::Truncate, "truncate", Every(2_000, 30_000)),
    // An older log is restored under a new epoch, with a restart.
    (Fault::Restore, "restore", Every(15_000, 90_000)),
    // The same, but the sockets live on.
    (Fault::Replace, "replace", Every(20_000, 120_000)),
    // A backup is restored under the same epoch, as no server may.
    (Fault::Revert, "revert", Every(20_000, 120_000)),
    // The server's rows change without an event.
    (Fault::Mutate, "mutate", Every(10_000, 60_000)),
    // Snapshots are cut into other parts from now on.
    (Fault::Recut, "recut", Every(2_000, 20_000)),
    // A client sleeps.
    (Fault::Sleep, "sleep", Every(10_000, 60_000)),
    // A client's timers are throttled for a while, to as little as once a minute.
    (Fault::Throttle, "throttle", Every(10_000, 60_000)),
    // A client's wall clock is set.
    (Fault::SetClock, "set-clock", Every(5_000, 40_000)),
    // The acknowledgement comes after the time that a client waits for it.
    (Fault::LateGreeting, "late-greeting", By(500)),
    // An error names the request that it answers, and not the campaign.
    (Fault::BareError, "bare-error", By(700)),
    // A fetch brings what was so a while ago.
    (Fault::LagFetch, "lag-fetch", By(600)),
    // A fetch brings a state without its position, which must be refused.
    (Fault::NoPosition, "no-position", By(600)),
];

/// The table is in the order of the kinds.
const _: () = {
    let mut at = 0;
    while at < TABLE.len() {
        assert!(TABLE[at].0 as usize == at);
        at += 1;
    }
};

impl Fault {
    /// How many kinds there are.
    const COUNT: usize = Self::NoPosition as usize + 1;
    /// This one and those after it are drawn apart: they came later, and seeds go on standing for what
    /// was drawn before.
    const FIRST_APART: usize = Self::LateGreeting as usize;

    /// All kinds.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|(fault, ..)| *fault)
    }

    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        TABLE[self as usize].1
    }

    /// What reports count when one happens.
    pub(crate) const fn counted_as(self) -> &'static str {
        match self {
            Self::Lose => "event_lost",
            Self::Duplicate => "event_duplicated",
            Self::Swap => "events_swapped",
            Self::Corrupt => "event_corrupted",
            Self::Reorder => "reordered",
            Self::Stall => "stalled",
            Self::LoseControl => "control_lost",
            Self::LoseUp => "request_lost",
            Self::DuplicateUp => "request_duplicated",
            Self::PutOff => "put_off",
            Self::Refuse => "refused",
            Self::Expire => "token_expired",
            Self::Equivocate => "equivocated",
            Self::Lie => "false_snapshot",
            Self::Lag => "replica",
            Self::Ambush => "ambush",
            Self::Cut => "cut",
            Self::HalfOpen => "half_open",
            Self::OneWay => "one_way",
            Self::SlowReader => "slow_reader",
            Self::Forget => "subscription_forgotten",
            Self::EndSession => "session_ended",
            Self::Restart => "restart",
            Self::Crash => "crash",
            Self::Truncate => "truncated",
            Self::Restore => "epoch_changed",
            Self::Replace => "replaced",
            Self::Revert => "reverted",
            Self::Mutate => "silent_change",
            Self::Recut => "snapshots_recut",
            Self::Sleep => "sleep",
            Self::Throttle => "throttled",
            Self::SetClock => "clock_set",
            Self::LateGreeting => "late_greeting",
            Self::BareError => "bare_error",
            Self::LagFetch => "fetch_lagged",
            Self::NoPosition => "fetch_without_position",
        }
    }

    /// The kind of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        TABLE.iter().find(|(_, known, _)| *known == name).map(|(fault, ..)| *fault)
    }

    /// Whether it happens to the world and not to single messages.
    pub(crate) fn is_of_the_world(self) -> bool {
        matches!(TABLE[self as usize].2, Every(..))
    }
}

/// How often each kind of fault comes, as [`TABLE`] has it; 0 is never.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Levels([u64; Fault::COUNT]);

impl Levels {
    /// Nothing goes wrong.
    pub(crate) const NONE: Self = Self([0; Fault::COUNT]);

    fn draw(rng: &mut Rng, apart: &mut Rng) -> Self {
        // Some seeds have few kinds of faults, some many.
        let share = *rng.pick(&[150, 400, 400, 700]);
        let mut levels = Self::NONE;
        for (fault, _, comes) in TABLE {
            let rng = if fault as usize >= Fault::FIRST_APART { &mut *apart } else { &mut *rng };
            let level = match comes {
                By(most) => rng.between(1, most),
                Every(least, most) => rng.between(least, most),
            };
            if rng.chance(share) {
                levels.0[fault as usize] = level;
            }
        }
        levels
    }

    /// How often this kind comes.
    pub(crate) const fn of(&self, fault: Fault) -> u64 {
        self.0[fault as usize]
    }

    /// This kind comes no more.
    pub(crate) const fn switch_off(&mut self, fault: Fault) {
        self.0[fault as usize] = 0;
    }
}

/// What a server may ask of a client's patience, in milliseconds.
pub(crate) const RETRY_AFTER_MS: &[u64] = &[0, 400, 10_000, (1 << 53) - 1];

/// Everything that one seed decides before it starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// How many clients there are.
    pub(crate) clients: u64,
    /// How many campaigns there are.
    pub(crate) campaigns: u64,
    /// How long things go wrong.
    pub(crate) chaos_ms: u64,
    /// Ordinary one-way delay of a frame is up to this.
    pub(crate) delay_ms: u64,
    /// Mean time between events of a campaign.
    pub(crate) work_ms: u64,
    /// Mean time between actions of a page.
    pub(crate) app_ms: u64,
    /// Rows of one snapshot part.
    pub(crate) part_rows: u64,
    /// Events that the server writes in one go.
    pub(crate) batch: u64,
    /// Time between two goes.
    pub(crate) pace_ms: u64,
    /// Replays longer than this become snapshots.
    pub(crate) replay_max: u64,
    /// Rows that a campaign starts with, at most.
    pub(crate) rows: u64,
    /// Whether the server replays what it was asked for.
    pub(crate) replays: Replays,
    /// How far behind replicas are.
    pub(crate) lag_ms: u64,
    /// Whether a replica knows how far the log really goes.
    pub(crate) lag_known: bool,
    /// Whether a reader that lags behind history is let go, or sent a snapshot that it did not ask
    /// for.
    pub(crate) closes_laggards: bool,
    /// What goes wrong, and how often.
    pub(crate) levels: Levels,
}

impl Plan {
    /// What only a server can do that breaks the contract, or one that several processes are, is not
    /// done to the one that is really there.
    pub(crate) fn keep_contract(&mut self) {
        for fault in [
            Fault::PutOff,
            Fault::Equivocate,
            Fault::Lie,
            Fault::Lag,
            Fault::Forget,
            Fault::Replace,
            Fault::Revert,
            Fault::Recut,
        ] {
            self.levels.switch_off(fault);
        }
        self.replays = Replays::Whole;
    }

    /// A seed that failed before there were those faults plays the world in which it failed.
    pub(crate) fn keep_older(&mut self) {
        for (fault, ..) in &TABLE[Fault::FIRST_APART..] {
            self.levels.switch_off(*fault);
        }
    }

    /// Draws a plan; what is drawn apart, from the second.
    pub(crate) fn draw(rng: &mut Rng, apart: &mut Rng) -> Self {
        let calm = rng.chance(40);
        // A crowd has less time, so that no seed takes much longer than others.
        let crowd = rng.chance(80);
        let (clients, campaigns, chaos_ms) = if crowd {
            (rng.between(4, 8), rng.between(3, 6), rng.between(5_000, 15_000))
        } else {
            (rng.between(1, 3), rng.between(1, 3), rng.between(15_000, 80_000))
        };
        Self {
            clients,
            campaigns,
            chaos_ms,
            delay_ms: *rng.pick(&[1, 5, 40, 200, 1_000]),
            work_ms: *rng.pick(&[100, 250, 600, 2_000, 6_000]),
            app_ms: *rng.pick(&[2_000, 8_000, 30_000]),
            part_rows: *rng.pick(PART_ROWS),
            batch: *rng.pick(&[1, 4, 50]),
            pace_ms: *rng.pick(&[0, 1, 20, 150]),
            replay_max: *rng.pick(&[0, 5, 40, 1_000, 1_000]),
            rows: *rng.pick(&[0, 5, 40, 150, 400]),
            replays: if calm { Replays::Whole } else { replays(rng) },
            lag_ms: *rng.pick(&[200, 1_500, 6_000]),
            lag_known: rng.chance(500),
            closes_laggards: rng.chance(500),
            levels: if calm { Levels::NONE } else { Levels::draw(rng, apart) },
        }
    }
}

impl Display for Plan {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        let (clients, campaigns, rows) = (self.clients, self.campaigns, self.rows);
        write!(to, "clients={clients} campaigns={campaigns} rows={rows} ")?;
        let (chaos, delay, work, app) = (self.chaos_ms, self.delay_ms, self.work_ms, self.app_ms);
        write!(to, "chaos-ms={chaos} delay-ms={delay} work-ms={work} app-ms={app} ")?;
        let (part_rows, batch, pace) = (self.part_rows, self.batch, self.pace_ms);
        write!(to, "part-rows={part_rows} batch={batch} pace-ms={pace} ")?;
        write!(to, "replay-max={} replays={} ", self.replay_max, self.replays)?;
        let (lag, known, closes) = (self.lag_ms, self.lag_known, self.closes_laggards);
        write!(to, "lag-ms={lag} lag-known={known} closes-laggards={closes}")?;
        let mut faults = Fault::all().filter(|fault| self.levels.of(*fault) > 0);
        faults.try_for_each(|it| write!(to, " {}={}", it.name(), self.levels.of(it)))
    }
}

/// Rows that a part of a snapshot may have.
pub(crate) const PART_ROWS: &[u64] = &[2, 7, 25, 1_000];

fn replays(rng: &mut Rng) -> Replays {
    match rng.below(10) {
        0 => Replays::LeftOver,
        1 => Replays::CutShort,
        2 => Replays::Overlapping(rng.between(1, 12)),
        3 => Replays::Behind(rng.between(1, 12)),
        _ => Replays::Whole,
    }
}
