//! The fault plan: the faults that may happen in one simulation, and how often.
//!
//! The plan follows swarm testing: each seed switches every kind of fault on or off separately. With all
//! kinds on at once, the most frequent ones would hide most of the others.

use std::fmt::{self, Display, Formatter};

use super::kinds::Kind;
use super::regressions;
use super::rng::Rng;
use super::server::Replays;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    // Faults of one message, by chance.
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
    // Faults of the world, at intervals.
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
    // Faults that are drawn from a separate generator, by chance as well.
    LateGreeting,
    BareError,
    LagFetch,
    NoPosition,
    // A fault that is drawn from a third generator, by chance as well.
    GarbleGreeting,
}

/// The frequencies that may be drawn for a kind of fault.
#[derive(Clone, Copy, Debug)]
enum Frequency {
    /// Happens to a message, with a chance of up to this many per mille.
    By(u64),
    /// Happens to the world, at mean intervals between these two numbers of milliseconds.
    Every(u64, u64),
}

use Frequency::{By, Every};

/// Every kind of fault: its name and its frequencies. The comment above each kind describes it.
const TABLE: [(Fault, &str, Frequency); Fault::COUNT] = [
    // An event is lost.
    (Fault::Lose, "lose", By(200)),
    // An event arrives twice.
    (Fault::Duplicate, "duplicate", By(200)),
    // An event changes places with its neighbour in the frame.
    (Fault::Swap, "swap", By(200)),
    // Random bytes of an event are damaged.
    (Fault::Corrupt, "corrupt", By(100)),
    // A frame overtakes earlier frames or falls behind later ones.
    (Fault::Reorder, "reorder", By(150)),
    // A frame is delayed for a long time.
    (Fault::Stall, "stall", By(30)),
    // A control message to the client is lost or cut short.
    (Fault::LoseControl, "lose-control", By(100)),
    // A message to the server is lost.
    (Fault::LoseUp, "lose-up", By(100)),
    // A message to the server arrives twice.
    (Fault::DuplicateUp, "duplicate-up", By(100)),
    // A recovery request is postponed, by a delay of any length.
    (Fault::PutOff, "put-off", By(300)),
    // A connection attempt is refused, or never answered.
    (Fault::Refuse, "refuse", By(500)),
    // A token has expired, or the application has no token.
    (Fault::Expire, "expire", By(300)),
    // The server sends a different event with that number, as intact as the original.
    (Fault::Equivocate, "equivocate", By(40)),
    // The server sends a snapshot that does not match its digest, or false heads and digests.
    (Fault::Lie, "lie", By(200)),
    // A connection leads to a replica that has everything later.
    (Fault::Lag, "lag", By(700)),
    // A fault of the world or a burst of events directly follows an answer.
    (Fault::Ambush, "ambush", By(150)),
    // A socket is cut.
    (Fault::Cut, "cut", Every(1_000, 30_000)),
    // A socket stops carrying frames, and neither end is notified.
    (Fault::HalfOpen, "half-open", Every(5_000, 60_000)),
    // A socket stops carrying frames in one direction.
    (Fault::OneWay, "one-way", Every(5_000, 60_000)),
    // A socket takes a long time between two frames.
    (Fault::SlowReader, "slow-reader", Every(5_000, 40_000)),
    // The server forgets a subscription.
    (Fault::Forget, "forget", Every(5_000, 40_000)),
    // The server ends a session, with or without a notice.
    (Fault::EndSession, "end-session", Every(10_000, 60_000)),
    // The server is killed and starts again.
    (Fault::Restart, "restart", Every(10_000, 60_000)),
    // The server is killed after the commit of some events and before their publication.
    (Fault::Crash, "crash", Every(10_000, 60_000)),
    // History is truncated.
    (Fault::Truncate, "truncate", Every(2_000, 30_000)),
    // An older log is restored under a new epoch, and the server restarts.
    (Fault::Restore, "restore", Every(15_000, 90_000)),
    // An older log is restored under a new epoch, and the sockets stay open.
    (Fault::Replace, "replace", Every(20_000, 120_000)),
    // A backup is restored under the same epoch, which no server may do.
    (Fault::Revert, "revert", Every(20_000, 120_000)),
    // The server's rows change without an event.
    (Fault::Mutate, "mutate", Every(10_000, 60_000)),
    // From now on, snapshots are divided into parts differently.
    (Fault::Recut, "recut", Every(2_000, 20_000)),
    // A client's computer sleeps.
    (Fault::Sleep, "sleep", Every(10_000, 60_000)),
    // A client's timers are throttled for a while, to as little as once a minute.
    (Fault::Throttle, "throttle", Every(10_000, 60_000)),
    // A client's wall clock is set.
    (Fault::SetClock, "set-clock", Every(5_000, 40_000)),
    // The acknowledgement arrives after the client has stopped waiting for it.
    (Fault::LateGreeting, "late-greeting", By(500)),
    // An error names the request that it answers, but not the campaign.
    (Fault::BareError, "bare-error", By(700)),
    // A fetch returns an older state.
    (Fault::LagFetch, "lag-fetch", By(600)),
    // A fetch returns a state without its position, which the client must refuse.
    (Fault::NoPosition, "no-position", By(600)),
    // The acknowledgement is damaged, cut short, lost, or replaced by a foreign document.
    (Fault::GarbleGreeting, "garble-greeting", By(600)),
];

