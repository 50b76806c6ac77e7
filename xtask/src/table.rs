//! `cargo xtask table`: writes the complete transition table into the documentation.

use anyhow::Result;

use crate::repo::{Repo, run};

/// Makes the test that compares the document with the table write the document instead.
const WRITE: &str = "CAMPAIGN_SYNC_WRITE_TABLE";

/// Writes the document. The same run tests that the machine does what the table says.
pub(crate) fn run_command(repo: &Repo) -> Result<()> {
    let mut command = repo.command("cargo");
    command.args(["test", "--package", "campaign-sync", "--test", "protocol", "transition_table"]);
    run(command.env(WRITE, "1"))
}
