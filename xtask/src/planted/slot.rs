//! A copy of the tree in which one fault is planted at a time.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::fault::Fault;
use crate::repo::{Repo, read};

/// The workspace crates that a fault changes, each with the optimisation level for which build and run
/// together take the least time. All other crates are built as for a release, so that their artefacts
/// are shared.
const LEVELS: [(&str, u8); 3] =
    [("campaign-sync", 1), ("campaign-sync-harness", 0), ("campaign-sync-simulation", 1)];

/// The copy, and its build directory.
pub(crate) struct Slot<'a> {
    repo: &'a Repo,
    tree: PathBuf,
    build: PathBuf,
    /// Keeps other processes out of the copy.
    _lock: File,
}

impl<'a> Slot<'a> {
    /// Opens the slot in `target/planted`, once no other process uses it.
    pub(crate) fn open(repo: &'a Repo) -> Result<Self> {
        let folder = repo.target("planted");
        let (tree, build) = (folder.join("tree"), folder.join("build"));
        for folder in [&tree, &build] {
            make(folder)?;
        }
        let lock = File::create(folder.join("lock")).context("cannot make the lock")?;
        lock.lock().context("cannot lock the slot")?;
        Ok(Self { repo, tree, build, _lock: lock })
    }

    /// Copies the artefacts of a release build, so that only the workspace is compiled in the slot. The
    /// modification times are kept, because cargo compares them.
    pub(crate) fn reuse_release(&self) -> Result<()> {
        let release = self.repo.target("release");
        if release.is_dir() {
            let mut copy = self.repo.command("cp");
            read(copy.args(["-a", "-n"]).arg(release).arg(&self.build))?;
        }
        Ok(())
    }

    /// Makes the copy equal to the repository with this fault, and no other.
    pub(crate) fn plant(&self, fault: &Fault) -> Result<()> {
        self.copy_tree()?;
        let mut apply = self.repo.command("git");
        apply.arg("apply").arg(&fault.patch).current_dir(&self.tree);
        // Without this, git takes the copy for a folder of the repository and skips the patch without an
        // error.
        apply.env("GIT_CEILING_DIRECTORIES", self.repo.target("planted"));
        read(&mut apply).map(drop)
    }

    /// Builds the program of a package and returns its path.
    pub(crate) fn build(&self, package: &str, features: &[&str]) -> Result<PathBuf> {
        let mut cargo = self.repo.command("cargo");
        cargo.current_dir(&self.tree).env("CARGO_TARGET_DIR", &self.build);
        cargo.env("CARGO_INCREMENTAL", "1");
        cargo.args(["build", "--quiet", "--release", "--package", package]).args(features);
        for (package, level) in LEVELS {
            cargo
                .arg("--config")
                .arg(format!("profile.release.package.{package}.opt-level={level}"));
        }
        read(&mut cargo)?;
        Ok(self.build.join("release").join(package))
    }

    /// Copies the files of the repository as they are, committed or not. A file with equal content keeps
    /// its modification time, so that cargo rebuilds only what differs.
    fn copy_tree(&self) -> Result<()> {
        let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let listed = read(self.repo.command("git").args(list))?;
        let files = listed.split('\0').filter(|file| !file.is_empty());
        let mut copies = BTreeSet::new();
        for file in files.filter(|file| self.repo.path(file).is_file()) {
            let (original, copy) = (self.repo.path(file), self.tree.join(file));
            let content = fs::read(&original);
            let content = content.with_context(|| format!("cannot read {}", original.display()))?;
            if !fs::read(&copy).is_ok_and(|copied| copied == content) {
                make(copy.parent().unwrap_or(&self.tree))?;
                fs::write(&copy, content)
                    .with_context(|| format!("cannot write {}", copy.display()))?;
            }
            copies.insert(copy);
        }
        remove_others(&self.tree, &copies)
    }
}

fn make(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

/// Removes the files that are not among `copies`.
fn remove_others(folder: &Path, copies: &BTreeSet<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder);
    for entry in entries.with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            remove_others(&path, copies)?;
        } else if !copies.contains(&path) {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}