/// The table has the order of the enum.
const _: () = {
    let mut at = 0;
    while at < TABLE.len() {
        assert!(TABLE[at].0 as usize == at);
        at += 1;
    }
};

impl Fault {
    /// The number of kinds.
    const COUNT: usize = Self::GarbleGreeting as usize + 1;
    /// Kinds from this one on are drawn from a separate generator. They were added later, and every seed
    /// must keep the faults that it drew before.
    const FIRST_ADDED_LATER: usize = Self::LateGreeting as usize;
    /// Kinds from this one on were added still later, and are drawn from a third generator.
    const FIRST_THIRD: usize = Self::GarbleGreeting as usize;

    /// All kinds.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|(fault, ..)| *fault)
    }

    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        TABLE[self as usize].1
    }

    /// The name under which reports count it.
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
            Self::GarbleGreeting => "greeting_garbled",
        }
    }

    /// The kind with that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        TABLE.iter().find(|(_, known, _)| *known == name).map(|(fault, ..)| *fault)
    }

    /// Whether it happens to the world and not to a single message.
    pub(crate) fn is_of_the_world(self) -> bool {
        matches!(TABLE[self as usize].2, Every(..))
    }
}

/// How often each kind of fault happens, in the unit of [`TABLE`]. 0 means never.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Levels([u64; Fault::COUNT]);

impl Levels {
    /// Nothing goes wrong.
    pub(crate) const NONE: Self = Self([0; Fault::COUNT]);

    fn draw(rng: &mut Rng, apart: &mut Rng, third: &mut Rng) -> Self {
        // Some seeds have few kinds of faults, others have many.
        let share = *rng.pick(&[150, 400, 400, 700]);
        let mut levels = Self::NONE;
        for (fault, _, comes) in TABLE {
            let rng = match fault as usize {
                Fault::FIRST_THIRD.. => &mut *third,
                Fault::FIRST_ADDED_LATER.. => &mut *apart,
                _ => &mut *rng,
            };
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

    /// How often this kind happens.
    pub(crate) const fn of(&self, fault: Fault) -> u64 {
        self.0[fault as usize]
    }

    /// Switches this kind off.
    pub(crate) const fn switch_off(&mut self, fault: Fault) {
        self.0[fault as usize] = 0;
    }
}

/// The values of `retryAfterMs` that a server may send.
pub(crate) const RETRY_AFTER_MS: &[u64] = &[0, 400, 10_000, (1 << 53) - 1];

/// Everything that a seed decides before the simulation starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) clients: u64,
    pub(crate) campaigns: u64,
    /// The duration of the phase with faults.
    pub(crate) chaos_ms: u64,
    /// The longest ordinary one-way delay of a frame.
    pub(crate) delay_ms: u64,
    /// Mean time between events of a campaign.
    pub(crate) work_ms: u64,
    /// Mean time between user actions on a page.
    pub(crate) app_ms: u64,
    /// Rows of one snapshot part.
    pub(crate) part_rows: u64,
    /// Events that the server writes at once.
    pub(crate) batch: u64,
    /// The longest time between two writes.
    pub(crate) pace_ms: u64,
    /// Replays longer than this become snapshots.
    pub(crate) replay_max: u64,
    /// The most rows that a campaign starts with.
    pub(crate) rows: u64,
    /// How the server's replays keep or break the contract.
    pub(crate) replays: Replays,
    /// The lag of replicas.
    pub(crate) lag_ms: u64,
    /// Whether a replica knows the head of the current log.
    pub(crate) lag_known: bool,
    /// Whether a reader that lags behind history is disconnected. Otherwise it receives a snapshot
    /// without having requested one.
    pub(crate) closes_laggards: bool,
    /// The kinds of faults that happen, and how often.
    pub(crate) levels: Levels,
}

impl Plan {
    /// Removes the faults that the core of the reference server cannot have: breaches of the contract,
    /// and effects that need several server processes.
    fn keep_contract(&mut self) {
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

    /// Removes the kinds of faults that were added later, so that a seed that failed before replays the
    /// world in which it failed.
    fn keep_older(&mut self) {
        for (fault, ..) in &TABLE[Fault::FIRST_ADDED_LATER..] {
            self.levels.switch_off(*fault);
        }
    }

    /// Removes the kinds of faults that were added last, so that a seed that failed keeps its world.
    fn keep_known(&mut self) {
        for (fault, ..) in &TABLE[Fault::FIRST_THIRD..] {
            self.levels.switch_off(*fault);
        }
    }

    /// The plan of that seed. The kinds of faults that were added later are drawn from `apart` and `third`.
    pub(crate) fn of(seed: u64, rng: &mut Rng, apart: &mut Rng, third: &mut Rng) -> Self {
        let mut plan = Self::draw(rng, apart, third);
        if regressions::is_known(seed) {
            plan.keep_known();
        }
        if regressions::is_older(seed) {
            plan.keep_older();
        }
        if Kind::of(seed) == Kind::Core {
            plan.keep_contract();
        }
        plan
    }

    fn draw(rng: &mut Rng, apart: &mut Rng, third: &mut Rng) -> Self {
        let calm = rng.chance(40);
        // A simulation with many clients is shorter, so that no seed takes much longer than others.
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
            levels: if calm { Levels::NONE } else { Levels::draw(rng, apart, third) },
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

/// The numbers of rows that a part of a snapshot may have.
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
