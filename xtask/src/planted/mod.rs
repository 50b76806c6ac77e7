//! `cargo xtask planted`: plants each fault of `tests/planted` alone in a copy of the tree. The
//! simulator must find it there.

pub(crate) mod fault;
mod slot;
mod table;

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use pico_args::Arguments;

use crate::repo::{Repo, read, run};
use crate::sim;
use fault::Fault;
pub(crate) use slot::Slot;
pub(crate) use table::TABLE;

/// Each fault must be found within this many seeds.
const SEEDS_MAX: u64 = 1_000;

/// The task to run.
pub(crate) enum Options {
    /// Look for these faults, or for all if the list is empty, and write the table.
    Find(Vec<String>),
    /// Look for the fault that the commit draws.
    FindDrawn,
    /// Only check that the patches apply.
    Check,
}

impl Options {
    /// Look for all faults.
    pub(crate) const fn everything() -> Self {
        Self::Find(Vec::new())
    }

    pub(crate) fn parse(mut arguments: Arguments) -> Result<Self> {
        let (check, drawn) = (arguments.contains("--check"), arguments.contains("--drawn"));
        let names = arguments.finish();
        let names: Vec<_> = names.iter().map(|it| it.to_string_lossy().into_owned()).collect();
        match (check, drawn, names.is_empty()) {
            (false, false, _) => Ok(Self::Find(names)),
            (true, false, true) => Ok(Self::Check),
            (false, true, true) => Ok(Self::FindDrawn),
            _ => bail!("--check and --drawn exclude each other, and names"),
        }
    }
}

/// The seed and the guarantee by which the simulator found a fault.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    seed: u64,
    guarantee: String,
}

/// The command line of `cargo xtask planted` with one option.
pub(crate) fn command(repo: &Repo, option: &str) -> Command {
    let mut command = repo.command("cargo");
    command.args(["xtask", "planted", option]);
    command
}

/// Runs the task.
pub(crate) fn run_command(repo: &Repo, options: Options) -> Result<()> {
    match options {
        Options::Check => fault::check_all(repo),
        Options::FindDrawn => {
            let mut faults = fault::all(repo)?;
            let head = read(repo.command("git").args(["rev-parse", "HEAD"]))?;
            let index = draw(&head, faults.len()).context("the commit draws no fault")?;
            let fault = faults.swap_remove(index);
            println!("the commit draws the fault {}: {}", fault.name, fault.what);
            report(&find_all(repo, &[fault])?)
        }
        Options::Find(names) => {
            let faults = fault::all(repo)?;
            let named = names.iter().map(|name| fault::named(repo, name));
            let named = named.collect::<Result<Vec<_>>>()?;
            let ran = find_all(repo, if names.is_empty() { &faults } else { &named })?;
            table::update(repo, &faults, &ran)?;
            report(&ran)
        }
    }
}

/// The commit as a number, modulo `count`.
fn draw(commit: &str, count: usize) -> Option<usize> {
    let digits = commit.chars().map(|digit| digit.to_digit(16));
    let number = digits.collect::<Option<Vec<u32>>>()?.into_iter().map(|digit| digit as usize);
    (count > 0).then(|| number.fold(0, |rest, digit| (rest * 16 + digit) % count))
}

/// Looks for each fault. Then the seeds that found them must pass without a fault.
fn find_all<'a>(repo: &Repo, faults: &'a [Fault]) -> Result<BTreeMap<&'a str, Option<Found>>> {
    // This compiles the artefacts that the slot reuses.
    run(&mut sim::build(repo))?;
    let slot = Slot::open(repo)?;
    slot.reuse_release()?;
    let mut ran = BTreeMap::new();
    for fault in faults {
        let (name, began) = (fault.name.as_str(), Instant::now());
        let result = find(&slot, fault);
        let outcome = match &result {
            Ok(Some(Found { seed, guarantee })) => format!("ok: seed {seed}, {guarantee}"),
            Ok(None) => format!("FAILED: not found in {SEEDS_MAX} seeds"),
            Err(error) => format!("FAILED: {error:#}"),
        };
        println!("test {name} ... {outcome}, {:.1} s", began.elapsed().as_secs_f64());
        ran.insert(name, result.unwrap_or_default());
    }
    let last = ran.values().flatten().map(|found| found.seed).max().unwrap_or(1);
    read(&mut sim::command(repo, &sim::Options::fail_fast(last)))
        .context("the simulator fails without a fault, too")?;
    Ok(ran)
}

/// The first seed that fails with this fault.
fn find(slot: &Slot<'_>, fault: &Fault) -> Result<Option<Found>> {
    slot.plant(fault)?;
    let simulator = slot.build(sim::PACKAGE, &sim::FEATURES)?;
    let seeds = SEEDS_MAX.to_string();
    let output = Command::new(simulator).args(["--seeds", &seeds, "--fail-fast"]).output();
    let output = output.context("cannot start the simulator")?;
    let found = first_failure(&String::from_utf8_lossy(&output.stdout));
    if found.is_none() && !output.status.success() {
        bail!("the simulator ended with {} and without a failing seed", output.status);
    }
    Ok(found)
}

/// Reads the line `seed 57: G1: …`, which the simulator prints at its end.
fn first_failure(text: &str) -> Option<Found> {
    text.lines().find_map(|line| {
        let (seed, violation) = line.strip_prefix("seed ")?.split_once(": ")?;
        let (guarantee, _) = violation.split_once(": ")?;
        Some(Found { seed: seed.parse().ok()?, guarantee: guarantee.to_owned() })
    })
}

/// Prints the counts. A fault that was not found is an error.
fn report(ran: &BTreeMap<&str, Option<Found>>) -> Result<()> {
    let found = ran.values().flatten().count();
    let missed = ran.len() - found;
    let result = if missed == 0 { "ok" } else { "FAILED" };
    println!("test result: {result}. {found} passed; {missed} failed");
    if missed > 0 {
        bail!("{missed} planted faults were not found");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_failing_seed_is_read_with_its_guarantee() {
        let text =
            "seed 500, 9 s\ntest seed 57 ... FAILED\nG1: c1: wrong\nseed 57: G1: c1: wrong\n";
        let found = Found { seed: 57, guarantee: "G1".to_owned() };
        assert_eq!(first_failure(text), Some(found));
        assert_eq!(first_failure("test result: ok. 9 passed; 0 failed\n"), None);
    }

    #[test]
    fn commit_draws_one_of_the_faults() {
        assert_eq!(draw("ff", 37), Some(255 % 37));
        assert_eq!(draw(&"f".repeat(40), 1), Some(0));
        assert_eq!(draw("ff", 0), None);
        assert_eq!(draw("HEAD", 37), None);
    }
}
