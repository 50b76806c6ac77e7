//! `cargo xtask pack`: makes the tarball that npm would publish.

use anyhow::{Context, Result};

use crate::build;
use crate::npm::Project;
use crate::repo::{Repo, run};
use crate::setup;

/// Builds and packs into the target directory.
pub(crate) fn run_command(repo: &Repo) -> Result<()> {
    setup::for_build(repo)?;
    build::everything(repo, &mut run)?;
    let package = Project::find(repo, "pkg").context("pkg has no package.json yet")?;
    run(package.npm().args(["pack", "--pack-destination"]).arg(repo.target("")))
}
