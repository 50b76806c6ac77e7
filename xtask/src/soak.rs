//! `cargo xtask soak`: runs the tests that take hours. Each report names the commit that it ran on.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use pico_args::Arguments;

use crate::api;
use crate::build;
use crate::conform;
use crate::fuzz;
use crate::model;
use crate::mutants;
use crate::npm::Project;
use crate::planted;
use crate::repo::{Repo, read, run};
use crate::setup;
use crate::sim;

/// The directory of the reports.
const REPORTS: &str = "docs/soak";
/// The number of seeds of the simulator.
const SEEDS: u64 = 1_000_000;
/// Users change on the pages of about one seed of this many.
const USERS_EVERY: u64 = 20;
/// The number of these worlds.
const USERS_WORLDS: u64 = 100_000;
/// Pages show the list of campaigns in at least two of this many seeds.
const LIST_EVERY: u64 = 5;
/// The number of these worlds.
const LIST_WORLDS: u64 = 100_000;
/// Seconds for every target of the fuzzer.
const FUZZ_SECONDS: u32 = 1_800;
/// Random histories that the machine and the independent reader process.
const HISTORIES: u32 = 10_000;
/// Seeds of the network that damages what a page and its server send.
const NETWORK_SEEDS: u32 = 10;
/// Mounts and unmounts of React components, and events while they are mounted.
const REACT_CYCLES: u32 = 10_000;
const REACT_EVENTS: u32 = 1_000_000;
/// How often the server is killed during writes.
const CRASH_ROUNDS: u32 = 300;
/// Shortens this stage, if it is set.
const ROUNDS_VARIABLE: &str = "CAMPAIGN_SYNC_CRASH_ROUNDS";
/// Replaces the number of seeds, if it is set.
const SEEDS_VARIABLE: &str = "CAMPAIGN_SYNC_SEEDS";
/// The tests that kill the server: plain kills, and kills with backups restored in between, on each log.
const CRASH_TESTS: usize = 3;

/// Generated requests for every operation of the REST interface.
const API_EXAMPLES: u32 = 1_000;

/// The tests that take hours.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Simulator,
    Users,
    List,
    Fuzz,
    Model,
    Histories,
    Crash,
    Api,
    Mutants,
    Survivors,
    Planted,
    Network,
    React,
    Deny,
}

impl Stage {
    const ALL: [Self; 14] = [
        Self::Simulator,
        Self::Users,
        Self::List,
        Self::Fuzz,
        Self::Model,
        Self::Histories,
        Self::Crash,
        Self::Api,
        Self::Mutants,
        Self::Survivors,
        Self::Planted,
        Self::Network,
        Self::React,
        Self::Deny,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Simulator => "sim",
            Self::Users => "users",
            Self::List => "list",
            Self::Fuzz => "fuzz",
            Self::Model => "model",
            Self::Histories => "histories",
            Self::Crash => "crash",
            Self::Api => "api",
            Self::Mutants => "mutants",
            Self::Survivors => "survivors",
            Self::Planted => "planted",
            Self::Network => "network",
            Self::React => "react",
            Self::Deny => "deny",
        }
    }

    /// Installs the tools that the stage needs, beside those that cargo installs itself.
    fn set_up(self, repo: &Repo) -> Result<()> {
        match self {
            Self::Simulator | Self::Users | Self::List | Self::Model | Self::Planted => Ok(()),
            Self::Api => setup::for_api(repo),
            Self::Mutants | Self::Survivors => setup::for_mutants(repo),
            Self::Fuzz | Self::Histories | Self::Crash | Self::Network | Self::React => {
                setup::everything(repo)
            }
            Self::Deny => setup::for_deny(repo),
        }
    }

    /// Runs the stage. Returns its results as JSON.
    fn run(self, repo: &Repo) -> Result<String> {
        match self {
            Self::Simulator => {
                sim::run_command(repo, &sim::Options::seeds(seeds(SEEDS)?))?;
                report(repo, "sim.json")
            }
            Self::Users => worlds(repo, "users", USERS_EVERY * seeds(USERS_WORLDS)?),
            Self::List => worlds(repo, "list", LIST_EVERY * seeds(LIST_WORLDS)? / 2),
            Self::Fuzz => {
                fuzz::run_command(repo, &fuzz::Options::everything(FUZZ_SECONDS))?;
                report(repo, "fuzz.json")
            }
            Self::Model => {
                model::run_command(repo, model::Options::LARGE)?;
                report(repo, "model.json")
            }
            Self::Histories => histories(repo),
            Self::Crash => crash(repo),
            Self::Api => rest_interface(repo),
            Self::Mutants => {
                mutants::measure(repo, &mutants::Options::everything())?;
                report(repo, "mutants.json")
            }
            Self::Survivors => {
                mutants::measure(repo, &mutants::Options::again())?;
                report(repo, "survivors.json")
            }
            Self::Planted => {
                planted::run_command(repo, planted::Options::everything())?;
                Ok(format!("{{\"table\": \"{}\"}}", planted::TABLE))
            }
            Self::Network => network(repo),
            Self::React => react(repo),
            Self::Deny => deny(repo),
        }
    }
}

