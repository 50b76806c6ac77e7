//! `cargo xtask openapi`: writes the description of the REST interface.

use anyhow::Result;

use crate::repo::{Repo, run};

/// Makes the test that compares the document with the code write the document instead.
const WRITE: &str = "CAMPAIGN_SYNC_WRITE_OPENAPI";

/// Writes `docs/openapi.json`. The test suite checks that the document is current.
pub(crate) fn run_command(repo: &Repo) -> Result<()> {
    let mut command = repo.command("cargo");
    command.args(["test", "--package", "campaign-sync-harness", "--test", "server", "openapi::"]);
    run(command.env(WRITE, "1"))
}
