//! `cargo xtask check`: formatting, clippy, documentation, TypeScript types, what npm would publish, and the
//! API reference of the package.

use std::process::Command;

use anyhow::{Result, bail};

use crate::build::{self, PROJECTS};
use crate::npm::Project;
use crate::planted;
use crate::repo::{Repo, Runner, run};
use crate::setup;
use crate::size;

/// The project with the checks of the tarball: publint and are-the-types-wrong.
const PUBLISH: &str = "tests/publish";

/// The project that makes the API reference of the package, and refuses what is not documented.
const REFERENCE: &str = "tests/reference";

/// One check: a name, and a command that fails if the check fails.
pub(crate) struct Check {
    pub(crate) name: String,
    pub(crate) command: Command,
}

/// Sets up and builds, because the types of the wasm module are generated. Then runs every check.
pub(crate) fn run_command(repo: &Repo) -> Result<()> {
    setup::for_check(repo)?;
    build::everything(repo, &mut run)?;
    install(repo, &mut run)?;
    let mut failed = Vec::new();
    for mut check in all(repo) {
        if let Err(error) = run(&mut check.command) {
            eprintln!("{error:#}");
            failed.push(check.name);
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    bail!("failed: {}", failed.join(", "))
}

/// Installs what the checks need in addition to the build.
pub(crate) fn install(repo: &Repo, runner: &mut Runner<'_>) -> Result<()> {
    for directory in [PUBLISH, REFERENCE] {
        if let Some(project) = Project::find(repo, directory) {
            project.install(runner)?;
        }
    }
    Ok(())
}

/// All checks, the quickest first.
pub(crate) fn all(repo: &Repo) -> Vec<Check> {
    let cargo = |name: &str, arguments: &[&str]| {
        let mut command = repo.command("cargo");
        command.args(arguments);
        Check { name: name.to_owned(), command }
    };
    let mut documentation = cargo("documentation", &["doc", "--workspace", "--no-deps"]);
    documentation.command.env("RUSTDOCFLAGS", "-D warnings");
    let mut checks = vec![
        cargo("formatting", &["fmt", "--all", "--check"]),
        cargo(
            "clippy, native",
            &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
        ),
        cargo(
            "clippy, wasm32",
            &[
                "clippy",
                "--package",
                "campaign-sync",
                "--target",
                "wasm32-unknown-unknown",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ],
        ),
        cargo(
            "clippy, wasm32, module for sealed content",
            &[
                "clippy",
                "--package",
                "campaign-sync",
                "--features",
                "encrypted",
                "--target",
                "wasm32-unknown-unknown",
                "--lib",
                "--",
                "-D",
                "warnings",
            ],
        ),
        cargo(
            "clippy, simulator with sealed content",
            &[
                "clippy",
                "--package",
                "campaign-sync-simulation",
                "--features",
                "encrypted",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ],
        ),
        documentation,
        Check { name: "planted faults".to_owned(), command: planted::command(repo, "--check") },
        Check { name: "size of the download".to_owned(), command: size::command(repo) },
    ];
    let projects = [
        (PUBLISH, "tarball, publint, are-the-types-wrong and browsers"),
        (REFERENCE, "API reference, every public member documented"),
    ];
    checks.extend(projects.into_iter().filter_map(|(directory, name)| {
        let project = Project::find(repo, directory)?;
        Some(Check { name: name.to_owned(), command: project.script("test") })
    }));
    checks.extend(PROJECTS.iter().filter_map(|directory| types(repo, directory)));
    checks
}

/// The TypeScript compiler for one project; `None` if the project does not use TypeScript.
fn types(repo: &Repo, directory: &str) -> Option<Check> {
    let project = Project::find(repo, directory)?;
    if !project.directory().join("tsconfig.json").is_file() {
        return None;
    }
    let mut command = project.npm();
    // `--no` prevents npm from fetching a compiler if the project has not installed its own.
    command.args(["exec", "--no", "--", "tsc", "--noEmit"]);
    Some(Check { name: format!("types, {directory}"), command })
}