/// Runs the simulated worlds that `only` selects from this many seeds.
fn worlds(repo: &Repo, only: &str, seeds: u64) -> Result<String> {
    sim::run_command(repo, &sim::Options::only(only, seeds))?;
    report(repo, "sim.json")
}

/// The number of seeds or worlds of the simulator.
fn seeds(otherwise: u64) -> Result<u64> {
    let chosen = env::var(SEEDS_VARIABLE).ok();
    let seeds = chosen.map_or(Ok(otherwise), |it| it.parse());
    seeds.with_context(|| format!("{SEEDS_VARIABLE} is not a number"))
}

/// Runs the named stages, or all of them. A stage that fails ends the run, and its report stays as it
/// was.
pub(crate) fn run_command(repo: &Repo, arguments: Arguments) -> Result<()> {
    let named = arguments.finish();
    let stage = |name: &std::ffi::OsString| {
        let found = Stage::ALL.into_iter().find(|stage| name == stage.name());
        found.with_context(|| {
            let names: Vec<_> = Stage::ALL.iter().map(|stage| stage.name()).collect();
            format!("there is no stage {name:?}; there are {}", names.join(", "))
        })
    };
    let stages: Vec<Stage> = named.iter().map(stage).collect::<Result<_>>()?;
    let stages = if stages.is_empty() { Stage::ALL.to_vec() } else { stages };
    stages.iter().try_for_each(|stage| stage.set_up(repo))?;
    for stage in stages {
        let (commit, began) = (commit(repo)?, Instant::now());
        let found = stage.run(repo)?;
        let text = format!(
            "{{\n\"commit\": \"{commit}\",\n\"date\": \"{}\",\n\"seconds\": {},\n\"report\": {}\n}}\n",
            read(repo.command("date").args(["-u", "+%F"]))?,
            began.elapsed().as_secs(),
            found.trim()
        );
        let file = repo.path(REPORTS).join(format!("{}.json", stage.name()));
        fs::create_dir_all(repo.path(REPORTS)).context("cannot make the folder of reports")?;
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        println!("{}: written to {}", stage.name(), file.display());
    }
    Ok(())
}

/// The current commit. Everything must be committed, except the reports of other stages.
fn commit(repo: &Repo) -> Result<String> {
    let status = ["status", "--porcelain", "--", ".", ":!docs/soak", ":!docs/PLANTED.md"];
    let changed = read(repo.command("git").args(status))?;
    if !changed.is_empty() {
        bail!("commit first, so that the report can say what it ran on:\n{changed}");
    }
    read(repo.command("git").args(["rev-parse", "HEAD"]))
}

/// Checks duplicates, licences and sources of all dependencies, as `deny.toml` allows them. Advisories need
/// the network, so they are a step of the maintainers (CONTRIBUTING.md).
fn deny(repo: &Repo) -> Result<String> {
    let checks = ["bans", "licenses", "sources"];
    let scope = ["deny", "--workspace", "--offline", "--all-features", "check"];
    run(repo.command("cargo").args(scope).args(checks))?;
    let tree = ["tree", "--offline", "--workspace", "--all-features", "--prefix", "none"];
    let crates = read(repo.command("cargo").args(tree).args(["--format", "{p}"]))?;
    let crates: BTreeSet<_> = crates.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    Ok(format!("{{\"checks\": {checks:?}, \"crates\": {}}}", crates.len()))
}

