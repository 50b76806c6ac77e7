//! The plan of a run: the scenarios that it measures, and their sizes.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use pico_args::Arguments;

/// Files that the generator and a server open in addition to their sockets.
const OTHER_FILES: u64 = 500;

/// The options of a run, as a person or `cargo xtask load` sets them.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Sockets in the scenarios with many connections.
    pub(crate) connections: usize,
    /// Seconds of the scenarios that run for a fixed time.
    pub(crate) seconds: u64,
    /// The only scenario to run. `None` runs all.
    pub(crate) only: Option<String>,
    /// Whether the run only checks that everything works, with small counts.
    pub(crate) smoke: bool,
    /// The server's program.
    pub(crate) server: PathBuf,
    /// The directory of the Node servers.
    pub(crate) peers: PathBuf,
    /// The `nats-server` program, if there is one.
    pub(crate) nats: Option<PathBuf>,
    /// The directory for databases and logs.
    pub(crate) work: PathBuf,
    /// The file of the report.
    pub(crate) report: PathBuf,
    /// The measured commit.
    pub(crate) commit: String,
}

impl Plan {
    /// Reads the arguments.
    pub(crate) fn parse(mut from: Arguments) -> Result<Self> {
        let smoke = from.contains("--smoke");
        let path = |text: &str| Ok::<_, std::convert::Infallible>(PathBuf::from(text));
        let connections = from.opt_value_from_str("--connections");
        let seconds = from.opt_value_from_str("--seconds");
        let plan = Self {
            connections: connections.context("--connections is a number")?.unwrap_or(if smoke {
                200
            } else {
                10_000
            }),
            seconds: seconds.context("--seconds is a number")?.unwrap_or(if smoke {
                2
            } else {
                60
            }),
            only: from.opt_value_from_str("--only")?,
            smoke,
            server: from.value_from_fn("--server", path)?,
            peers: from.value_from_fn("--peers", path)?,
            nats: from.opt_value_from_fn("--nats", path)?,
            work: from.value_from_fn("--work", path)?,
            report: from.value_from_fn("--report", path)?,
            commit: from.opt_value_from_str("--commit")?.unwrap_or_else(|| "unknown".to_owned()),
        };
        let rest = from.finish();
        if !rest.is_empty() {
            bail!("unexpected arguments: {rest:?}");
        }
        Ok(plan)
    }

    /// Refuses a plan that cannot be measured at all, or not on this machine.
    pub(crate) fn check(&self, files: u64, scenarios: &[&str]) -> Result<()> {
        ensure!(
            (10..=50_000).contains(&self.connections),
            "--connections is a number from 10 to 50,000, not {}",
            self.connections
        );
        ensure!(
            (1..=600).contains(&self.seconds),
            "--seconds is a number from 1 to 600, not {}",
            self.seconds
        );
        let needed = self.connections as u64 + OTHER_FILES;
        ensure!(
            needed <= files,
            "{} connections need {needed} open files in one process, and the hard limit is {files}: \
             raise it (`ulimit -Hn`), or choose fewer with --connections",
            self.connections
        );
        if let Some(only) = &self.only
            && !scenarios.contains(&only.as_str())
        {
            bail!("there is no scenario `{only}`; there are {}", scenarios.join(", "));
        }
        Ok(())
    }

    /// `earnest` in a full run, `smoke` in a smoke test.
    pub(crate) const fn scaled<T: Copy>(&self, full: T, smoke: T) -> T {
        if self.smoke { smoke } else { full }
    }
}
