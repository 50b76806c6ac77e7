//! Seeds that once failed. They always run, whatever else is asked for.
//!
//! A seed stands for its faults only as long as the simulation draws them in the same order: after a
//! change there the failure that a seed stood for is kept by the scenario test named beside it.

/// The seeds, in the order in which they were found.
pub(crate) const SEEDS: &[u64] = &[
    // a_repair_that_does_not_help_is_followed_by_a_whole_snapshot
    1904, // documents_older_than_the_snapshot_do_not_make_it_fetch_for_ever
    540, 104_139,
];
