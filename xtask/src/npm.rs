//! The npm projects of this repository. They are installed from their lock files, only when these have
//! changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::repo::{Repo, Runner};

/// One directory with a package.json.
pub(crate) struct Project<'a> {
    repo: &'a Repo,
    directory: PathBuf,
}

impl<'a> Project<'a> {
    /// The project in this directory, or `None` while it has no package.json.
    pub(crate) fn find(repo: &'a Repo, directory: &str) -> Option<Self> {
        let directory = repo.path(directory);
        directory.join("package.json").is_file().then_some(Self { repo, directory })
    }

    /// The project's directory.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Installs the content of the lock file into `node_modules`, unless it is already there.
    pub(crate) fn install(&self, runner: &mut Runner<'_>) -> Result<()> {
        let lock = self.directory.join("package-lock.json");
        let wanted =
            fs::read_to_string(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
        // npm removes node_modules before it installs, so an interrupted install leaves no stamp.
        let modules = self.directory.join("node_modules");
        let stamp = modules.join(".installed-lock.json");
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
            return Ok(());
        }
        runner(self.npm().args(["ci", "--no-audit", "--no-fund"]))?;
        // A project without dependencies has no node_modules even after the install.
        fs::create_dir_all(&modules)
            .and_then(|()| fs::write(&stamp, wanted))
            .with_context(|| format!("cannot write {}", stamp.display()))
    }

    /// The command that runs one script of package.json.
    pub(crate) fn script(&self, name: &str) -> Command {
        let mut command = self.npm();
        command.args(["run", name]);
        command
    }

    /// The npm command, in this directory.
    pub(crate) fn npm(&self) -> Command {
        let mut command = self.repo.command("npm");
        command.current_dir(&self.directory);
        command
    }
}
