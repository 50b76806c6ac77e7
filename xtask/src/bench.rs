//! `cargo xtask bench`: events per second in headless Chromium, compared with plain `JSON.parse`, and the
//! longest task of reading all rows.

use anyhow::{Context, Result};
use pico_args::Arguments;

use crate::build;
use crate::npm::Project;
use crate::repo::{Repo, run};
use crate::setup;

/// The size of the measurement.
pub(crate) struct Options {
    events: u32,
    rounds: u32,
}

impl Options {
    pub(crate) fn parse(mut arguments: Arguments) -> Result<Self> {
        let events = arguments.opt_value_from_str("--events").context("--events is a number")?;
        let rounds = arguments.opt_value_from_str("--rounds").context("--rounds is a number")?;
        crate::done(arguments)?;
        Ok(Self { events: events.unwrap_or(20_000), rounds: rounds.unwrap_or(11) })
    }
}

/// Builds and measures.
pub(crate) fn run_command(repo: &Repo, options: &Options) -> Result<()> {
    setup::for_bench(repo)?;
    build::everything(repo, &mut run)?;
    Project::find(repo, "benches").context("benches/package.json is missing")?.install(&mut run)?;
    run(repo
        .command("node")
        .arg("benches/bench.mjs")
        .args(["--chromium".as_ref(), setup::chromium()?.as_os_str()])
        .args(["--events", &options.events.to_string()])
        .args(["--rounds", &options.rounds.to_string()])
        .args(["--report".as_ref(), repo.report("bench.json")?.as_os_str()]))?;
    run(repo
        .command("node")
        .arg("benches/rows.mjs")
        .args(["--chromium".as_ref(), setup::chromium()?.as_os_str()]))
}
