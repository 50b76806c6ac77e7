//! A command with everything that it starts: one process group, which is ended as a whole.
//!
//! A separate group does not receive a Ctrl-C at the terminal, so [`end_current`] passes it on.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// How long a group has to end on request. Browsers are closed by the processes that opened them.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);

/// The group that is running now; 0 if no group runs.
static CURRENT: AtomicU32 = AtomicU32::new(0);
/// The value of [`CURRENT`] when this program is about to end and no group may run any more.
const ENDING: u32 = u32::MAX;

/// A running command.
pub(crate) struct Group {
    child: Child,
}

impl Group {
    /// Starts a command in a separate group.
    pub(crate) fn start(command: &mut Command) -> std::io::Result<Self> {
        let child = command.process_group(0).spawn()?;
        if CURRENT.swap(child.id(), Ordering::SeqCst) == ENDING {
            signal("KILL", child.id());
            wait_for_the_end();
        }
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
        // A command that a Ctrl-C ended has no result.
        if CURRENT.swap(0, Ordering::SeqCst) == ENDING {
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

/// Ends the running group, if any, and prevents new ones, because this program is about to end.
pub(crate) fn end_current() {
    let group = CURRENT.swap(ENDING, Ordering::SeqCst);
    if group != 0 && group != ENDING {
        signal("TERM", group);
        sleep(STOP_TIMEOUT / 3);
        signal("KILL", group);
    }
}

fn wait_for_the_end() -> ! {
    CURRENT.store(ENDING, Ordering::SeqCst);
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