fn report(repo: &Repo, name: &str) -> Result<String> {
    let path = repo.report(name)?;
    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

fn histories(repo: &Repo) -> Result<String> {
    build::server(repo, &mut run)?;
    // This installs what the histories need.
    let _tests = conform::tests(repo, &repo.target(""), &mut run)?;
    let mut command = repo.command("node");
    command.arg(repo.path(conform::PROJECT).join("histories/run.mjs"));
    command.args(["--histories", &HISTORIES.to_string()]).env("CARGO_TARGET_DIR", repo.target(""));
    let text = read(&mut command)?;
    let last = text.lines().next_back().context("the histories said nothing")?;
    Ok(last.to_owned())
}

/// Runs a page in a browser behind a network that damages frames.
fn network(repo: &Repo) -> Result<String> {
    let seeds = [("CAMPAIGN_SYNC_NETWORK_SEEDS", NETWORK_SEEDS)];
    let report = "CAMPAIGN_SYNC_NETWORK_REPORT";
    browser_test(repo, "tests/e2e", "faulty-network.test.mjs", &seeds, report, "network.json")
}

/// Mounts and unmounts components while events arrive, and measures the memory at ten points.
fn react(repo: &Repo) -> Result<String> {
    let sizes = [("CAMPAIGN_SYNC_CYCLES", REACT_CYCLES), ("CAMPAIGN_SYNC_EVENTS", REACT_EVENTS)];
    let report = "CAMPAIGN_SYNC_REACT_REPORT";
    browser_test(repo, "tests/react", "memory.test.mjs", &sizes, report, "react.json")
}

/// Runs one file of tests in a browser with larger numbers. The test writes the report.
fn browser_test(
    repo: &Repo,
    directory: &str,
    test: &str,
    sizes: &[(&str, u32)],
    variable: &str,
    name: &str,
) -> Result<String> {
    build::everything(repo, &mut run)?;
    build::server(repo, &mut run)?;
    let project = Project::find(repo, directory)
        .with_context(|| format!("{directory} has no package.json"))?;
    project.install(&mut run)?;
    let mut command = repo.command("node");
    command.current_dir(repo.path(directory)).args(["--test", test]);
    command.envs(sizes.iter().map(|(size, number)| (size, number.to_string())));
    command.env(variable, repo.report(name)?);
    command.env("CARGO_TARGET_DIR", repo.target("")).env("CHROMIUM", setup::chromium()?);
    run(&mut command)?;
    report(repo, name)
}

fn rest_interface(repo: &Repo) -> Result<String> {
    build::server(repo, &mut run)?;
    let text = read(&mut api::command(repo, &repo.server(), API_EXAMPLES))?;
    let passed = text.lines().find_map(|line| line.strip_prefix("# pass "));
    let passed = passed.context("schemathesis said nothing")?;
    Ok(format!("{{\"operations\": {passed}, \"examples\": {API_EXAMPLES}}}"))
}

fn crash(repo: &Repo) -> Result<String> {
    let mut command: Command = repo.command("cargo");
    command.args(["test", "--package", "campaign-sync-harness", "--test", "server", "crash"]);
    command.args(["--", "--nocapture", "--test-threads", "1"]);
    if env::var_os(ROUNDS_VARIABLE).is_none() {
        command.env(ROUNDS_VARIABLE, CRASH_ROUNDS.to_string());
    }
    let text = read(&mut command)?;
    let lines = text.lines().filter(|line| line.ends_with("acknowledged events"));
    // The name of the test may be on the same line.
    let counted: Vec<_> = lines.filter_map(|line| line.rsplit(" ... ").next()).collect();
    if counted.len() != CRASH_TESTS {
        bail!("{} of {CRASH_TESTS} tests said what they counted", counted.len());
    }
    Ok(format!("{{\"none_lost_of\": {counted:?}}}"))
}
