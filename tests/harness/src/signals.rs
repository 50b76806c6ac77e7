//! The signals that drain the server.

use std::fs;
use std::future::poll_fn;
use std::io;
use std::task::Poll;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that ask the server to stop.
#[derive(Debug)]
pub struct Signals(Vec<Signal>);

impl Signals {
    /// Handles SIGTERM, SIGINT, SIGQUIT and SIGHUP from now on. SIGHUP stays ignored if the parent process
    /// ignores it: `nohup` does, so that the server survives the end of a terminal.
    ///
    /// # Errors
    /// Errors of the operating system.
    pub fn handle() -> io::Result<Self> {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::quit()];
        let hangup = SignalKind::hangup();
        let hangup = (!is_ignored(&status, hangup)).then_some(hangup);
        kinds.into_iter().chain(hangup).map(signal).collect::<io::Result<_>>().map(Self)
    }

    /// Completes when the process receives one of the signals.
    pub async fn received(mut self) {
        poll_fn(|context| {
            let received = self.0.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
            if received { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// Whether the process ignores the signal, according to its status in Linux's form.
fn is_ignored(status: &str, kind: SignalKind) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (kind.as_raw_value() - 1) & 1 == 1)
}
