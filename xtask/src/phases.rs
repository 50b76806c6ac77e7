//! `cargo xtask phases`: writes the phase machine into the package and the documentation.

use anyhow::Result;

use crate::repo::{Repo, run};

/// Makes the tests that compare the files with the table write the files instead.
const WRITE: &str = "CAMPAIGN_SYNC_WRITE_PHASES";

/// Writes `pkg/src/steps.ts` and `docs/PHASES.md`. The test suite checks that both are current.
pub(crate) fn run_command(repo: &Repo) -> Result<()> {
    let mut command = repo.command("cargo");
    command.args(["test", "--package", "campaign-sync", "--test", "protocol", "phase_machine"]);
    run(command.env(WRITE, "1"))
}
