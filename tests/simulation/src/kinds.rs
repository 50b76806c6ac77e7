//! The kinds of worlds. The kind of a seed's world is fixed, because a seed that once failed must replay
//! its failure.

use super::{regressions, sealed};

/// A seed runs the core of the reference server if its remainder modulo the first number is one of
/// these. No seed that failed in a world with a model server has one of these remainders.
const CORE: (u64, [u64; 4]) = (16, [3, 4, 7, 10]);

/// Users change on the pages of a seed if its remainder modulo the first number is the second one, and if
/// the seed did not fail before there were such worlds.
const USERS: (u64, u64) = (16, 15);

/// The module of the package whose features this build has.
pub(crate) const MODULE: &str = if cfg!(feature = "encrypted") { "encrypted" } else { "main" };

/// A kind of world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A model server.
    Model,
    /// A model server whose content is sealed.
    Sealed,
    /// A model server with users, who change on the pages.
    Users,
    /// The log, hub and sessions of the reference server.
    Core,
}

impl Kind {
    /// All kinds.
    pub(crate) const ALL: [Self; 4] = [Self::Model, Self::Sealed, Self::Users, Self::Core];

    /// The kind of the world of that seed.
    pub(crate) fn of(seed: u64) -> Self {
        let (every, remainders) = CORE;
        if sealed::is_sealed_world(seed) {
            Self::Sealed
        } else if remainders.contains(&(seed % every)) && !sealed::is_sealed_seed(seed) {
            Self::Core
        } else if seed % USERS.0 == USERS.1
            && !sealed::is_sealed_seed(seed)
            && !regressions::is_known(seed)
        {
            Self::Users
        } else {
            Self::Model
        }
    }

    /// Whether this build supports the kind. Sealed content needs the feature `encrypted`.
    pub(crate) const fn is_built(self) -> bool {
        !matches!(self, Self::Sealed) || cfg!(feature = "encrypted")
    }

    /// Its name in reports and on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Sealed => "sealed",
            Self::Users => "users",
            Self::Core => "core",
        }
    }

    /// The kind with that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::REPEAT_EVERY;
    use crate::catalogue::has_list;
    use crate::regressions::{CORE_SEEDS, LIST_SEEDS, SEEDS, USERS_SEEDS};

    #[test]
    fn repeated_seeds_cover_every_kind_of_world() {
        let again = |kind| (1..=2_000 / REPEAT_EVERY).any(|n| Kind::of(n * REPEAT_EVERY) == kind);
        let never = Kind::ALL.into_iter().find(|kind| kind.is_built() && !again(*kind));
        assert_eq!(never, None);
    }

    #[test]
    fn seeds_that_failed_stay_in_their_world() {
        let is_core = |seed: &&u64| Kind::of(**seed) == Kind::Core;
        assert_eq!(SEEDS.iter().find(is_core), None);
        assert_eq!(CORE_SEEDS.iter().find(|seed| !is_core(seed)), None);
        let has_users = |seed: &&u64| Kind::of(**seed) == Kind::Users;
        assert_eq!(USERS_SEEDS.iter().find(|seed| !has_users(seed)), None);
        assert_eq!(LIST_SEEDS.iter().find(|seed| !has_list(**seed)), None);
    }
}
