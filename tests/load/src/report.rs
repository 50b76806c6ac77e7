//! The report: a JSON file for programs and a table for people.

use std::fs;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};

use crate::plan::Plan;
use crate::scenarios::ScenarioResult;

/// The members that a complete report has.
pub(crate) const FIGURES: [&str; 13] = [
    "bytes_per_idle_connection",
    "deliveries_per_second",
    "storm_seconds_to_all_synced",
    "recovery_events_per_second",
    "rss_per_100k_events",
    "rss_10000_campaigns",
    "hostile_honest_p99_ms",
    "hostile_rss_growth",
    "recovered_percent",
    "duplicates",
    "out_of_order",
    "p50_ms",
    "p99_ms",
];

/// Collects the findings of the scenarios.
#[derive(Debug, Default)]
pub(crate) struct Report {
    figures: Map<String, Value>,
    scenarios: Map<String, Value>,
    peers: Map<String, Value>,
    counts: [u64; 2],
    /// The cases in which the promise was not kept.
    pub(crate) broken: Vec<String>,
}

impl Report {
    /// Adds the findings of a scenario.
    pub(crate) fn add(&mut self, scenario: &str, found: ScenarioResult) {
        self.figures.extend(found.figures.into_iter().map(|(name, it)| (name.to_owned(), it)));
        self.scenarios.insert(scenario.to_owned(), found.details);
        for (peer, figures) in found.peers {
            self.peers.entry(peer).or_insert_with(|| json!({}))[scenario] = figures;
        }
        for (sum, count) in self.counts.iter_mut().zip([found.duplicates, found.out_of_order]) {
            *sum += count;
        }
        self.broken.extend(found.broken);
    }

    /// Writes the report, and prints it. Returns the cases in which the promise was not kept.
    pub(crate) fn write(mut self, plan: &Plan) -> Result<Vec<String>> {
        let [duplicates, out_of_order] = self.counts;
        self.figures.insert("duplicates".to_owned(), json!(duplicates));
        self.figures.insert("out_of_order".to_owned(), json!(out_of_order));
        for (name, value) in &self.figures {
            println!("{name:<44} {value}");
        }
        for (group, of) in [("", &self.scenarios), ("beside it: ", &self.peers)] {
            for (name, figures) in of {
                println!("\n{group}{name}");
                print_all("", figures);
            }
        }
        let mut all = self.figures;
        all.insert("scenarios".to_owned(), self.scenarios.into());
        all.insert("peers".to_owned(), self.peers.into());
        all.insert("commit".to_owned(), json!(plan.commit));
        all.insert("machine".to_owned(), machine());
        all.insert("connections".to_owned(), json!(plan.connections));
        all.insert("seconds".to_owned(), json!(plan.seconds));
        if plan.only.is_none() {
            let missing = FIGURES.iter().filter(|name| !all.contains_key(**name));
            self.broken.extend(missing.map(|name| format!("the report has no {name}")));
        }
        let text = serde_json::to_string_pretty(&Value::Object(all))? + "\n";
        fs::write(&plan.report, text).with_context(|| format!("{}", plan.report.display()))?;
        println!("\n{}", plan.report.display());
        Ok(self.broken)
    }
}

fn print_all(prefix: &str, value: &Value) {
    let Some(members) = value.as_object() else { return println!("  {prefix:<42} {value}") };
    for (name, value) in members {
        let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        print_all(&name, value);
    }
}

/// The machine on which the scenarios ran.
fn machine() -> Value {
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let memory = read("/proc/meminfo");
    json!({
        "processor": model.map_or("unknown", |(_, model)| model),
        "processors": std::thread::available_parallelism().map_or(0, usize::from),
        "memory": memory.lines().next().unwrap_or_default().split_whitespace().nth(1),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "load_average_at_the_end": read("/proc/loadavg").split(' ').next(),
    })
}
