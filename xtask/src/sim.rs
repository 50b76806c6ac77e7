//! `cargo xtask sim`: runs the simulator, with its own output and exit code.

use std::ffi::OsString;
use std::process::Command;

use anyhow::Result;
use pico_args::Arguments;

use crate::repo::{Repo, run};

/// The package of the simulator.
pub(crate) const PACKAGE: &str = "campaign-sync-simulation";
/// The feature for sealed worlds.
pub(crate) const FEATURES: [&str; 2] = ["--features", "encrypted"];

/// The arguments for the simulator. It validates them itself.
#[derive(Default)]
pub(crate) struct Options {
    arguments: Vec<OsString>,
}

impl Options {
    /// All arguments after the command.
    pub(crate) fn parse(arguments: Arguments) -> Self {
        Self { arguments: arguments.finish() }
    }

    /// Runs this many seeds.
    pub(crate) fn seeds(count: u64) -> Self {
        Self { arguments: vec!["--seeds".into(), count.to_string().into()] }
    }

    /// Runs this many seeds, up to the first that fails.
    pub(crate) fn fail_fast(count: u64) -> Self {
        let mut options = Self::seeds(count);
        options.arguments.push("--fail-fast".into());
        options
    }
}

/// Runs the simulator.
pub(crate) fn run_command(repo: &Repo, options: &Options) -> Result<()> {
    run(&mut command(repo, options))
}

/// The command that runs the simulator.
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
