//! Seeds that once failed. They always run, whatever else is asked for.
//!
//! A seed stands for its faults only as long as the simulation draws them in the same order: after a
//! change there the failure that a seed stood for is kept by the scenario test named beside it.

/// The seeds, in the order in which they were found.
pub(crate) const SEEDS: &[u64] = &[
    // a_repair_that_does_not_help_is_followed_by_a_whole_snapshot
    1904, //
    // documents_older_than_the_snapshot_do_not_make_it_fetch_for_ever
    540, 104_139, //
    // a_head_that_has_not_come_to_what_was_held_is_no_divergence
    11_249, 67_231, 141_837, 158_993, //
    // a_server_that_still_sends_what_we_have_is_not_behind
    50_668, 102_145, 116_589, 120_256, 135_232, 172_945, //
    // the_status_grows_old_by_the_clock_without_any_input
    62_162, //
    // what_is_held_beyond_an_answer_is_waited_for_without_asking. What failed was the oracle: it took
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
    215_403,
];
