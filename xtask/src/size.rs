//! `cargo xtask size`: measures the download of a page for each entry of the package.

use std::process::Command;

use anyhow::Result;

use crate::build;
use crate::repo::{Repo, run};
use crate::setup;

/// Builds and measures. Fails above the budgets.
pub(crate) fn run_command(repo: &Repo) -> Result<()> {
    setup::for_build(repo)?;
    build::everything(repo, &mut run)?;
    run(command(repo).arg(repo.report("size.json")?))
}

/// Measures what is built, and fails above the budgets.
pub(crate) fn command(repo: &Repo) -> Command {
    let mut command = repo.command("node");
    command.arg("benches/size.mjs");
    command
}
