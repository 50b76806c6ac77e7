//! The planted faults: one patch each in `tests/planted`, with a sentence above the diff.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::repo::{Repo, read};

/// The directory of the patches.
pub(crate) const FOLDER: &str = "tests/planted";

/// A deliberate fault of the client.
pub(crate) struct Fault {
    /// The name of its patch, without the extension.
    pub(crate) name: String,
    /// Its description: the first line of its patch.
    pub(crate) what: String,
    /// The path of its patch.
    pub(crate) patch: PathBuf,
}

impl Fault {
    fn read(patch: PathBuf) -> Result<Self> {
        let name = patch.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&patch);
        let text = text.with_context(|| format!("cannot read {}", patch.display()))?;
        let what = prose(&text).with_context(|| format!("{name}: the first line is no prose"))?;
        Ok(Self { what: what.to_owned(), name, patch })
    }

    /// Checks that the patch applies to the tree as it is.
    fn check(&self, repo: &Repo) -> Result<()> {
        let applies = read(repo.command("git").args(["apply", "--check"]).arg(&self.patch));
        applies.map(drop).with_context(|| {
            format!(
                "{FOLDER}/{0}.patch no longer applies. Make its mistake in the present code, write \
                 `git diff` below the first line of the patch, and revert the code. Then \
                 `cargo xtask planted {0}` must find it",
                self.name
            )
        })
    }
}

/// All faults, by name.
///
/// # Errors
/// A patch cannot be read, or its first line is not a sentence.
pub(crate) fn all(repo: &Repo) -> Result<Vec<Fault>> {
    let entries = fs::read_dir(repo.path(FOLDER)).context("cannot list the patches")?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    let is_patch = |path: &PathBuf| path.extension() == Some("patch".as_ref());
    let faults = paths.into_iter().filter(is_patch).map(Fault::read);
    let mut faults = faults.collect::<Result<Vec<_>>>()?;
    faults.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(faults)
}

/// The fault with this name.
pub(crate) fn named(repo: &Repo, name: &str) -> Result<Fault> {
    let patch = Path::new(FOLDER).join(name).with_extension("patch");
    let patch = repo.root().join(patch);
    if !patch.is_file() {
        bail!("there is no {FOLDER}/{name}.patch");
    }
    Fault::read(patch)
}

/// Checks that every patch applies. Prints an error for each that does not.
pub(crate) fn check_all(repo: &Repo) -> Result<()> {
    let faults = all(repo)?;
    let mut failed = 0;
    for fault in &faults {
        if let Err(error) = fault.check(repo) {
            eprintln!("{error:#}");
            failed += 1;
        }
    }
    if failed > 0 {
        bail!("{failed} of {} planted faults do not apply", faults.len());
    }
    println!("{} planted faults apply", faults.len());
    Ok(())
}

/// The first line, if it is a sentence.
fn prose(patch: &str) -> Option<&str> {
    let line = patch.lines().next()?.trim();
    let is_prose = line.ends_with('.') && !line.contains('|');
    is_prose.then_some(line)
}

#[cfg(test)]
mod tests {
    use super::prose;

    #[test]
    fn patch_begins_with_a_sentence() {
        assert_eq!(prose("Progress is lost.\n\ndiff --git a/x b/x\n"), Some("Progress is lost."));
        for text in ["", "diff --git a/x b/x\n", "a | b.\n"] {
            assert_eq!(prose(text), None, "{text:?}");
        }
    }
}
