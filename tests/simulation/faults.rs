//! The fault plan: what may go wrong in one simulation, and how often.
//!
//! Swarm-like: each seed switches every class of faults on or off for itself. With everything on at
//! once, most faults would hide behind the loudest ones.

use super::rng::Rng;
use super::server::Replays;

/// Chances of what the network does to one document or frame, per mille.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rates {
    /// An event is lost.
    pub(crate) lose: u64,
    /// An event arrives twice.
    pub(crate) duplicate: u64,
    /// An event changes places with its neighbour in the frame.
    pub(crate) swap: u64,
    /// Random bytes of an event are damaged.
    pub(crate) corrupt: u64,
    /// A frame overtakes those before it, or falls behind those after it.
    pub(crate) reorder: u64,
    /// A control message is lost or cut short, downwards.
    pub(crate) lose_control: u64,
    /// A message is lost, upwards.
    pub(crate) lose_up: u64,
    /// A message arrives twice, upwards.
    pub(crate) duplicate_up: u64,
    /// A frame is held up for long.
    pub(crate) stall: u64,
    /// A recovery request is put off, by however much.
    pub(crate) put_off: u64,
    /// A connection attempt is refused, or never answered.
    pub(crate) refuse: u64,
    /// A token turns out to be expired, or the application has none to give.
    pub(crate) expire: u64,
}

/// What a server may ask of a client's patience, in milliseconds.
pub(crate) const RETRY_AFTER_MS: &[u64] = &[0, 400, 10_000, (1 << 53) - 1];

/// Mean time between faults of the world, in milliseconds; 0 means never.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Periods {
    /// A socket is cut.
    pub(crate) cut: u64,
    /// A socket goes dead without a word.
    pub(crate) half_open: u64,
    /// The server is killed and comes back.
    pub(crate) restart: u64,
    /// History is truncated.
    pub(crate) truncate: u64,
    /// An older log is restored under a new epoch, with a restart.
    pub(crate) restore: u64,
    /// The same, but the sockets live on.
    pub(crate) replace: u64,
    /// The server's rows change without an event.
    pub(crate) mutate: u64,
    /// A client sleeps.
    pub(crate) sleep: u64,
    /// A client's timers are throttled for a while.
    pub(crate) throttle: u64,
    /// A client's wall clock is set.
    pub(crate) set_clock: u64,
}

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
    /// Per message.
    pub(crate) rates: Rates,
    /// Per time.
    pub(crate) periods: Periods,
}

impl Plan {
    /// Draws a plan.
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let calm = rng.chance(40);
        Self {
            clients: rng.between(1, 3),
            campaigns: rng.between(1, 3),
            chaos_ms: rng.between(15_000, 80_000),
            delay_ms: *rng.pick(&[1, 5, 40, 200, 1_000]),
            work_ms: *rng.pick(&[100, 250, 600, 2_000, 6_000]),
            app_ms: *rng.pick(&[2_000, 8_000, 30_000]),
            part_rows: *rng.pick(&[2, 7, 25, 1_000]),
            batch: *rng.pick(&[1, 4, 50]),
            pace_ms: *rng.pick(&[0, 1, 20, 150]),
            replay_max: *rng.pick(&[0, 5, 40, 1_000, 1_000]),
            rows: *rng.pick(&[0, 5, 40, 150, 400]),
            replays: if calm { Replays::Whole } else { replays(rng) },
            rates: if calm { Rates::default() } else { Rates::draw(rng) },
            periods: if calm { Periods::default() } else { Periods::draw(rng) },
        }
    }
}

fn replays(rng: &mut Rng) -> Replays {
    match rng.below(10) {
        0 => Replays::LeftOver,
        1 => Replays::CutShort,
        2 => Replays::Overlapping(rng.between(1, 12)),
        3 => Replays::Behind(rng.between(1, 12)),
        _ => Replays::Whole,
    }
}

impl Rates {
    fn draw(rng: &mut Rng) -> Self {
        let mut rate = |often: u64| {
            let (on, level) = (rng.chance(400), rng.between(1, often));
            if on { level } else { 0 }
        };
        Self {
            lose: rate(200),
            duplicate: rate(200),
            swap: rate(200),
            corrupt: rate(100),
            reorder: rate(150),
            lose_control: rate(100),
            lose_up: rate(100),
            duplicate_up: rate(100),
            stall: rate(30),
            put_off: rate(300),
            refuse: rate(500),
            expire: rate(300),
        }
    }
}

impl Periods {
    fn draw(rng: &mut Rng) -> Self {
        let mut period = |least: u64, most: u64| {
            let (on, mean) = (rng.chance(400), rng.between(least, most));
            if on { mean } else { 0 }
        };
        Self {
            cut: period(1_000, 30_000),
            half_open: period(5_000, 60_000),
            restart: period(10_000, 60_000),
            truncate: period(2_000, 30_000),
            restore: period(15_000, 90_000),
            replace: period(20_000, 120_000),
            mutate: period(10_000, 60_000),
            sleep: period(10_000, 60_000),
            throttle: period(10_000, 60_000),
            set_clock: period(5_000, 40_000),
        }
    }
}
