//! Deliberate faults, of the kind that systems like this one have had: the tests must find every one.
//!
//! One is planted with `planted!(Name)` where it would be made. Without the feature `planted-bugs`
//! that is `false`, and nothing of it is compiled.
#![cfg_attr(
    not(feature = "planted-bugs"),
    expect(unreachable_pub, reason = "tests choose among them, and only with the feature")
)]

/// Whether this fault was chosen.
macro_rules! planted {
    ($bug:ident) => {
        $crate::planted::is_planted($crate::planted::Bug::$bug)
    };
}

macro_rules! bugs {
    ($(#[doc = $what:literal] $bug:ident,)*) => {
        /// A deliberate fault.
        #[derive(Clone, Copy, PartialEq, Eq)]
        #[cfg_attr(feature = "planted-bugs", derive(Debug))]
        pub enum Bug {
            $(#[doc = $what] $bug,)*
        }

        /// All of them, with what each does.
        #[cfg(feature = "planted-bugs")]
        pub const ALL: &[(Bug, &str)] = &[$((Bug::$bug, $what),)*];
    };
}

bugs! {
    /// Events are not compared with their hash.
    HashUnchecked,
    /// An event of another epoch counts as one of ours.
    EpochIgnored,
    /// An event's predecessor is not compared with what was applied.
    ChainUnchecked,
    /// The position moves though the event could not be applied.
    AdvancedBeforeApplied,
    /// Only half of the dedupe window is kept.
    WindowHalved,
    /// The buffer behind a gap has no bound.
    HeldUnbounded,
    /// What was held behind a gap is never applied.
    HeldForgotten,
    /// A lost tail goes unnoticed: heads beyond the position lead to nothing.
    TailUnnoticed,
    /// A replay that begins too late is accepted.
    PartialReplay,
    /// A request that is not answered is never sent again.
    RequestOnce,
    /// Requests are sent at any rate.
    RequestFlood,
    /// A server that asks for patience without end is obeyed.
    PatienceUnbounded,
    /// A token that cannot be had ends all attempts.
    ReconnectDies,
    /// A silent socket is believed to live.
    DeadLinkUnnoticed,
    /// `live` needs no proof, only that nothing is known to be missing.
    LiveUnproven,
    /// A `pong` proves the moment at which it came.
    ProofDatedLate,
    /// A proof outlives its socket.
    ProofKeptAcrossSockets,
    /// A snapshot proves that it is the newest state.
    SnapshotProves,
    /// The age of a proof is told by the monotonic clock alone.
    SleepUnnoticed,
    /// A status stays `live` although rows are known to differ.
    LiveThoughDiverged,
    /// A snapshot may be older than what is shown.
    SnapshotGoesBack,
    /// A snapshot is shown though it does not add up.
    SnapshotUnchecked,
    /// Rows that a snapshot lacks are gone, however many.
    RowsVanish,
    /// A repair is installed though it does not add up.
    RepairUnchecked,
    /// The count rule is turned round: what differs is taken for equal.
    CountRuleInverted,
    /// Counters never fall.
    CountersOnlyRise,
    /// Progress of another phase is taken for that of ours.
    ProgressOfAnyPhase,
    /// A transition empties the table.
    TransitionEmptiesTable,
    /// A refused transition is carried out.
    RefusalIgnored,
    /// An error recovery does not go back to what it says.
    RollbackIgnored,
    /// `null` does not clear a column.
    NullIgnored,
    /// The number of rows is not counted after their events.
    TotalNotCounted,
    /// Listeners hear of a new phase while caches still hold the old one.
    CacheKeptInTransition,
    /// Nobody is told that an event changed the view.
    ChangeUntold,
    /// Promises are kept one event too early.
    PromiseTooEarly,
    /// A fetched snapshot may be older than what is shown.
    FetchGoesBack,
    /// An error that names its request alone is not heard.
    BareErrorUnheard,
}

/// Whether this fault was chosen.
#[cfg(not(feature = "planted-bugs"))]
pub(crate) const fn is_planted(_: Bug) -> bool {
    false
}

#[cfg(feature = "planted-bugs")]
thread_local! {
    static CHOSEN: core::cell::Cell<Option<Bug>> = const { core::cell::Cell::new(None) };
}

/// Whether this fault was chosen.
#[cfg(feature = "planted-bugs")]
pub(crate) fn is_planted(bug: Bug) -> bool {
    CHOSEN.get() == Some(bug)
}

/// Chooses a fault, or none, for this thread.
#[cfg(feature = "planted-bugs")]
pub fn plant(bug: Option<Bug>) {
    CHOSEN.set(bug);
}
