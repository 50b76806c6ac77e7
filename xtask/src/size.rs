//! `cargo xtask size`: what a page must download for the main entry.

use anyhow::Result;

use crate::build;
use crate::repo::{Repo, run};
use crate::setup;

/// Builds, weighs and fails above the budget.
pub(crate) fn run_command(repo: &Repo) -> Result<()> {
    setup::for_build(repo)?;
    build::everything(repo, &mut run)?;
    run(repo.command("node").arg("benches/size.mjs").arg(repo.report("size.json")?))
}
