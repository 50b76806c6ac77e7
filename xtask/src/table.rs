//! `cargo xtask table`: prints the total transition table into the documentation.

use anyhow::Result;

use crate::repo::{Repo, run};

/// Tells the test that compares the document with the table to write it instead.
const WRITE: &str = "CAMPAIGN_SYNC_WRITE_TABLE";

/// Prints it. That the machine does what the table says is tested in the same run.
pub(crate) fn run_command(repo: &Repo) -> Result<()> {
    let mut command = repo.command("cargo");
    command.args(["test", "--package", "campaign-sync", "--test", "protocol", "transition_table"]);
    run(command.env(WRITE, "1"))
}
