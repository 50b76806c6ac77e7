//! What is measured: one file each.

pub(crate) mod active;
pub(crate) mod anycable;
pub(crate) mod campaigns;
pub(crate) mod fan_out;
pub(crate) mod history;
pub(crate) mod idle;
pub(crate) mod recovery;
pub(crate) mod storm;

use serde_json::Value;

use crate::tally::DeliveryCounts;

/// What a scenario found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Members of the report's top level.
    pub(crate) figures: Vec<(&'static str, Value)>,
    /// What else is told of our server.
    pub(crate) details: Value,
    /// The same of the servers beside it.
    pub(crate) peers: Vec<(&'static str, Value)>,
    /// What came again, and what came before its turn.
    pub(crate) duplicates: u64,
    pub(crate) out_of_order: u64,
    /// Where the promise was not kept.
    pub(crate) broken: Vec<String>,
}

impl Found {
    /// Everything that many times, once, in order; otherwise the promise was not kept.
    pub(crate) fn expect_whole(&mut self, what: &str, tally: &DeliveryCounts, expected: u64) {
        self.duplicates += tally.duplicates;
        self.out_of_order += tally.out_of_order;
        if !tally.is_whole(expected) {
            self.broken.push(format!("{what}: {}", tally.shown(expected)));
        }
    }
}

/// Rounded, so that reports can be read.
pub(crate) fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}
