//! `cargo xtask load`: puts the reference server under load and compares it with servers of Node and
//! NATS.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use pico_args::Arguments;

use crate::npm::Project;
use crate::repo::{Repo, Runner, read, run};
use crate::setup;

/// The servers that the reference server is compared with.
const PEERS: &str = "tests/load/peers";

/// The options of the command line. The generator reports values that are out of range.
pub(crate) struct Options {
    connections: Option<u32>,
    seconds: Option<u32>,
    only: Option<String>,
}

impl Options {
    pub(crate) fn parse(mut arguments: Arguments) -> Result<Self> {
        let connections = arguments.opt_value_from_str("--connections");
        let seconds = arguments.opt_value_from_str("--seconds");
        let options = Self {
            connections: connections.context("--connections is a number")?,
            seconds: seconds.context("--seconds is a number")?,
            only: arguments.opt_value_from_str("--only").context("--only names a scenario")?,
        };
        crate::done(arguments)?;
        Ok(options)
    }
}

/// Builds with all optimisations and measures.
pub(crate) fn run_command(repo: &Repo, options: &Options) -> Result<()> {
    setup::for_load(repo)?;
    prepare(repo, &["--release"], &mut run)?;
    let mut generator = generator(repo, "release", "load.json")?;
    let commit = read(repo.command("git").args(["describe", "--always", "--dirty"]));
    generator.args(["--commit", commit.as_deref().unwrap_or("unknown")]);
    if let Some(connections) = options.connections {
        generator.args(["--connections", &connections.to_string()]);
    }
    if let Some(seconds) = options.seconds {
        generator.args(["--seconds", &seconds.to_string()]);
    }
    if let Some(only) = &options.only {
        generator.args(["--only", only]);
    }
    run(&mut generator)
}

/// The command for a short run of everything. It uses the server as the tests build it.
pub(crate) fn smoke(repo: &Repo, runner: &mut Runner<'_>) -> Result<Command> {
    prepare(repo, &[], runner)?;
    let mut generator = generator(repo, "debug", "load-smoke.json")?;
    generator.arg("--smoke");
    Ok(generator)
}

/// Builds the server and the generator, and installs the servers of Node.
fn prepare(repo: &Repo, flags: &[&str], runner: &mut Runner<'_>) -> Result<()> {
    let packages = ["--package", "campaign-sync-harness", "--package", "campaign-sync-load"];
    runner(repo.command("cargo").arg("build").args(packages).arg("--bins").args(flags))?;
    Project::find(repo, PEERS).with_context(|| format!("{PEERS} is missing"))?.install(runner)
}

/// The command of the generator. The generator starts and ends all servers itself.
fn generator(repo: &Repo, profile: &str, report: &str) -> Result<Command> {
    let program = |name: &str| repo.target(profile).join(name);
    // An interrupted run may have left this directory behind.
    let work: PathBuf = repo.target("load");
    if work.exists() {
        fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))?;
    }
    let mut command = repo.command(program("campaign-sync-load").to_str().context("a path")?);
    command.arg("--server").arg(program("campaign-sync-server"));
    command.arg("--peers").arg(repo.path(PEERS)).arg("--work").arg(work);
    command.arg("--report").arg(repo.report(report)?);
    if let Some(nats) = setup::nats_server() {
        command.arg("--nats").arg(nats);
    }
    Ok(command)
}
