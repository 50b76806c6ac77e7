//! `cargo xtask sim`: runs the simulator, with its own output and exit code.
//!
//! The simulator is built as the two modules of the package are: without and with the feature
//! `encrypted`. Each build runs half of the seeds, and one report has the sums.

use std::ffi::OsString;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use pico_args::Arguments;

use crate::repo::{Repo, Runner, run};

/// The package of the simulator.
pub(crate) const PACKAGE: &str = "campaign-sync-simulation";
/// The feature for sealed worlds.
pub(crate) const FEATURES: [&str; 2] = ["--features", "encrypted"];
/// Seeds of a run that names none.
const SEEDS: u64 = 200;
/// The report of the first build, to which the second one adds.
const FIRST_REPORT: &str = "sim-main.json";

/// A build of the simulator, with the features of one module of the package.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Module {
    Main,
    Encrypted,
}

/// The arguments for the simulator. It validates those that are not named here.
#[derive(Default)]
pub(crate) struct Options {
    module: Option<Module>,
    seed: Option<u64>,
    seeds: Option<u64>,
    minutes: Option<u64>,
    others: Vec<OsString>,
}

impl Options {
    /// All arguments after the command.
    pub(crate) fn parse(mut arguments: Arguments) -> Result<Self> {
        let module = arguments.opt_value_from_fn("--module", |name| match name {
            "main" => Ok(Module::Main),
            "encrypted" => Ok(Module::Encrypted),
            _ => Err("the modules are `main` and `encrypted`"),
        })?;
        let mut number = |name| arguments.opt_value_from_str(name);
        let (seed, seeds, minutes) = (number("--seed")?, number("--seeds")?, number("--minutes")?);
        Ok(Self { module, seed, seeds, minutes, others: arguments.finish() })
    }

    /// Runs this many seeds.
    pub(crate) fn seeds(count: u64) -> Self {
        Self { seeds: Some(count), ..Self::default() }
    }

    /// Runs those of this many seeds that `--only` selects by this name.
    pub(crate) fn only(kind: &str, count: u64) -> Self {
        Self { others: vec!["--only".into(), kind.into()], ..Self::seeds(count) }
    }

    /// Runs this many seeds, up to the first that fails.
    pub(crate) fn fail_fast(count: u64) -> Self {
        Self { others: vec!["--fail-fast".into()], ..Self::seeds(count) }
    }

    /// The options of the part that one of the two builds runs: half of the seeds, or of the time.
    fn part(&self, module: Module) -> Self {
        let seeds = self.seeds.or_else(|| self.minutes.is_none().then_some(SEEDS));
        let (seeds_of_main, minutes_of_main) =
            (seeds.map(|all| all / 2), self.minutes.map(|all| all.div_ceil(2)));
        let first = self.seed.unwrap_or(1);
        let mut others = self.others.clone();
        if module == Module::Encrypted {
            others.extend(["--onto".into(), format!("target/report/{FIRST_REPORT}").into()]);
        }
        match module {
            Module::Main => Self {
                module: Some(module),
                seed: Some(first),
                seeds: seeds_of_main,
                minutes: minutes_of_main,
                others,
            },
            Module::Encrypted => Self {
                module: Some(module),
                seed: Some(first + seeds_of_main.unwrap_or_default()),
                seeds: seeds.map(|all| all - all / 2),
                minutes: self.minutes.map(|all| (all / 2).max(1)),
                others,
            },
        }
    }

    /// Whether one build runs everything: it is named, or a single seed is replayed.
    fn is_single(&self) -> bool {
        let replays = self.seed.is_some() && self.seeds.is_none() && self.minutes.is_none();
        self.module.is_some() || replays
    }

    fn arguments(&self) -> Vec<OsString> {
        let numbers = [("--seed", self.seed), ("--seeds", self.seeds), ("--minutes", self.minutes)];
        let given = numbers.into_iter().filter_map(|(name, number)| Some((name, number?)));
        let mut all: Vec<OsString> =
            given.flat_map(|(name, number)| [name.into(), number.to_string().into()]).collect();
        all.extend(self.others.iter().cloned());
        all
    }
}

/// Runs the simulator.
pub(crate) fn run_command(repo: &Repo, options: &Options) -> Result<()> {
    run_with(repo, options, &mut run)
}

/// Runs the simulator: both builds, each with its half, or the one that is named.
pub(crate) fn run_with(repo: &Repo, options: &Options, runner: &mut Runner<'_>) -> Result<()> {
    if options.is_single() {
        return runner(&mut command(repo, options));
    }
    runner(&mut command(repo, &options.part(Module::Main)))?;
    fs::rename(repo.report("sim.json")?, repo.report(FIRST_REPORT)?)
        .context("the simulator left no report")?;
    runner(&mut command(repo, &options.part(Module::Encrypted)))
}

/// The command that runs one build of the simulator: the one that is named, else the one with all features.
pub(crate) fn command(repo: &Repo, options: &Options) -> Command {
    let mut command = cargo(repo, "run", options.module.unwrap_or(Module::Encrypted));
    command.arg("--").args(options.arguments());
    command
}

/// The command that builds the simulator with all features.
pub(crate) fn build(repo: &Repo) -> Command {
    cargo(repo, "build", Module::Encrypted)
}

fn cargo(repo: &Repo, subcommand: &str, module: Module) -> Command {
    let mut command = repo.command("cargo");
    command.args([subcommand, "--release", "--package", PACKAGE]);
    if module == Module::Encrypted {
        command.args(FEATURES);
    }
    command
}
