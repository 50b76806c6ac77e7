//! `cargo xtask matrix`: installs the package from its tarball in every consumer of tests/matrix, builds
//! each, and runs it against the reference server.

use anyhow::{Context, Result};
use pico_args::Arguments;

use crate::build;
use crate::npm::Project;
use crate::repo::{Repo, run};
use crate::setup;

/// The directory of the consumers.
pub(crate) const PROJECT: &str = "tests/matrix";

/// Builds what the consumers need, then runs all of them, or those whose names begin as given. Only a run
/// of all writes the report.
pub(crate) fn run_command(repo: &Repo, arguments: Arguments) -> Result<()> {
    let names = arguments.finish();
    setup::for_bench(repo)?;
    build::everything(repo, &mut run)?;
    let programs = build::programs(repo, &mut run)?;
    let project = Project::find(repo, PROJECT).context("tests/matrix has no package.json")?;
    project.install(&mut run)?;
    let mut command = repo.command("node");
    command.arg(repo.path(PROJECT).join("matrix.mjs")).current_dir(repo.root());
    command.env("CARGO_TARGET_DIR", programs).env("CHROMIUM", setup::chromium()?);
    if names.is_empty() {
        command.arg("--report").arg(repo.path("docs/soak/matrix.json"));
    }
    run(command.args(names))
}
