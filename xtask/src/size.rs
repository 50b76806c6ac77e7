//! `cargo xtask size`: measures the download of a page for the main entry.

use anyhow::Result;

use crate::build;
use crate::repo::{Repo, run};
use crate::setup;

/// Builds and measures. Fails above the budget.
pub(crate) fn run_command(repo: &Repo) -> Result<()> {
    setup::for_build(repo)?;
    build::everything(repo, &mut run)?;
    run(repo.command("node").arg("benches/size.mjs").arg(repo.report("size.json")?))
}
