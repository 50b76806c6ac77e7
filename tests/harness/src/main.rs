//! `campaign-sync-server`: the reference server as a program.

use std::process::ExitCode;

use campaign_sync_harness::server::{Options, run};
use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let ready = |address| println!("listening on http://{address}");
    match run(options, ready, stop()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("campaign-sync-server: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Done when the process is asked to end.
async fn stop() {
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    let (Ok(mut term), Ok(mut interrupt)) = signals else { return std::future::pending().await };
    tokio::select! {
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
    }
}
