//! `cargo xtask model`: every interleaving of a small world around the real machine.

use std::process::Command;

use anyhow::{Context, Result, bail};
use pico_args::Arguments;

use crate::repo::{Repo, run};

/// How large the world is.
#[derive(Clone, Copy)]
pub(crate) struct Options {
    faults: u8,
    timers: u8,
}

impl Options {
    /// What every test run searches; `cargo xtask soak model` takes more.
    pub(crate) const SMALL: Self = Self { faults: 1, timers: 0 };
    /// What a long run searches.
    pub(crate) const LARGE: Self = Self { faults: 1, timers: 1 };

    pub(crate) fn parse(mut arguments: Arguments) -> Result<Self> {
        let faults = arguments.opt_value_from_str("--faults").context("--faults is a number")?;
        let timers = arguments.opt_value_from_str("--timers").context("--timers is a number")?;
        crate::done(arguments)?;
        let Self { faults, timers } =
            Self { faults: faults.unwrap_or(1), timers: timers.unwrap_or(0) };
        if faults > 8 || timers > 8 {
            bail!("--faults and --timers are numbers of 0 to 8");
        }
        Ok(Self { faults, timers })
    }
}

/// Searches the whole world; then a smaller one, where a planted bug must be found.
pub(crate) fn run_command(repo: &Repo, options: Options) -> Result<()> {
    commands(repo, options)?.iter_mut().try_for_each(run)
}

/// The two searches.
pub(crate) fn commands(repo: &Repo, options: Options) -> Result<[Command; 2]> {
    let search = |features: &[&str], Options { faults, timers }: Options| {
        let mut command = repo.command("cargo");
        command.args(["run", "--release", "--package", "campaign-sync-model"]).args(features);
        command.args(["--", "--faults", &faults.to_string(), "--timers", &timers.to_string()]);
        command
    };
    let mut whole = search(&[], options);
    whole.arg("--report").arg(repo.report("model.json")?);
    let mut planted = search(&["--features", "planted-bugs"], Options::SMALL);
    planted.arg("--planted");
    Ok([whole, planted])
}
