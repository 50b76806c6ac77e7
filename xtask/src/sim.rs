//! `cargo xtask sim`: the simulator, with its own output and exit code.

use std::process::Command;

use anyhow::{Context, Result};
use pico_args::Arguments;

use crate::repo::{Repo, run};

/// What is passed on to the simulator, which knows what it means.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) seeds: Option<u64>,
    pub(crate) seed: Option<String>,
    pub(crate) minutes: Option<u64>,
}

impl Options {
    pub(crate) fn parse(mut arguments: Arguments) -> Result<Self> {
        let options = Self {
            seeds: arguments.opt_value_from_str("--seeds").context("--seeds is a number")?,
            seed: arguments.opt_value_from_str("--seed")?,
            minutes: arguments.opt_value_from_str("--minutes").context("--minutes is a number")?,
        };
        crate::done(arguments)?;
        Ok(options)
    }
}

/// Simulates.
pub(crate) fn run_command(repo: &Repo, options: &Options) -> Result<()> {
    run(&mut command(repo, options))
}

/// The command that simulates.
pub(crate) fn command(repo: &Repo, options: &Options) -> Command {
    let mut command = repo.command("cargo");
    command.args(["test", "--profile", "release", "--package", "campaign-sync"]);
    command.args(["--test", "simulation", "--"]);
    let options = [
        ("--seeds", options.seeds.map(|seeds| seeds.to_string())),
        ("--seed", options.seed.clone()),
        ("--minutes", options.minutes.map(|minutes| minutes.to_string())),
    ];
    for (name, value) in options {
        if let Some(value) = value {
            command.args([name, &value]);
        }
    }
    command
}
