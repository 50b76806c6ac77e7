//! The server as a process that can be killed.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::support::{Answer, answer};

pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) address: String,
}

/// A command that starts the server without options. Its log is discarded.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_campaign-sync-server"));
    command.stderr(Stdio::null());
    command
}

impl Process {
    pub(crate) fn start(db: &Path) -> Self {
        Self::spawn(program().args(["--listen", "127.0.0.1:0", "--rate", "2000", "--db"]).arg(db))
    }

    /// Starts a command, and waits until it listens.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap().to_owned();
        Self { child, address }
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        let url = format!("http://{}/api/v2{path}", self.address);
        let request = reqwest::Client::new().post(url).body(body.to_string());
        let answer = answer(request).await;
        assert!(matches!(answer.status, 200 | 201), "{}", answer.body);
        answer
    }

    /// Waits for the end of the running phase.
    pub(crate) async fn completed(&self, id: &str) {
        let url = format!("http://{}/api/v2/campaigns/{id}", self.address);
        while answer(reqwest::Client::new().get(&url)).await.body["phaseStatus"] != "completed" {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Kills the server with SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _already_dead = self.child.kill();
        let _already_reaped = self.child.wait();
    }
}
