//! The reference count of a subscription, which is kept for a while after its last release.

use super::time::Timestamp;

/// How often the application retains a subscription.
#[derive(Clone, Copy, Debug)]
pub enum Holders {
    /// The application retains it this many times.
    Held(u32),
    /// The application has released it. It is kept until this time.
    Lingering(Timestamp),
}

impl Default for Holders {
    fn default() -> Self {
        Self::Held(0)
    }
}

impl Holders {
    /// Increments the count.
    pub fn retain(&mut self) {
        *self = match self {
            Self::Held(count) => Self::Held(*count + 1),
            Self::Lingering(_) => Self::Held(1),
        };
    }

    /// Decrements the count; after the last release the subscription is kept until `until`. Returns whether
    /// the application retained it.
    pub const fn release(&mut self, until: Timestamp) -> bool {
        match self {
            Self::Held(0) | Self::Lingering(_) => return false,
            Self::Held(1) => *self = Self::Lingering(until),
            Self::Held(count) => *count -= 1,
        }
        true
    }

    /// Whether the application has released the subscription.
    pub const fn is_lingering(&self) -> bool {
        matches!(self, Self::Lingering(_))
    }

    /// Until when a released subscription is kept.
    pub const fn lingers_until(&self) -> Timestamp {
        match self {
            Self::Held(_) => Timestamp::NEVER,
            Self::Lingering(until) => *until,
        }
    }

    /// Whether a released subscription has been kept for long enough.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.lingers_until() <= now
    }
}
