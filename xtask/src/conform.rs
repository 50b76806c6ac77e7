//! `cargo xtask conform ws://…`: runs the conformance kit against a server that is already running.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::npm::Project;
use crate::repo::{Repo, Runner, command_line, run};
use crate::setup;

/// The directory of the kit.
pub(crate) const PROJECT: &str = "tests/conformance";

/// Runs the cases with the arguments of the kit. Returns its exit code: 1 if a case failed, 2 if the run
/// was not possible.
pub(crate) fn run_command(repo: &Repo, arguments: Vec<OsString>) -> Result<ExitCode> {
    setup::for_node(repo)?;
    project(repo)?.install(&mut run)?;
    let mut command = repo.command("node");
    // The kit runs without npm in between, so that it is interrupted together with this command and its
    // exit code is kept.
    command.arg(repo.path(PROJECT).join("conform.mjs")).args(arguments);
    let line = command_line(&command);
    let status = command.status().with_context(|| format!("cannot start `{line}`"))?;
    let Some(code) = status.code() else { bail!("`{line}` was ended: {status}") };
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

/// Installs the kit, and returns the command of its tests. They find their programs in `programs`.
pub(crate) fn tests(repo: &Repo, programs: &Path, runner: &mut Runner<'_>) -> Result<Command> {
    let project = project(repo)?;
    project.install(runner)?;
    let mut command = project.script("test");
    command.env("CARGO_TARGET_DIR", programs);
    Ok(command)
}

fn project(repo: &Repo) -> Result<Project<'_>> {
    Project::find(repo, PROJECT).with_context(|| format!("{PROJECT} has no package.json"))
}
