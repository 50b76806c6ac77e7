//! The measured scenarios, one file each.

pub(crate) mod active;
pub(crate) mod anycable;
pub(crate) mod campaigns;
pub(crate) mod fan_out;
pub(crate) mod history;
pub(crate) mod hostile;
pub(crate) mod idle;
pub(crate) mod recovery;
pub(crate) mod storm;

use serde_json::Value;

use crate::tally::DeliveryCounts;

/// The findings of a scenario.
#[derive(Debug, Default)]
pub(crate) struct ScenarioResult {
    /// Members of the report's top level.
    pub(crate) figures: Vec<(&'static str, Value)>,
    /// Further values of the reference server.
    pub(crate) details: Value,
    /// The values of the peer servers.
    pub(crate) peers: Vec<(&'static str, Value)>,
    /// Events that arrived repeatedly, and events that arrived after a gap.
    pub(crate) duplicates: u64,
    pub(crate) out_of_order: u64,
    /// The cases in which the promise was not kept.
    pub(crate) broken: Vec<String>,
}

impl ScenarioResult {
    /// Adds a broken promise unless `expected` events arrived, each once and in order.
    pub(crate) fn expect_whole(&mut self, what: &str, tally: &DeliveryCounts, expected: u64) {
        self.duplicates += tally.duplicates;
        self.out_of_order += tally.out_of_order;
        if !tally.is_whole(expected) {
            self.broken.push(format!("{what}: {}", tally.shown(expected)));
        }
    }
}

/// Rounds a value, so that reports are readable.
pub(crate) fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}
