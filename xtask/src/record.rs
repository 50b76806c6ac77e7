//! `cargo xtask record`: records sessions of the client with the reference server into
//! `tests/recordings`.

use anyhow::{Context, Result};

use crate::repo::{Repo, run};

/// The directory of the recordings.
const RECORDINGS: &str = "tests/recordings";

/// Builds the server and the client, and records every session.
pub(crate) fn run_command(repo: &Repo) -> Result<()> {
    let packages = ["--package", "campaign-sync-harness", "--package", "campaign-sync-load"];
    run(repo.command("cargo").arg("build").args(packages).arg("--bins"))?;
    let recorder = repo.target("debug/campaign-sync-load");
    let mut command = repo.command(recorder.to_str().context("a path")?);
    command.arg("record").arg("--server").arg(repo.server());
    run(command.arg("--into").arg(repo.path(RECORDINGS)))
}
