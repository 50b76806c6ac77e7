//! Checks the described REST interface against a running server, with schemathesis.

use std::path::Path;
use std::process::Command;

use crate::repo::Repo;
use crate::setup;

/// The directory of the check.
const PROJECT: &str = "tests/api";

/// The command that checks every route of this server with this many examples.
pub(crate) fn command(repo: &Repo, server: &Path, examples: u32) -> Command {
    let mut command = Command::new(setup::schemathesis_python(repo));
    command.current_dir(repo.path(PROJECT)).arg("run.py").arg("--server").arg(server);
    command.args(["--examples", &examples.to_string()]);
    command
}
