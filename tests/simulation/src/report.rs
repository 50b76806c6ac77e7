//! What simulations add up to, and the report of it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde_json::json;

/// Counts of what happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Simulations.
    pub(crate) seeds: u64,
    /// Inputs that machines took in.
    pub(crate) steps: u64,
    /// Events that machines applied.
    pub(crate) events: u64,
    /// Faults, by kind.
    faults: BTreeMap<&'static str, u64>,
    /// Verdicts, notices, outcomes and the like that were met.
    coverage: BTreeMap<(&'static str, &'static str), u64>,
}

impl Tally {
    /// Counts a fault.
    pub(crate) fn fault(&mut self, kind: &'static str) {
        *self.faults.entry(kind).or_default() += 1;
    }

    /// Counts something that was met.
    pub(crate) fn met(&mut self, group: &'static str, what: &'static str) {
        *self.coverage.entry((group, what)).or_default() += 1;
    }

    /// Adds what another one counted.
    pub(crate) fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.steps += other.steps;
        self.events += other.events;
        for (kind, count) in &other.faults {
            *self.faults.entry(kind).or_default() += count;
        }
        for (key, count) in &other.coverage {
            *self.coverage.entry(*key).or_default() += count;
        }
    }

    /// Writes the report.
    pub(crate) fn write(&self, path: &Path, failures: &[(u64, String)]) -> io::Result<()> {
        let mut coverage: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
        for ((group, what), count) in &self.coverage {
            coverage.entry(group).or_default().insert(what, *count);
        }
        let failures: Vec<_> =
            failures.iter().map(|(seed, what)| json!({"seed": seed, "violation": what})).collect();
        let report = json!({
            "seeds": self.seeds, "steps": self.steps, "events": self.events,
            "failures": failures, "fault_counts": self.faults, "coverage": coverage,
        });
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, format!("{report:#}\n"))
    }
}
