//! `campaign-sync-server`: the reference server as a program.

use std::io;
use std::process::ExitCode;

use campaign_sync_harness::options::Options;
use campaign_sync_harness::server::{Ready, run};
use clap::Parser as _;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_target(false)
        .with_max_level(options.log_level)
        .with_writer(io::stderr)
        // If nothing reads standard error any more, the failed write of a log line must not fail anything
        // else.
        .log_internal_errors(false)
        .init();
    raise_file_limit(options.max_connections as u64);
    let ready = |ready: Ready| println!("listening on http://{}", ready.address);
    match run(options, ready, stop()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            for line in error.to_string().lines() {
                eprintln!("campaign-sync-server: {line}");
            }
            ExitCode::FAILURE
        }
    }
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

/// Completes when the process receives SIGTERM or SIGINT.
async fn stop() {
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    let (Ok(mut term), Ok(mut interrupt)) = signals else { return std::future::pending().await };
    tokio::select! {
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
    }
}
