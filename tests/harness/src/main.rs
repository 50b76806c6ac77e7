//! `campaign-sync-server`: the reference server as a program.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use campaign_sync_harness::options::Options;
use campaign_sync_harness::server::{Ready, run};
use campaign_sync_harness::{logging, signals::Signals};
use clap::Parser as _;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

/// The longest wait for threads that are still blocked after the server has ended.
const THREADS_TIMEOUT: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    let options = Options::parse();
    let log = logging::start(options.log_level);
    raise_file_limit(options.max_connections as u64);
    let result = Builder::new_multi_thread().enable_all().build().and_then(|runtime| {
        let result = runtime.block_on(serve(options));
        runtime.shutdown_timeout(THREADS_TIMEOUT);
        result
    });
    log.finish();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let lines = error.to_string();
            let lines = lines.lines().map(|line| format!("campaign-sync-server: {line}"));
            logging::print(io::stderr(), lines.collect::<Vec<_>>().join("\n"));
            ExitCode::FAILURE
        }
    }
}

/// Runs the server until a signal stops it. Signals are handled before the address is printed. Until then they
/// end the process at once.
async fn serve(options: Options) -> io::Result<()> {
    let (handled, signals) = oneshot::channel();
    let ready = |ready: Ready| {
        let _stop_waits_for_them = handled.send(Signals::handle());
        logging::print(io::stdout(), format!("listening on http://{}", ready.address));
    };
    let stop = async {
        match signals.await {
            Ok(Ok(signals)) => signals.received().await,
            Ok(Err(error)) => {
                tracing::error!(event = "signals_not_handled", %error);
                std::future::pending().await
            }
            Err(_) => std::future::pending().await,
        }
    };
    run(options, ready, stop).await
}

/// Raises the limit of open files to the maximum that the system allows. Every socket is an open file.
fn raise_file_limit(connections: u64) {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let raised = setrlimit(Resource::Nofile, limit);
    let files = getrlimit(Resource::Nofile).current;
    if raised.is_err() || files.is_some_and(|files| files < connections) {
        tracing::warn!(event = "few_open_files", files, connections);
    }
}
