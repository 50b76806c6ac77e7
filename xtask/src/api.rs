//! Checks the described REST interface against a running server, with schemathesis.

use std::process::Command;

use anyhow::Result;

use crate::repo::{Repo, Runner};
use crate::setup;

/// The directory of the check.
const PROJECT: &str = "tests/api";

/// Builds the server, and returns the command that checks every route with this many examples.
pub(crate) fn command(repo: &Repo, examples: u32, runner: &mut Runner<'_>) -> Result<Command> {
    let package = ["build", "--package", "campaign-sync-harness", "--bins"];
    runner(repo.command("cargo").args(package))?;
    let mut command = Command::new(setup::schemathesis_python(repo));
    command.current_dir(repo.path(PROJECT)).arg("run.py").arg("--server").arg(repo.server());
    command.args(["--examples", &examples.to_string()]);
    Ok(command)
}
