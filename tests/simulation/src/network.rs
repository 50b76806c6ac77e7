//! The network: connections that delay, lose, repeat, reorder and damage what they carry.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use super::faults::{Fault, Levels};
use super::report::RunTotals;
use super::rng::Rng;
use super::server::{Document, Kind};
use super::users::User;

/// The longest delay of a stalled frame, in milliseconds.
const STALL_MS: u64 = 12_000;

/// The identity of one connection. It is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LinkId {
    /// The number of the client.
    pub(crate) client: usize,
    /// The number of the page load.
    pub(crate) page_load: u64,
    /// The machine's number for the connection.
    pub(crate) connection: u64,
}

impl Display for LinkId {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        write!(to, "{}.{}.{}", self.client, self.page_load, self.connection)
    }
}

/// One connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Link {
    /// By direction: whether the link has stopped carrying frames without notifying its ends.
    pub(crate) dead: [bool; 2],
    /// By direction: when the last frame arrives. Later frames overtake it only through a fault.
    last_ms: [u64; 2],
    /// By direction: when the greeting arrives. No frame overtakes it.
    greeted_ms: [u64; 2],
    /// The user whose session it carries, in a world with users.
    pub(crate) user: Option<User>,
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
    /// Whether the link carries frames in this direction.
    pub(crate) const fn carries(&self, direction: Direction) -> bool {
        !self.dead[direction as usize]
    }

    /// Whether the link has stopped carrying frames in at least one direction.
    pub(crate) const fn is_broken(&self) -> bool {
        self.dead[0] || self.dead[1]
    }

    /// The arrival time of a frame that is sent now.
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

    /// Sets the arrival time of the greeting. No frame arrives before it, because without the greeting
    /// no other frame means anything.
    pub(crate) fn greeting_arrives(&mut self, at_ms: u64, direction: Direction) {
        self.greeted_ms[direction as usize] = at_ms;
    }
}

/// The planned events, by time. Of two events at the same time, the one that was planned first comes
/// first.
#[derive(Debug)]
pub(crate) struct Schedule<T> {
    planned: BTreeMap<(u64, u64), T>,
    count: u64,
}

impl<T> Schedule<T> {
    /// An empty schedule.
    pub(crate) const fn new() -> Self {
        Self { planned: BTreeMap::new(), count: 0 }
    }

    /// Plans an event.
    pub(crate) fn plan(&mut self, at_ms: u64, what: T) {
        self.count += 1;
        self.planned.insert((at_ms, self.count), what);
    }

    /// Removes the next event and returns it with its time.
    pub(crate) fn next(&mut self) -> Option<(u64, T)> {
        let ((at_ms, _), what) = self.planned.pop_first()?;
        Some((at_ms, what))
    }
}

/// A frame of `documents` as it arrives, or `None` if nothing of it arrives.
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
        // Half of the damage flips one bit, half sets a random byte.
        bytes[at] = if rng.chance(500) { bytes[at] ^ bit } else { rng.below(256) as u8 };
    }
}
