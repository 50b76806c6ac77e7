//! `cargo xtask sim`: the simulator, with its own output and exit code.

use std::ffi::OsString;
use std::process::Command;

use anyhow::Result;
use pico_args::Arguments;

use crate::repo::{Repo, run};

/// The simulator.
pub(crate) const PACKAGE: &str = "campaign-sync-simulation";
/// With sealed worlds.
pub(crate) const FEATURES: [&str; 2] = ["--features", "encrypted"];

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

    /// So many seeds, up to the first that fails.
    pub(crate) fn fail_fast(count: u64) -> Self {
        let mut options = Self::seeds(count);
        options.arguments.push("--fail-fast".into());
        options
    }
}

/// Simulates.
pub(crate) fn run_command(repo: &Repo, options: &Options) -> Result<()> {
    run(&mut command(repo, options))
}

/// The command that simulates.
pub(crate) fn command(repo: &Repo, options: &Options) -> Command {
    let mut command = cargo(repo, "run");
    command.arg("--").args(&options.arguments);
    command
}

/// The command that builds the simulator.
pub(crate) fn build(repo: &Repo) -> Command {
    cargo(repo, "build")
}

fn cargo(repo: &Repo, subcommand: &str) -> Command {
    let mut command = repo.command("cargo");
    command.args([subcommand, "--release", "--package", PACKAGE]).args(FEATURES);
    command
}
