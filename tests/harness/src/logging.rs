//! The log of the program: lines of JSON on standard error, written by a separate thread.
//!
//! If nothing reads standard error, that thread blocks and nothing else does: lines that find no place in its
//! queue are dropped and counted.

use std::io;
use std::panic;
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};

/// The most lines that wait for the thread.
const LINES_MAX: usize = 8_192;

/// The longest wait for a reader of standard output or standard error at the end of the program.
const OUTPUT_TIMEOUT: Duration = Duration::from_millis(300);

static DROPPED: OnceLock<ErrorCounter> = OnceLock::new();

/// The thread that writes the log, until it is finished.
#[derive(Debug)]
pub struct Writer(WorkerGuard);

/// Starts the log of this process at that level.
pub fn start(level: LevelFilter) -> Writer {
    let (lines, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(LINES_MAX)
        .thread_name("log")
        .finish(io::stderr());
    DROPPED.get_or_init(|| lines.error_counter());
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_target(false)
        .with_max_level(level)
        .with_writer(lines)
        // A line that cannot be written must not fail anything else.
        .log_internal_errors(false)
        .init();
    // The default hook writes to standard error itself, and would wait for its reader.
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let message = panic.payload_as_str();
        tracing::error!(event = "panicked", message, place);
    }));
    Writer(guard)
}

impl Writer {
    /// Writes the lines that wait, as long as something reads them.
    pub fn finish(self) {
        bounded(move || drop(self.0));
    }
}

/// The lines that were dropped because nothing read the earlier ones in time.
pub fn dropped_lines() -> u64 {
    DROPPED.get().map_or(0, |dropped| dropped.dropped_lines() as u64)
}

/// Writes a line, and waits for its reader only for a moment. A closed output is no error.
pub fn print(mut to: impl io::Write + Send + 'static, line: String) {
    bounded(move || drop(writeln!(to, "{line}").and_then(|()| to.flush())));
}

/// Runs `work` on another thread and waits for its end only for a moment.
fn bounded(work: impl FnOnce() + Send + 'static) {
    let (done, end) = mpsc::channel::<()>();
    let started = thread::Builder::new().spawn(move || {
        work();
        drop(done);
    });
    if started.is_ok() {
        let _ended_or_not = end.recv_timeout(OUTPUT_TIMEOUT);
    }
}
