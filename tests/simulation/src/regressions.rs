//! Seeds that once failed. Every run of several seeds runs them first, except with `--fail-fast`.
//!
//! A seed shows its failure only as long as the simulation draws faults in the same order. After a
//! change of that order, the scenario test that is named beside the seed covers the failure.

/// The number of these seeds.
pub(crate) const COUNT: usize =
    SEEDS.len() + CORE_SEEDS.len() + LATER_SEEDS.len() + USERS_SEEDS.len() + LIST_SEEDS.len();

/// Whether the seed failed before some kinds of faults were added.
pub(crate) fn is_older(seed: u64) -> bool {
    SEEDS.contains(&seed) || CORE_SEEDS.contains(&seed)
}

/// Whether the seed failed before there were worlds with users and with lists.
pub(crate) fn is_known(seed: u64) -> bool {
    is_older(seed) || LATER_SEEDS.contains(&seed)
}

/// The seed at that index.
pub(crate) fn seed(index: usize) -> Option<u64> {
    let newer = USERS_SEEDS.iter().chain(LIST_SEEDS);
    SEEDS.iter().chain(CORE_SEEDS).chain(LATER_SEEDS).chain(newer).nth(index).copied()
}

/// Seeds that failed in worlds with users.
pub(crate) const USERS_SEEDS: &[u64] = &[
    // fetch_brings_nothing_back_after_the_session_was_refused
    39_087, 51_679,
];

/// Seeds that failed in worlds with lists.
pub(crate) const LIST_SEEDS: &[u64] = &[
    // The oracle: a server that renames its feed, and frames that overtake each other.
    110_581,
];

/// Seeds that failed after the second group of kinds of faults was added.
const LATER_SEEDS: &[u64] = &[
    // event_applies_after_a_fetch_without_a_position_is_refused
    809, //
    // The oracle of postponed requests: a snapshot without a request is an answer as well.
    4171, //
    // The oracle of postponed requests: a snapshot that becomes necessary meanwhile does not wait.
    24_385, //
    // The oracle of postponed requests: a campaign whose key is missing has given up its request.
    62_040, 70_000, 178_905, 198_770, 245_345, 275_945, 298_850, 323_320,
];

/// The seeds that failed before that, in the order in which they were found. The list does not grow.
pub(crate) const SEEDS: &[u64] = &[
    // failed_repair_is_followed_by_a_whole_snapshot
    1904, //
    // head_below_formerly_held_events_is_not_divergence
    11_249, 67_231, 141_837, 158_993, //
    // server_replaying_known_events_is_not_behind
    50_668, 102_145, 116_589, 120_256, 135_232, 172_945, //
    // status_goes_stale_by_the_clock_without_any_input
    62_162, //
    // gap_beyond_an_answer_is_awaited_without_a_request. The oracle was wrong: it took progress
    // for older than a request of the same frame.
    88_437, 96_997, 170_686, //
    // A replica that knew the head of a replaced log.
    41_640, //
    // The oracle: a transfer that itself takes long.
    69_680, 92_086, 166_974, //
    // The oracle: a record that silent changes left behind and that no digest covers.
    122_780, //
    // The oracle: a refusal that belongs to the previous connection.
    163_289, //
    // The oracle: a stated head counts as at least the number that was written.
    199_590, 214_301, //
    // The oracle: events of a campaign that was released in the same step.
    215_403, //
    // late_fetch_from_a_replaced_log_is_ignored
    375_095, //
    // The oracle: the events that follow a silent change in another log of the same epoch.
    239_896, 580_001, //
    // The oracle: a proof that counts again when a wall clock that ran ahead is set back.
    246_850,
];

/// The earlier seeds that failed in worlds with the core of the reference server.
pub(crate) const CORE_SEEDS: &[u64] = &[
    // The model: a row that replaces another one with the same id, without an event.
    48_759, 112_628, 216_186, 305_386, 315_412, 402_586, 411_043, 481_523, 511_891, 550_679,
    601_018, 601_927,
];
