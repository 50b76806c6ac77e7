//! The totals of all simulations, and the report of them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::Deserialize;
use serde_json::json;

use super::faults::Fault;
use super::kinds::Kind;

/// A report as it was written.
#[derive(Deserialize)]
struct Report {
    seeds: u64,
    steps: u64,
    events: u64,
    failures: Vec<Failure>,
    fault_counts: BTreeMap<String, u64>,
    coverage: BTreeMap<String, BTreeMap<String, u64>>,
}

/// A failure in a report.
#[derive(Deserialize)]
struct Failure {
    seed: u64,
    violation: String,
}

/// Counts of what happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct RunTotals {
    /// The number of simulations.
    pub(crate) seeds: u64,
    /// Inputs that machines handled.
    pub(crate) steps: u64,
    /// Events that machines applied.
    pub(crate) events: u64,
    /// Faults, by kind.
    faults: BTreeMap<&'static str, u64>,
    /// Verdicts, notices, outcomes and similar items that occurred.
    coverage: BTreeMap<(&'static str, &'static str), u64>,
}

impl RunTotals {
    /// Counts a fault.
    pub(crate) fn fault(&mut self, kind: &'static str) {
        *self.faults.entry(kind).or_default() += 1;
    }

    /// Counts an item that occurred.
    pub(crate) fn met(&mut self, group: &'static str, what: &'static str) {
        *self.coverage.entry((group, what)).or_default() += 1;
    }

    /// Adds the counts of another instance.
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

    /// Adds the counts of a report. Returns its failures.
    pub(crate) fn add_report(&mut self, path: &Path) -> io::Result<Vec<(u64, String)>> {
        let report: Report = serde_json::from_str(&fs::read_to_string(path)?)?;
        self.seeds += report.seeds;
        self.steps += report.steps;
        self.events += report.events;
        // The names of a report are few, and live as long as the run.
        for (kind, count) in report.fault_counts {
            *self.faults.entry(kind.leak()).or_default() += count;
        }
        for (group, counts) in report.coverage {
            let group: &'static str = group.leak();
            for (what, count) in counts {
                *self.coverage.entry((group, what.leak())).or_default() += count;
            }
        }
        let failures = report.failures.into_iter();
        Ok(failures.map(|failure| (failure.seed, failure.violation)).collect())
    }

    /// The kinds of worlds and the kinds of faults that did not occur, although many seeds must meet
    /// them.
    pub(crate) fn unmet(&self) -> Vec<&'static str> {
        let worlds = Kind::ALL.into_iter().filter(|kind| kind.is_built()).map(Kind::name);
        let worlds = worlds.filter(|name| !self.coverage.contains_key(&("world", name)));
        let faults = Fault::all().map(Fault::counted_as);
        worlds.chain(faults.filter(|name| !self.faults.contains_key(name))).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kind_of_fault_or_world_that_never_occurs_fails_the_run() {
        let mut totals = RunTotals::default();
        Fault::all().for_each(|fault| totals.fault(fault.counted_as()));
        Kind::ALL.into_iter().for_each(|kind| totals.met("world", kind.name()));
        assert_eq!(totals.unmet(), [""; 0]);
        totals.faults.remove("half_open");
        totals.coverage.remove(&("world", "core"));
        assert_eq!(totals.unmet(), ["core", "half_open"]);
    }
}
