//! A command with everything that it starts: one process group, which is ended as a whole.
//!
//! A separate group does not receive a Ctrl-C at the terminal, so [`stop_groups`] passes it on.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// How long a group has to end on request. Browsers are closed by the processes that opened them.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);

/// The groups that are running now.
static RUNNING: Mutex<Running> = Mutex::new(Running { groups: Vec::new(), is_ending: false });

struct Running {
    groups: Vec<u32>,
    /// Whether this program is about to end, so that no group may run any more.
    is_ending: bool,
}

/// A running command.
pub(crate) struct Group {
    child: Child,
}

impl Group {
    /// Starts a command in a separate group.
    pub(crate) fn start(command: &mut Command) -> std::io::Result<Self> {
        let mut running = running();
        if running.is_ending {
            drop(running);
            wait_for_the_end();
        }
        let child = command.process_group(0).spawn()?;
        running.groups.push(child.id());
        Ok(Self { child })
    }

    /// Waits for the command's end until `deadline`. After that, ends the whole group and returns no
    /// status.
    pub(crate) fn wait(mut self, deadline: Instant) -> Result<Option<ExitStatus>> {
        let status = self.status_before(deadline)?;
        if status.is_none() {
            signal("TERM", self.child.id());
            sleep(STOP_TIMEOUT);
            signal("KILL", self.child.id());
            self.child.wait().context("cannot wait for the command")?;
        }
        let mut running = running();
        running.groups.retain(|group| *group != self.child.id());
        let is_ending = running.is_ending;
        drop(running);
        // A command that a Ctrl-C ended has no result.
        if is_ending {
            wait_for_the_end();
        }
        Ok(status)
    }

    fn status_before(&mut self, deadline: Instant) -> Result<Option<ExitStatus>> {
        loop {
            let status = self.child.try_wait().context("cannot wait for the command")?;
            if status.is_some() || Instant::now() >= deadline {
                return Ok(status);
            }
            sleep(POLL_INTERVAL);
        }
    }
}

/// Ends the running groups, and prevents new ones, because this program is about to end.
pub(crate) fn stop_groups() {
    let mut running = running();
    running.is_ending = true;
    let groups = std::mem::take(&mut running.groups);
    drop(running);
    for group in &groups {
        signal("TERM", *group);
    }
    if !groups.is_empty() {
        sleep(STOP_TIMEOUT / 3);
    }
    for group in groups {
        signal("KILL", group);
    }
}

fn running() -> MutexGuard<'static, Running> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait_for_the_end() -> ! {
    loop {
        sleep(STOP_TIMEOUT);
    }
}

/// Sends a signal to a group. A group that has already ended is not an error.
fn signal(name: &str, group: u32) {
    let mut kill = Command::new("kill");
    kill.args([&format!("-{name}"), "--", &format!("-{group}")]);
    let _gone_already = kill.stdout(Stdio::null()).stderr(Stdio::null()).status();
}
