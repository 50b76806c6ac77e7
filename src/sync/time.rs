//! Time as drivers tell it: a monotonic instant, and what the wall says.

use core::ops::Add;

/// A monotonic instant in milliseconds, since some moment that the driver chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Milliseconds from `earlier` to here; 0 if it is later.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<u64> for Timestamp {
    type Output = Self;

    fn add(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

/// The present, by both clocks. A monotonic clock may stand still while a laptop sleeps; the wall
/// does not, but may be set. Ages are the larger of the two, so that neither makes old data young.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// The monotonic clock.
    pub at: Timestamp,
    /// The wall clock, in milliseconds since 1970.
    pub wall_ms: i64,
}

impl Now {
    /// How old `earlier` is, in milliseconds.
    pub fn age_of(self, earlier: Self) -> u64 {
        let wall = self.wall_ms.saturating_sub(earlier.wall_ms);
        self.at.since(earlier.at).max(u64::try_from(wall).unwrap_or(0))
    }

    /// By how many milliseconds the wall ran ahead of the monotonic clock since `earlier`.
    pub fn jump_since(self, earlier: Self) -> i64 {
        let monotonic = self.at.since(earlier.at) as i64;
        self.wall_ms.saturating_sub(earlier.wall_ms).saturating_sub(monotonic)
    }
}
