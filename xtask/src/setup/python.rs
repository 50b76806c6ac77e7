//! schemathesis, in a virtual environment of Python in the cache of tools.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::repo::{Repo, SCHEMATHESIS, read, run};

/// The exact versions of schemathesis and of everything that it needs.
const REQUIREMENTS: &str = "tests/api/requirements.txt";

/// The Python of the environment.
pub(crate) fn program(repo: &Repo) -> PathBuf {
    root(repo).join("bin/python")
}

fn root(repo: &Repo) -> PathBuf {
    repo.tool_root("schemathesis", SCHEMATHESIS)
}

/// Installs schemathesis.
pub(crate) fn schemathesis(repo: &Repo) -> Result<()> {
    if program(repo).exists() {
        return Ok(());
    }
    read(Command::new("python3").args(["-c", "import ensurepip, venv"]))
        .context("missing: Python 3.10 or newer with venv (on Debian the package python3-venv)")?;
    // As for wasm-opt: a present directory is complete. Python finds its packages beside its program, so the
    // directory may be moved.
    let own = format!("{SCHEMATHESIS}-partial-{}", std::process::id());
    let partial = repo.tool_root("schemathesis", &own);
    run(repo.command("python3").args(["-m", "venv"]).arg(&partial))?;
    let python = partial.join("bin/python");
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"];
    run(Command::new(python).args(install).arg("--requirement").arg(repo.path(REQUIREMENTS)))?;
    if program(repo).exists() {
        return fs::remove_dir_all(&partial)
            .with_context(|| format!("cannot remove {}", partial.display()));
    }
    let root = root(repo);
    fs::rename(&partial, &root).with_context(|| format!("cannot make {}", root.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_name_the_version_of_the_environment() {
        let repo = Repo::find().unwrap();
        let requirements = fs::read_to_string(repo.path(REQUIREMENTS)).unwrap();
        assert!(requirements.lines().any(|it| it == format!("schemathesis=={SCHEMATHESIS}")));
        assert!(requirements.lines().all(|it| it.contains("==")), "every version is exact");
    }
}
