//! Time as drivers report it: a monotonic instant and the wall clock.

use core::ops::Add;

/// A monotonic instant, in milliseconds since a moment that the driver chooses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The deadline of an action that is not due at any time.
    pub const NEVER: Self = Self(u64::MAX);

    /// Milliseconds from `earlier` to this instant; 0 if `earlier` is later.
    // Not inline, like the sum: the module computes with deadlines in sixty places.
    #[inline(never)]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<u64> for Timestamp {
    type Output = Self;

    #[inline(never)]
    fn add(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

/// The current time by both clocks. A monotonic clock may stop while a laptop sleeps. The wall clock
/// does not stop, but it may be set. An age is the larger of the two differences, so that neither clock
/// makes old data appear fresh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// The monotonic clock.
    pub at: Timestamp,
    /// The wall clock, in milliseconds since 1970.
    pub wall_ms: i64,
}

impl Now {
    /// The age of `earlier` in milliseconds.
    pub fn age_of(self, earlier: Self) -> u64 {
        let wall = self.wall_ms.saturating_sub(earlier.wall_ms);
        self.at.since(earlier.at).max(u64::try_from(wall).unwrap_or(0))
    }

    /// The time `ms` milliseconds before.
    #[must_use]
    pub const fn minus(self, ms: u64) -> Self {
        Self {
            at: Timestamp(self.at.0.saturating_sub(ms)),
            wall_ms: self.wall_ms.saturating_sub(ms as i64),
        }
    }

    /// The milliseconds by which the wall clock ran ahead of the monotonic clock since `earlier`.
    pub fn jump_since(self, earlier: Self) -> i64 {
        let monotonic = self.at.since(earlier.at) as i64;
        self.wall_ms.saturating_sub(earlier.wall_ms).saturating_sub(monotonic)
    }
}
