//! The network: connections that delay, lose, repeat, reorder and damage what they carry.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use super::faults::{Fault, Levels};
use super::report::RunTotals;
use super::rng::Rng;
use super::server::{Document, Kind};

/// How long a stalled frame is held up, in milliseconds.
const STALL_MS: u64 = 12_000;

/// Names one connection, for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LinkId {
    /// Whose it is.
    pub(crate) client: usize,
    /// Since which loading of the page.
    pub(crate) visit: u64,
    /// The machine's number for it.
    pub(crate) connection: u64,
}

impl Display for LinkId {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        write!(to, "{}.{}.{}", self.client, self.visit, self.connection)
    }
}

/// One connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Link {
    /// Carries nothing any more, by direction, and nobody was told.
    pub(crate) dead: [bool; 2],
    /// When the last frame arrives, by direction: later ones do not overtake it by themselves.
    last_ms: [u64; 2],
    /// When the greeting arrives, by direction: nothing overtakes that.
    greeted_ms: [u64; 2],
}

/// A direction of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From the server.
    Down,
    /// To the server.
    Up,
}

impl Link {
    /// Whether it carries something in this direction.
    pub(crate) const fn carries(&self, direction: Direction) -> bool {
        !self.dead[direction as usize]
    }

    /// Whether it carries nothing any more in one direction at least.
    pub(crate) const fn is_broken(&self) -> bool {
        self.dead[0] || self.dead[1]
    }

    /// When a frame that is sent now arrives.
    pub(crate) fn arrival(
        &mut self,
        now_ms: u64,
        rng: &mut Rng,
        (delay_ms, levels): (u64, &Levels),
        direction: Direction,
        totals: &mut RunTotals,
    ) -> u64 {
        let mut stalled = 0;
        if rng.chance(levels.of(Fault::Stall)) {
            totals.fault("stalled");
            stalled = rng.below(STALL_MS);
        }
        let at = now_ms + rng.below(delay_ms + 1) + stalled;
        let at = at.max(self.greeted_ms[direction as usize]);
        if rng.chance(levels.of(Fault::Reorder)) {
            totals.fault("reordered");
            return at + rng.below(2 * delay_ms + 50);
        }
        let last = &mut self.last_ms[direction as usize];
        *last = at.max(*last);
        *last
    }

    /// The greeting arrives then: without it nothing on a socket means anything.
    pub(crate) fn greeting_arrives(&mut self, at_ms: u64, direction: Direction) {
        self.greeted_ms[direction as usize] = at_ms;
    }
}

/// What happens, by time; of two at one time, the one that was planned first comes first.
#[derive(Debug)]
pub(crate) struct Schedule<T> {
    planned: BTreeMap<(u64, u64), T>,
    count: u64,
}

impl<T> Schedule<T> {
    /// Nothing is planned.
    pub(crate) const fn new() -> Self {
        Self { planned: BTreeMap::new(), count: 0 }
    }

    /// Plans something.
    pub(crate) fn plan(&mut self, at_ms: u64, what: T) {
        self.count += 1;
        self.planned.insert((at_ms, self.count), what);
    }

    /// What comes next, and when.
    pub(crate) fn next(&mut self) -> Option<(u64, T)> {
        let ((at_ms, _), what) = self.planned.pop_first()?;
        Some((at_ms, what))
    }
}

/// A frame of `documents` as it arrives; none if nothing of it does.
pub(crate) fn distort(
    rng: &mut Rng,
    levels: &Levels,
    totals: &mut RunTotals,
    documents: &[Document],
) -> Option<Vec<u8>> {
    let mut arriving: Vec<Vec<u8>> = Vec::new();
    for document in documents {
        let bytes = document.text.as_bytes();
        if !matches!(document.kind, Kind::Event(..)) {
            let greeting = matches!(document.kind, Kind::Greeting);
            if !greeting && rng.chance(levels.of(Fault::LoseControl)) {
                if rng.chance(500) {
                    totals.fault("control_lost");
                    continue;
                }
                totals.fault("control_cut_short");
                arriving.push(bytes[..rng.below(bytes.len() as u64) as usize].to_vec());
            } else {
                arriving.push(bytes.to_vec());
            }
            continue;
        }
        if rng.chance(levels.of(Fault::Lose)) {
            totals.fault("event_lost");
            continue;
        }
        if rng.chance(levels.of(Fault::Duplicate)) {
            totals.fault("event_duplicated");
            arriving.push(bytes.to_vec());
        }
        let mut bytes = bytes.to_vec();
        if rng.chance(levels.of(Fault::Corrupt)) {
            totals.fault("event_corrupted");
            damage(rng, &mut bytes);
        }
        arriving.push(bytes);
    }
    for second in 1..arriving.len() {
        if rng.chance(levels.of(Fault::Swap)) {
            totals.fault("events_swapped");
            arriving.swap(second - 1, second);
        }
    }
    if arriving.is_empty() { None } else { Some(arriving.join(&b'\n')) }
}

fn damage(rng: &mut Rng, bytes: &mut [u8]) {
    for _ in 0..rng.between(1, 3) {
        let at = rng.below(bytes.len() as u64) as usize;
        let bit = 1 << rng.below(8);
        // Half of the damage is subtle, half is any byte.
        bytes[at] = if rng.chance(500) { bytes[at] ^ bit } else { rng.below(256) as u8 };
    }
}
