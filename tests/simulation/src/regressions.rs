//! Seeds that once failed. They always run, whatever else is asked for.
//!
//! A seed stands for its faults only as long as the simulation draws them in the same order: after a
//! change there the failure that a seed stood for is kept by the scenario test named beside it.

/// How many there are.
pub(crate) const COUNT: usize = SEEDS.len() + CORE_SEEDS.len() + LATER_SEEDS.len();

/// Whether it failed before some of the faults could be drawn.
pub(crate) fn is_older(seed: u64) -> bool {
    SEEDS.contains(&seed) || CORE_SEEDS.contains(&seed)
}

/// The one of that turn.
pub(crate) fn seed(turn: usize) -> Option<u64> {
    SEEDS.iter().chain(CORE_SEEDS).chain(LATER_SEEDS).nth(turn).copied()
}

/// Seeds that failed once all faults could be drawn.
const LATER_SEEDS: &[u64] = &[
    // event_applies_after_a_fetch_without_a_position_is_refused
    809, //
    // The oracle of patience: a snapshot that nobody asked for answers as well,
    4171, //
    // and one that is wanted meanwhile does not wait.
    24_385, //
    // The oracle of patience: a campaign whose key is missing has given its request up.
    62_040, 70_000, 178_905, 198_770, 245_345, 275_945, 298_850, 323_320,
];

/// The seeds that failed before that, in the order in which they were found. None is added.
pub(crate) const SEEDS: &[u64] = &[
    // failed_repair_is_followed_by_a_whole_snapshot
    1904, //
    // head_below_formerly_held_events_is_not_divergence
    11_249, 67_231, 141_837, 158_993, //
    // server_replaying_known_events_is_not_behind
    50_668, 102_145, 116_589, 120_256, 135_232, 172_945, //
    // status_goes_stale_by_the_clock_without_any_input
    62_162, //
    // gap_beyond_an_answer_is_awaited_without_a_request. What failed was the oracle: it took
    // progress for older than a request of the same frame.
    88_437, 96_997, 170_686, //
    // A replica that knew the head of a log that had been replaced.
    41_640, //
    // The oracle: a transfer that itself takes long,
    69_680, 92_086, 166_974, //
    // a record that silent changes left behind, which no digest covers,
    122_780, //
    // a refusal that was of the connection before,
    163_289, //
    // a head that counts as no less than what was written,
    199_590, 214_301, //
    // and events of a campaign that was let go of in the same step.
    215_403, //
    // late_fetch_from_a_replaced_log_is_ignored
    375_095, //
    // The oracle: what follows a silent change in another log of the same epoch,
    239_896, 580_001, //
    // and a proof that counts again when a wall that ran ahead is set back.
    246_850,
];

/// Those of them of worlds around the core of the reference server.
pub(crate) const CORE_SEEDS: &[u64] = &[
    // The model: a row that comes in the place of another of the same id, behind the log's back.
    48_759, 112_628, 216_186, 305_386, 315_412, 402_586, 411_043, 481_523, 511_891, 550_679,
    601_018, 601_927,
];
