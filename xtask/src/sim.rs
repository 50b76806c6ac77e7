//! `cargo xtask sim`: the simulator, with its own output and exit code.

use std::ffi::OsString;
use std::process::Command;

use anyhow::Result;
use pico_args::Arguments;

use crate::repo::{Repo, run};

/// What is passed on to the simulator, which knows what it means and says what is wrong with it.
#[derive(Default)]
pub(crate) struct Options {
    arguments: Vec<OsString>,
}

impl Options {
    /// Everything behind the command.
    pub(crate) fn parse(arguments: Arguments) -> Self {
        Self { arguments: arguments.finish() }
    }

    /// So many seeds.
    pub(crate) fn seeds(count: u64) -> Self {
        Self { arguments: vec!["--seeds".into(), count.to_string().into()] }
    }
}

/// Simulates.
pub(crate) fn run_command(repo: &Repo, options: &Options) -> Result<()> {
    run(&mut command(repo, options))
}

/// The command that simulates.
pub(crate) fn command(repo: &Repo, options: &Options) -> Command {
    let mut command = simulator(repo, &["--features", "encrypted"]);
    command.args(&options.arguments);
    command
}

/// Writes the table of planted bugs, of which each must be found.
pub(crate) fn plant_command(repo: &Repo) -> Result<()> {
    run(&mut planted(repo, "--planted"))
}

/// The command that looks for the planted bugs, which the table must list.
pub(crate) fn check_planted(repo: &Repo) -> Command {
    planted(repo, "--planted-as-listed")
}

fn planted(repo: &Repo, option: &str) -> Command {
    let mut command = simulator(repo, &["--features", "planted-bugs"]);
    command.arg(option);
    command
}

fn simulator(repo: &Repo, features: &[&str]) -> Command {
    let mut command = repo.command("cargo");
    command.args(["run", "--release", "--package", "campaign-sync-simulation"]);
    command.args(features).arg("--");
    command
}
