//! The output of one suite: both streams of all its commands, in one file, in order.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::group::Group;
use crate::repo::command_line;

/// The log is a file and not a pipe, so that a process that a command leaves in the background cannot
/// delay the suite.
pub(crate) struct Log {
    path: PathBuf,
    file: File,
    started: Instant,
    limit: Duration,
}

impl Log {
    /// Starts an empty log. All commands together may take as long as `limit`.
    pub(crate) fn create(path: PathBuf, limit: Duration) -> Result<Self> {
        let file =
            File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path, file, started: Instant::now(), limit })
    }

    /// The path of the log.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds one line.
    pub(crate) fn note(&mut self, line: &str) -> Result<()> {
        writeln!(self.file, "{line}").context("cannot write to the log")
    }

    /// Runs a command into the log and returns whether it succeeded. A command that does not end in time
    /// is ended, with everything that it started, and is an error.
    pub(crate) fn run(&mut self, command: &mut Command) -> Result<bool> {
        let line = command_line(command);
        self.note(&format!("$ {line}"))?;
        let output = self.file.try_clone().context("cannot share the log")?;
        let errors = self.file.try_clone().context("cannot share the log")?;
        let command = command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let group = Group::start(command).with_context(|| format!("cannot start `{line}`"))?;
        let Some(status) = group.wait(self.started + self.limit)? else {
            bail!(
                "the suite's time is over ({:?}): `{line}` did not end and was ended",
                self.limit
            );
        };
        if !status.success() {
            self.note(&format!("`{line}` ended with {status}"))?;
        }
        Ok(status.success())
    }

    /// The whole log so far. Browsers may print bytes that are not UTF-8.
    pub(crate) fn read(&self) -> Result<String> {
        let bytes = fs::read(&self.path)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn log(name: &str, limit: Duration) -> Log {
        let name = format!("campaign-sync-xtask-{}-{name}.log", std::process::id());
        Log::create(std::env::temp_dir().join(name), limit).unwrap()
    }

    #[test]
    fn command_over_its_limit_is_ended_with_its_children() {
        let mut log = log("hangs", Duration::from_millis(300));
        let script = "echo before; (sleep 5; echo it lives on) & sleep 600";
        let error = log.run(&mut shell(script)).unwrap_err();
        let said = error.to_string();
        assert!(said.starts_with("the suite's time is over (300ms): `sh -c echo before"), "{said}");
        let next = log.run(&mut shell("exec sleep 600")).unwrap_err();
        assert!(next.to_string().contains("sleep 600"), "the limit is that of all commands");
        assert!(log.started.elapsed() < Duration::from_secs(60), "{:?}", log.started.elapsed());
        std::thread::sleep(Duration::from_secs(6).saturating_sub(log.started.elapsed()));
        let text = log.read().unwrap();
        assert!(text.contains("\nbefore\n"), "what it said stays: {text}");
        assert!(!text.contains("\nit lives on\n"), "{text}");
        fs::remove_file(log.path()).unwrap();
    }

    #[test]
    fn command_that_ignores_sigterm_is_killed() {
        let mut log = log("deaf", Duration::from_millis(300));
        assert!(log.run(&mut shell("trap '' TERM; sleep 600; sleep 600")).is_err());
        assert!(log.started.elapsed() < Duration::from_secs(60), "{:?}", log.started.elapsed());
        fs::remove_file(log.path()).unwrap();
    }

    #[test]
    fn command_that_ends_in_time_returns_its_success() {
        let mut log = log("ends", Duration::from_secs(600));
        assert!(log.run(&mut shell("echo fine")).unwrap());
        assert!(!log.run(&mut shell("exit 3")).unwrap());
        assert!(log.read().unwrap().contains("`sh -c exit 3` ended with exit status: 3"));
        fs::remove_file(log.path()).unwrap();
    }
}
