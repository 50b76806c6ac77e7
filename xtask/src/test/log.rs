//! The output of one suite: both streams of all its commands, in one file, in order.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::repo::command_line;

/// A file, and not pipes: what a command leaves running in the background cannot hold it up.
pub(crate) struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    /// Starts an empty log.
    pub(crate) fn create(path: PathBuf) -> Result<Self> {
        let file =
            File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path, file })
    }

    /// Where the log is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds one line of our own.
    pub(crate) fn note(&mut self, line: &str) -> Result<()> {
        writeln!(self.file, "{line}").context("cannot write to the log")
    }

    /// Runs a command into the log and says whether it succeeded.
    pub(crate) fn run(&mut self, command: &mut Command) -> Result<bool> {
        let line = command_line(command);
        self.note(&format!("$ {line}"))?;
        let output = self.file.try_clone().context("cannot share the log")?;
        let errors = self.file.try_clone().context("cannot share the log")?;
        let status = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .status()
            .with_context(|| format!("cannot start `{line}`"))?;
        if !status.success() {
            self.note(&format!("`{line}` ended with {status}"))?;
        }
        Ok(status.success())
    }

    /// Everything so far. Browsers may print what is not UTF-8.
    pub(crate) fn read(&self) -> Result<String> {
        let bytes = fs::read(&self.path)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}
